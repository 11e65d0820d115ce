"""What the worker at idle priority runs (`tests/background_worker.py`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEST = "import os\n\ndef test_runs() -> None:\n    with open({log!r}, 'a') as log:\n"
LINE = "        print({name!r}, os.sched_getscheduler(0) == os.SCHED_IDLE, file=log)\n"


def run(folder: Path, *workers: str) -> dict[str, str]:
    """Runs a file per folder of a small tree; returns whether each ran at idle priority."""
    log = str(folder / "log")
    tests = folder / "tests"
    for name in ("integration", "simulation", "unit/core", "unit/kube"):
        (tests / name).mkdir(parents=True)
        file = tests / name / f"test_{name.replace('/', '_')}.py"
        file.write_text(TEST.format(log=log) + LINE.format(name=name))
    (tests / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'tests')!r})\nimport background_worker\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--background-worker', action='store_true')\n"
        "def pytest_xdist_make_scheduler(config, log):\n"
        "    return background_worker.scheduling(config, log)\n"
        "def pytest_configure(config):\n"
        "    background_worker.lower_priority(config)\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:pytest-kind",
    ]
    subprocess.run(
        [*command, "--dist", "loadfile", *workers, "tests"], cwd=folder, env=clean, check=True
    )
    lines = Path(log).read_text().split("\n")
    return dict(line.split() for line in lines if line)  # type: ignore[misc]


def test_last_worker_takes_only_tests_that_compute(tmp_path: Path) -> None:
    idle: dict[str, Any] = run(tmp_path, "-n", "2", "--background-worker")
    assert set(idle) == {"integration", "simulation", "unit/core", "unit/kube"}
    assert idle["integration"] == idle["unit/kube"] == "False"
    assert "True" in (idle["simulation"], idle["unit/core"])


def test_without_the_option_no_worker_has_idle_priority(tmp_path: Path) -> None:
    assert set(run(tmp_path, "-n", "2").values()) == {"False"}
