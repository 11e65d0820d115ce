"""What a process that runs imports of the client library, and that the rest is still there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from canarium.kube.lazy_client import UNUSED

pytestmark = pytest.mark.slow

#: kopf imports pykube if it is installed, as it is with pytest-kind, but not in the image.
_PROGRAM = """
import sys
sys.modules["pykube"] = None
from canarium.kube.lazy_client import defer_unused_parts
defer_unused_parts()
import {module}
print("imported:", *(x for x in ("oauthlib", "requests", "websocket") if x in sys.modules))
"""
_ACCESS = """
import kubernetes, kubernetes.aio
print(kubernetes.config.load_kube_config.__name__, kubernetes.watch.Watch.__name__)
print(kubernetes.aio.watch.Watch.__name__, kubernetes.dynamic.DynamicClient.__name__)
"""


def output(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("module", ["canarium.host.process", "canarium.notifier.process"])
def test_processes_do_not_import_the_unused_parts_of_the_client(module: str) -> None:
    assert output(_PROGRAM.format(module=module)) == ["imported:"]


def test_deferred_parts_work_when_they_are_used() -> None:
    lines = output(_PROGRAM.format(module="canarium.host.process") + _ACCESS)
    assert lines[1:] == ["load_kube_config Watch", "Watch DynamicClient"]


def test_each_deferred_part_exists() -> None:
    """A newer client that renames one would be imported whole again."""
    output(
        "import importlib\n" + "\n".join(f"importlib.import_module({x!r})" for x in sorted(UNUSED))
    )
