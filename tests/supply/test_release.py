"""What a release is made of: the same bytes each time, one version, nothing that is not locked."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from canarium import VERSION
from release.version import Unusable, dated, of_tag, state, stated

ROOT = Path(__file__).parents[2]


def wheel(source: Path, target: Path, epoch: str) -> Path:
    """Builds the wheel of a copy of `source`, with other times and another place of its files."""
    shutil.copytree(source, target / "src")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    subprocess.run(
        command, cwd=target / "src", env=environment, check=True, capture_output=True
    )  # fmt: skip
    return next(target.glob("*.whl"))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    kept = tmp_path / "sources"
    shutil.copytree(
        ROOT / "operator", kept / "operator", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, kept / name)
    return kept


def test_wheel_is_the_same_whenever_and_wherever_it_is_built(tmp_path: Path, sources: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "elsewhere" / "second"
    one = wheel(sources, first, "1700000000")
    for path in sources.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    two = wheel(sources, second, "1700000000")
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(two.read_bytes()).digest()


def test_wheel_contains_only_the_operator(tmp_path: Path, sources: Path) -> None:
    built = wheel(sources, tmp_path / "one", "1700000000")
    said = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(built)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "canarium/__main__.py" in said
    assert "canarium/runtimes/mlserver-sklearn.yaml" in said
    assert not re.search(r"^(sandbox|support|demo|tests|generators)/", said, re.MULTILINE)


def test_every_place_states_one_version() -> None:
    versions = stated(ROOT)
    assert len(versions) == 4
    assert len(set().union(*versions.values())) == 1


def test_release_states_its_version_everywhere(tmp_path: Path) -> None:
    for name in stated(ROOT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    state(tmp_path, "1.2.3")
    assert set().union(*stated(tmp_path).values()) == {"1.2.3"}
    chart = (tmp_path / "charts/canarium/Chart.yaml").read_text()
    assert "version: 1.2.3" in chart
    assert "appVersion: 1.2.3" in chart
    assert "apiVersion: v2" in chart


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3.4", "vnext", "v1.2.3-final"])
def test_invalid_tag_is_refused_with_a_message(tag: str) -> None:
    with pytest.raises(Unusable, match="a tag is v1"):
        of_tag(tag)


def test_check_names_the_places_with_another_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release", "--check", "v99.0.0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Chart.yaml states" in done.stdout


def test_section_that_was_written_by_hand_is_dated(tmp_path: Path) -> None:
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\n## 0.1.0 (unreleased)\n\nThe first release.\n")
    assert dated(tmp_path, "0.1.0", "2026-12-01")
    assert "## 0.1.0 (2026-12-01)\n" in changelog.read_text()
    assert not dated(tmp_path, "0.2.0", "2026-12-01")


def test_section_that_was_written_by_hand_is_not_dated_while_fragments_are_left(
    tmp_path: Path,
) -> None:
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("## 0.1.0 (unreleased)\n")
    (tmp_path / "changes").mkdir()
    for name in ("README.md", "7.added.md"):
        (tmp_path / "changes" / name).write_text("text\n")
    with pytest.raises(Unusable, match=r"move these fragments .* 0\.1\.0 .*: 7\.added\.md"):
        dated(tmp_path, "0.1.0", "2026-12-01")
    assert "unreleased" in changelog.read_text()


def test_section_of_the_next_release_is_complete() -> None:
    """As long as that section is written by hand, no fragment waits beside it."""
    if f"## {VERSION} (unreleased)" in (ROOT / "CHANGELOG.md").read_text():
        assert [path.name for path in (ROOT / "changes").iterdir()] == ["README.md"]


def test_fragments_become_a_changelog() -> None:
    tool = str(Path(sys.executable).with_name("towncrier"))
    done = subprocess.run(
        [tool, "build", "--draft", "--version", "9.9.9"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "## 9.9.9" in done.stdout
    for path in (ROOT / "changes").glob("[0-9]*.md"):
        assert re.fullmatch(r"\d+(\.\d+)?\.(added|changed|fixed|removed)(\.\d+)?\.md", path.name)


def test_image_is_built_in_stages_pinned_and_without_rights() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"(?m)^FROM (\S+)", text)
    assert stages == ["${PYTHON}", "${PYTHON}", "${KUBECTL}", "run", "run"]
    assert re.search(r"(?m)^ARG PYTHON=\S+:\d+\.\d+\.\d+-\S+$", text)
    assert re.search(r"(?m)^ARG KUBECTL=\S+:v\d+\.\d+\.\d+$", text)
    assert "--require-hashes" in text
    # The two images are made from the stage `run`, and neither changes its user.
    assert re.findall(r"(?m)^USER (\S+)", text) == ["65532:65532"]
    assert "USER" in text.partition(" AS run\n")[2].partition("\nFROM")[0]
    assert "latest" not in text


def test_build_context_has_all_that_the_images_copy() -> None:
    # The file begins by excluding everything; `!path` includes.
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    included = {line[1:] for line in lines if line.startswith("!")}
    text = (ROOT / "Dockerfile").read_text()
    locks = {"runtime", *re.findall(r"LOCK=([a-z]+)", text)}
    copied = re.findall(r"(?m)^COPY (?!--from)(\S+)", text)
    assert "operator/canarium" in copied
    for source in copied:
        for lock in locks if "${LOCK}" in source else {""}:
            path = source.replace("${LOCK}", lock)
            assert path in included, f".dockerignore leaves out {path}"
            assert (ROOT / path).exists()
