"""The disk of a node is shared: a fetch leaves what its other pods need, or is refused."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from canarium.fetch.archives import unpack
from canarium.fetch.errors import FetchError
from canarium.fetch.workspace import Workspace
from fetch.conftest import Fetcher

MB = 1 << 20
#: A disk of 100 GB as statvfs reports it.
BLOCKS = 100_000


class Disk:
    """What the disk has free, in MB; the fetch of another pod takes `falls` before every read."""

    def __init__(self, free: int, falls: int = 0) -> None:
        self.free, self.falls = free, falls

    def statvfs(self, _: object) -> SimpleNamespace:
        free = self.free
        self.free -= self.falls
        return SimpleNamespace(f_bavail=free, f_frsize=MB, f_blocks=BLOCKS)


def placed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, reserve: int = 10
) -> Workspace:
    """A place on the node's own disk, as an emptyDir is."""
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    found = Workspace(folder / "models", reserve, of_node=folder)
    found.prepare()
    return found


def test_share_of_the_nodes_disk_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_node = placed(tmp_path, monkeypatch, Disk(free=12_000))
    of_the_node.require(1_900 * MB)
    with pytest.raises(FetchError, match=r"10 % of the node's disk") as refused:
        of_the_node.require(2_100 * MB)
    assert refused.value.reason == "NoSpace"
    placed(tmp_path, monkeypatch, Disk(free=12_000), reserve=5).require(2_100 * MB)


def test_dedicated_volume_has_no_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", Disk(free=12_000).statvfs)
    own = Workspace(tmp_path / "models", reserve=10, of_node=Path("/proc/self/status"))
    own.prepare()
    own.require(11_000 * MB)


def test_fetch_ends_when_others_fill_the_disk_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = placed(tmp_path, monkeypatch, Disk(free=10_100, falls=20)).watch()
    with pytest.raises(FetchError) as refused:
        deque(map(watch, [MB] * 1000), maxlen=0)
    assert refused.value.reason == "NoSpace"


def zipped(path: Path, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b"):
            archive.writestr(name, os.urandom(size))


def tarred(path: Path, size: int) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(os.urandom(size)))


@pytest.mark.parametrize(("kind", "asked"), [("zip", [2000]), ("tar", [1000, 1000])])
def test_room_is_asked_for_before_anything_is_unpacked(
    tmp_path: Path, kind: str, asked: list[int]
) -> None:
    {"zip": zipped, "tar": tarred}[kind](tmp_path / "a", 1000)
    reserved: list[int] = []
    unpack(tmp_path / "a", kind, tmp_path / "tree", room=reserved.append)
    assert reserved == asked

    def none(_: int) -> None:
        raise FetchError("NoSpace", "none")

    with pytest.raises(FetchError, match="none"):
        unpack(tmp_path / "a", kind, tmp_path / "other", room=none)
    assert not [p for p in (tmp_path / "other").rglob("*") if p.is_file()]


def test_zip_that_declares_too_many_bytes_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small", b"s")
        archive.writestr("large", bytes(80 * MB))
    with pytest.raises(FetchError, match="bomb"):
        unpack(tmp_path / "a", "zip", tmp_path / "tree")
    assert not list((tmp_path / "tree").iterdir())


def test_reserve_is_an_option(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "weights").write_bytes(b"w")
    uri = f"file://{tmp_path / 'source'}"
    done = fetcher.run(uri, "--reserve", "100")
    assert (done.code, done.reason) == (10, "NoSpace"), done.output
    assert "100 % of the node's disk" in done.report["message"]
    assert fetcher.run(uri, "--reserve", "0").code == 0
