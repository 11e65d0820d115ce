"""`dev/install-packages` knows every Debian package that the tests ask for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import machine

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "dev" / "install-packages"
#: On demand, such as `machine.ensure({"prometheus": "promtool"}, …)`.
_ON_DEMAND = re.compile(r"machine\.ensure\(\s*\{([^}]*)\}")


def listed() -> set[str]:
    return set(re.findall(r"^    ([a-z0-9-]+):\S+$", SCRIPT.read_text(), re.MULTILINE))


def test_every_package_of_the_node_is_installed_beforehand() -> None:
    assert machine._PACKAGES.keys() <= listed()


def test_every_package_that_is_asked_for_on_demand_is_installed_beforehand() -> None:
    sources = [p for d in ("sandbox", "demo", "e2e", "tests") for p in (ROOT / d).rglob("*.py")]
    asked = {
        package
        for path in sources
        for words in _ON_DEMAND.findall(path.read_text())
        for package in re.findall(r'"([a-z-]+)":', words)
    }
    assert asked
    assert asked <= listed()


@pytest.fixture
def bare() -> Iterator[Path]:
    """The only folder on PATH of a machine that has next to nothing; apt-get notes its words."""
    # Not pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for command in ("bash", "python3", "chmod", "rm"):
            found = shutil.which(command)
            assert found
            (folder / command).symlink_to(found)
        apt = folder / "apt-get"
        apt.write_text(f'#!/bin/bash\necho "$@" >> {folder}/asked\n')
        apt.chmod(0o755)
        yield folder


def run(bare: Path, *, user: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [bare / "bash", "-s"],
        input=SCRIPT.read_text(),
        env={"PATH": str(bare)},
        user=user,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_install_without_root_prints_the_command_and_fails(bare: Path) -> None:
    done = run(bare, user=65534)
    assert done.returncode == 1
    assert "Run: sudo apt-get update && sudo apt-get install -y" in done.stderr
    assert "mmdebstrap" in done.stderr
    assert not (bare / "asked").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_install_as_root_prints_what_it_installs(bare: Path) -> None:
    done = run(bare)
    assert done.returncode == 0, done.stderr
    assert "Installing Debian packages that the tests need: " in done.stdout
    update, install = (bare / "asked").read_text().splitlines()
    assert update == "update -q"
    assert install.startswith("install -y --no-install-recommends")
    assert "mmdebstrap" in install


def test_install_without_apt_names_what_is_missing(bare: Path) -> None:
    (bare / "apt-get").unlink()
    done = run(bare)
    assert done.returncode == 1
    assert "The tests need these Debian packages, or what they bring" in done.stderr
