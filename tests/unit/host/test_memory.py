"""Memory that a peak needed is returned to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Megabytes that stay after 40 MB in blocks of 200 kB were freed beside a small one that was not.
_PEAK = """
from pathlib import Path
from canarium.host.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if {wanted}:
    assert return_freed_memory()
del_first = bytearray(16_000_000)
del del_first
before = resident()
blocks = [bytearray(200_000) for _ in range(200)]
kept = [bytes(2_000) for _ in range(200)]
del blocks
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
@pytest.mark.parametrize(("wanted", "least", "most"), [(False, 20.0, 50.0), (True, -5.0, 10.0)])
def test_freed_blocks_are_returned(wanted: bool, least: float, most: float) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _PEAK.format(wanted=wanted)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert least < float(shown.stdout) < most
