"""The digest of a tree depends on its files alone, and anybody can compute it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from canarium.fetch.digest import of_tree
from canarium.fetch.errors import FetchError

BY_HAND = r"find -L . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "sub-1").write_bytes(b"sorts before sub/")
    (root / "sub" / "ü b.bin").write_bytes(b"\x00" * 3_000_000)
    (root / "back\\slash").write_bytes(b"")
    (root / "Z").write_bytes(b"z")
    (root / "link").symlink_to("sub/ü b.bin")
    return root


def test_everyday_tools_compute_the_same(tree: Path) -> None:
    said = subprocess.run(["bash", "-c", BY_HAND], cwd=tree, check=True, capture_output=True)
    assert of_tree(tree).digest == f"sha256:{said.stdout.decode().split()[0]}"


def test_times_modes_and_empty_folders_do_not_count(tree: Path, tmp_path: Path) -> None:
    before = of_tree(tree)
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    shutil.rmtree(copy / "sub" / "empty")
    os.utime(copy / "Z", (1, 1))
    (copy / "Z").chmod(0o600)
    assert of_tree(copy) == before


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_any_other_change_changes_the_digest(tree: Path, change: str) -> None:
    before = of_tree(tree).digest
    if change == "content":
        (tree / "Z").write_bytes(b"Z")
    elif change == "name":
        (tree / "Z").rename(tree / "Y")
    elif change == "more":
        (tree / "sub" / "empty" / "new").write_bytes(b"")
    else:
        (tree / "back\\slash").unlink()
    assert of_tree(tree).digest != before


@pytest.mark.parametrize("target", ["/etc/hostname", "../../other", "nothing"])
def test_link_that_leaves_or_dangles_is_refused(tree: Path, target: str) -> None:
    (tree.parent.parent / "other").write_bytes(b"")
    (tree / "sub" / "bad").symlink_to(target)
    with pytest.raises(FetchError) as refused:
        of_tree(tree)
    assert refused.value.reason in ("UnsafePath", "CorruptArtifact")


def test_device_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(FetchError) as refused:
        of_tree(tree)
    assert refused.value.reason == "UnsafePath"
