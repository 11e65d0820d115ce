"""The command line as it is shipped: wheels without the operator's libraries, one file, krew."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium import VERSION
from release import brew, krew, singlefile
from release.version import Unusable
from sandbox import clients

ROOT = Path(__file__).parents[2]
_IGNORED = shutil.ignore_patterns("__pycache__")


def wheel(source: Path, target: Path, epoch: str = "1700000000") -> Path:
    """Builds the wheel of a copy of the project in `source`."""
    target.mkdir(parents=True, exist_ok=True)
    copy = target / "src"
    if source == ROOT:
        shutil.copytree(ROOT / "operator", copy / "operator", ignore=_IGNORED)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy / name)
    else:
        shutil.copytree(source, copy, ignore=_IGNORED)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of the operator and of the command line."""
    folder = tmp_path_factory.mktemp("wheels")
    return [wheel(ROOT, folder / "operator"), wheel(ROOT / "cli", folder / "cli")]


@pytest.fixture(scope="module")
def installed(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` of a fresh environment with the two wheels and the locked libraries."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--no-compile"]
    lock = str(ROOT / "requirements" / "cli.txt")
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
    subprocess.run([*pip, "--no-deps", *map(str, wheels)], check=True)
    return folder / "bin"


def test_wheel_of_the_command_line_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    one = wheel(ROOT / "cli", tmp_path / "one")
    two = wheel(ROOT / "cli", tmp_path / "elsewhere" / "two")
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(two.read_bytes()).digest()


@pytest.mark.slow
def test_installed_command_line_needs_no_library_of_the_operator(installed: Path) -> None:
    check = [str(installed / "pip"), "check"]
    subprocess.run(check, check=True)
    for name in ("kopf", "kubernetes", "uvloop", "aiohttp"):
        done = subprocess.run(
            [str(installed / "python"), "-c", f"import {name}"], capture_output=True
        )
        assert done.returncode == 1, name
    verbs = "import canarium_cli.main as m; [m.cli.get_command(None, v) for v in m.VERBS]"
    subprocess.run([str(installed / "python"), "-c", verbs], check=True)


@pytest.mark.slow
def test_kubectl_finds_the_plugin_on_the_path(installed: Path) -> None:
    done = subprocess.run(
        [str(clients.find("kubectl")), "modeldeploy", "--help"],
        env={"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(installed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Usage: kubectl modeldeploy" in done.stdout
    assert (installed / "kubectl_complete-modeldeploy").exists()


@pytest.mark.slow
def test_make_cli_installs_the_command_line_and_prints_how_to_find_it(tmp_path: Path) -> None:
    for name in ("Makefile", "README.md", "LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("operator", "cli", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=_IGNORED)
    # Those of a make that runs the tests.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(
        ["make", "cli"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    # As a reader does: the last line into the shell.
    script = f'{made.stdout.splitlines()[-1]}\n"$1" modeldeploy version --client'
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(clients.find("kubectl"))],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert VERSION in done.stdout


@pytest.mark.slow
def test_operator_without_its_extra_names_what_to_install(installed: Path) -> None:
    done = subprocess.run([str(installed / "canarium"), "run"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'canarium[operator]'" in done.stderr
    assert "Traceback" not in done.stderr


def archives(folder: Path, *platforms: str) -> list[Path]:
    """An archive for each platform, made from a small program."""
    made = []
    for platform in platforms:
        program = folder / f"{singlefile.PROGRAM}-{platform}"
        program.write_text("#!/bin/sh\n")
        made.append(singlefile.archive(program, folder))
    return made


def test_archive_has_the_same_bytes_each_time_and_the_licence(tmp_path: Path) -> None:
    (one,) = archives(tmp_path, "linux-amd64")
    before = singlefile.checksum(one)
    assert singlefile.checksum(archives(tmp_path, "linux-amd64")[0]) == before
    listed = subprocess.run(["tar", "tzf", str(one)], capture_output=True, text=True, check=True)
    files = ["kubectl-modeldeploy", "kubectl_complete-modeldeploy", "LICENSE"]
    assert listed.stdout.split() == files


def test_krew_manifest_has_a_platform_for_each_archive_and_no_fault(tmp_path: Path) -> None:
    made = archives(tmp_path, "darwin-arm64", "linux-amd64")
    assert krew.main(["v1.2.3", str(tmp_path)]) == 0
    found = yaml.safe_load((tmp_path / "modeldeploy.yaml").read_text())
    assert krew.lint(found) == []
    assert found["spec"]["version"] == "v1.2.3"
    for path, one in zip(made, found["spec"]["platforms"], strict=True):
        assert one["sha256"] == singlefile.checksum(path)
        assert one["uri"].endswith(f"/v1.2.3/{path.name}")
        labels = one["selector"]["matchLabels"]
        assert f"{labels['os']}-{labels['arch']}" in path.name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("apiVersion",), "v1"),
        (("metadata", "name"), "kubectl-modeldeploy"),
        (("spec", "version"), "1.2.3"),
        (("spec", "shortDescription"), "x" * 51),
        (("spec", "shortDescription"), "Ends with a period."),
        (("spec", "description"), "x" * 81),
        (("spec", "homepage"), "http://example.com"),
        (("spec", "platforms"), []),
        (("spec", "platforms", 0, "sha256"), "abc"),
        (("spec", "platforms", 0, "uri"), "http://example.com/x.tar.gz"),
        (("spec", "platforms", 0, "bin"), "../bash"),
        (("spec", "platforms", 0, "files"), [{"from": "kubectl-modeldeploy", "to": "."}]),
        (("spec", "platforms", 0, "selector"), {"matchLabels": {"os": "plan9", "arch": "amd64"}}),
    ],
)
def test_manifest_that_krew_would_refuse_is_a_fault(
    path: tuple[Any, ...], value: Any, tmp_path: Path
) -> None:
    found: Any = krew.manifest("1.2.3", archives(tmp_path, "linux-amd64"))
    *way, last = path
    target = found
    for step in way:
        target = target[step]
    target[last] = value
    assert krew.lint(found)


def test_release_without_archives_writes_no_manifest(tmp_path: Path) -> None:
    assert krew.main(["v1.2.3", str(tmp_path)]) == 1
    assert krew.main(["1.2.3", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def single(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file of this platform, unpacked from its archive."""
    folder = tmp_path_factory.mktemp("single")
    for one in wheels:
        shutil.copy(one, folder)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "pex")], check=True)
    lock = str(ROOT / "requirements" / "pex.txt")
    pip = [str(folder / "pex" / "bin" / "pip"), "install", "-q", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
    pex = [str(folder / "pex" / "bin" / "python"), "-m", "pex"]
    program = singlefile.build(pex, sorted(folder.glob("*.whl")), folder, scie=False)
    archive = singlefile.archive(program, folder)
    (folder / "bin").mkdir()
    subprocess.run(["tar", "xzf", str(archive), "-C", str(folder / "bin")], check=True)
    return folder / "bin"


def processor_time(command: list[str], environment: dict[str, str]) -> float:
    """The least processor time of several runs, in seconds: other work on the machine adds none."""
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        after = os.times()
        spent = after.children_user + after.children_system
        times.append(spent - before.children_user - before.children_system)
    return min(times)


@pytest.mark.slow
def test_single_file_starts_as_fast_as_the_installed_program(
    single: Path, installed: Path, tmp_path: Path
) -> None:
    environment = {"PATH": os.environ["PATH"], "PEX_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    program = str(single / "kubectl-modeldeploy")
    # The first run unpacks the libraries.
    done = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("kubectl modeldeploy "), done.stderr
    ours = processor_time([program, "--help"], environment)
    theirs = processor_time([str(installed / "kubectl-modeldeploy"), "--help"], environment)
    # A file for which Python starts twice takes three times as long.
    assert ours < max(0.150, 2 * theirs), (ours, theirs)


@pytest.mark.slow
def test_single_file_completes_for_kubectl(single: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PEX_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    command = [str(single / "kubectl_complete-modeldeploy"), "hist"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "history", done


def test_formula_has_the_checksum_of_each_archive(tmp_path: Path) -> None:
    made = archives(tmp_path, "darwin-arm64", "darwin-amd64", "linux-amd64")
    assert brew.main(["v1.2.3", str(tmp_path)]) == 0
    text = (tmp_path / "kubectl-modeldeploy.rb").read_text()
    for path in made:
        assert f'/v1.2.3/{path.name}"\n      sha256 "{singlefile.checksum(path)}"' in text
    assert text.count("  on_macos do") == text.count("  on_linux do") == 1
    # Every block is closed.
    words = [line.split() for line in text.splitlines() if line.strip()]
    opened = sum(x[0] in ("class", "def") or x[-1] == "do" for x in words)
    assert opened == sum(x == ["end"] for x in words)
    assert 'bin.install "kubectl-modeldeploy", "kubectl_complete-modeldeploy"' in text


def test_formula_of_no_archives_or_another_platform_is_refused(tmp_path: Path) -> None:
    assert brew.main(["v1.2.3", str(tmp_path)]) == 2
    with pytest.raises(Unusable, match="windows"):
        brew.formula("1.2.3", archives(tmp_path, "windows-amd64"))
