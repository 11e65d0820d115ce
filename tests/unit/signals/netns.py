"""Runs a function of a test module in a separate network namespace, with real packet filters."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def run(
    module: str,
    function: str,
    *,
    address: str = "10.99.0.1/32",
    ipv4: bool = True,
    files: Mapping[str, Path] | None = None,
    patience: float = 90,
) -> Any:
    """Returns what the coroutine function returns (as JSON) in a namespace with `address` on lo.

    `files` are put over files of the machine, such as /etc/resolv.conf, for this process alone.
    """
    wrapper = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        wrapper.append("--map-root-user")
    probe = [*wrapper, "sh", "-c", "ip link set lo up && nft list ruleset"]
    if not shutil.which("nft") or subprocess.run(probe, capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail("network namespaces with nftables are not available; in CI they must be")
        pytest.skip("needs network namespaces, iproute2 and nftables")
    setup = f"ip link set lo up && ip addr add {address} dev lo"
    if not ipv4:
        setup += " && ip -4 addr flush dev lo"
    for path, content in (files or {}).items():
        setup += f" && mount --bind {shlex.quote(str(content))} {shlex.quote(path)}"
    code = (
        f"import asyncio, json; from {module} import {function} as f; "
        "print('\\n' + json.dumps(asyncio.run(f())))"
    )
    done = subprocess.run(
        [*wrapper, "sh", "-c", f'{setup} && exec "$@"', "sh", sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'tests' / 'unit'}:{ROOT / 'operator'}:{ROOT}",
        },
        capture_output=True,
        text=True,
        timeout=patience,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
