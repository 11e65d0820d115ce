""".ci/run with stand-ins for what it runs: which parts, and which exit code it ends with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.cli import NO_ENGINE

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
BEFORE, AFTER = ["check", "docs", "sbom"], ["test"]


class Checkout:
    """A folder in which .ci/run runs: `make` notes its target, python is the engine check."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        shutil.copy(SCRIPT, folder / ".ci")
        self.script("dev/install-packages", "true")
        self.script(".venv/bin/python", 'test "$*" = "-m sandbox engine check"')
        self.make()

    def script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def make(self, failing: str = "") -> None:
        """Sets what `make` does: its exit code is 2 for the failing target, 0 for all others."""
        self.script("bin/make", f'echo "$1" >> targets; test "$1" != "{failing}" || exit 2')

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        base = {name: value for name, value in os.environ.items() if name != "CANARIUM_CI_KIND"}
        return subprocess.run(
            [self.folder / ".ci" / "run"], env={**base, "PATH": path, **environment},
            cwd="/", capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    @property
    def targets(self) -> list[str]:
        return (self.folder / "targets").read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_ci_runs_the_part_on_kind_before_the_other_tests(checkout: Checkout) -> None:
    assert checkout.run().returncode == 0
    assert checkout.targets == [*BEFORE, "test-kind-part", *AFTER]


def test_ci_prints_why_the_part_on_kind_was_not_run_and_passes(checkout: Checkout) -> None:
    checkout.script(".venv/bin/python", f"echo 'sandbox: it cannot' >&2; exit {NO_ENGINE}")
    done = checkout.run()
    assert (done.returncode, checkout.targets) == (0, [*BEFORE, *AFTER])
    assert "The part on kind was not run. sandbox: it cannot\n" in done.stdout


def test_ci_fails_if_the_check_of_the_engine_fails(checkout: Checkout) -> None:
    checkout.script(".venv/bin/python", "echo 'ImportError: sandbox' >&2; exit 1")
    done = checkout.run()
    assert (done.returncode, checkout.targets) == (1, [*BEFORE, *AFTER])
    assert "ImportError: sandbox" in done.stderr


@pytest.mark.parametrize("target", ["test-kind-part", "test"])
def test_ci_runs_all_tests_and_fails_if_some_failed(checkout: Checkout, target: str) -> None:
    checkout.make(failing=target)
    assert checkout.run().returncode == 2
    assert checkout.targets == [*BEFORE, "test-kind-part", *AFTER]


def test_ci_leaves_the_part_on_kind_to_another_job(checkout: Checkout) -> None:
    checkout.script(".venv/bin/python", "exit 1")
    assert checkout.run(CANARIUM_CI_KIND="no").returncode == 0
    assert checkout.targets == [*BEFORE, *AFTER]
