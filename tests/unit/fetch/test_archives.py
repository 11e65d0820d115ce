"""Archives that mean harm are refused, and those with links that stay inside are taken."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from canarium.fetch.archives import ArchiveLimits, unpack
from canarium.fetch.digest import of_tree
from canarium.fetch.errors import FetchError


def entry(name: str, content: bytes = b"x", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    info.size = len(content) if info.type == tarfile.REGTYPE else 0
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=kind, linkname=target)


def tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../evil")],
        [entry("/etc/evil")],
        [entry("a/../../evil")],
        [entry("a\nb")],
        [link("evil", "/etc/passwd")],
        [link("evil", "../outside")],
        [link("a/evil", "../../outside")],
        [link("a", "b/c"), link("b", "d"), entry("d/c/x"), link("e", "a/../../..")],
        [link("evil", "../outside", tarfile.LNKTYPE)],
        [link("evil", "nothing", tarfile.LNKTYPE)],
        [entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        [entry("pipe", type=tarfile.FIFOTYPE)],
        [entry("a"), entry("a/b")],
    ],
    ids=lambda entries: " ".join(repr(info.name) for info, _ in entries),
)
def test_hostile_entry_is_refused_and_nothing_is_written_outside(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    archive = tar(tmp_path / "a.tar.gz", *entries)
    with pytest.raises(FetchError) as refused:
        unpack(archive, "tar", tmp_path / "root" / "tree")
    assert refused.value.reason == "UnsafeArchive"
    assert {p.name for p in tmp_path.iterdir()} == {"a.tar.gz", "root"}
    assert {p.name for p in (tmp_path / "root").iterdir()} == {"tree"}


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    """The classic: a link to a folder outside, and then a file behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for target in (str(outside), "../outside"):
        archive = tar(tmp_path / "a.tar", link("d", target), entry("d/evil"), mode="w:")
        with pytest.raises(FetchError):
            unpack(archive, "tar", tmp_path / "tree")
    assert not list(outside.iterdir())


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    archive = tar(
        tmp_path / "a.tar.xz",
        link("latest", "versions/2"),
        entry("versions/2/model", b"two"),
        link(
            "versions/2/same",
            "model",
        ),
        link("hard", "versions/2/model", tarfile.LNKTYPE),
        mode="w:xz",
    )
    unpack(archive, "tar", tmp_path / "tree")
    assert (tmp_path / "tree" / "latest" / "same").read_bytes() == b"two"
    assert (tmp_path / "tree" / "hard").read_bytes() == b"two"
    assert of_tree(tmp_path / "tree").files == 4


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_bomb_is_stopped_long_before_it_fills_the_disk(tmp_path: Path, kind: str) -> None:
    zeros = b"\0" * (64 << 20)
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(3):
                archive.writestr(f"zeros-{i}", zeros)
    else:
        tar(path, *(entry(f"zeros-{i}", zeros) for i in range(3)))
    limits = ArchiveLimits(ratio=200, floor=8 << 20)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FetchError, match="bomb") as refused:
        unpack(path, kind, tmp_path / "tree", limits)
    assert refused.value.reason == "UnsafeArchive"
    written = sum(p.stat().st_size for p in (tmp_path / "tree").rglob("*"))
    assert written <= max(200 * path.stat().st_size, 8 << 20)


def test_archive_of_too_many_entries_is_stopped(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", *(entry(f"f{i}") for i in range(30)), mode="w:")
    with pytest.raises(FetchError, match="more than 20 entries"):
        unpack(archive, "tar", tmp_path / "tree", ArchiveLimits(entries=20))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_file_that_is_not_an_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(FetchError) as refused:
        unpack(path, kind, tmp_path / "tree")
    assert refused.value.reason == "CorruptArtifact"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE])
def test_entry_of_negative_size_is_corrupt(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("f")
    info.type, info.size = kind, -2 * tarfile.BLOCKSIZE
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) * 2 + bytes(4 * tarfile.BLOCKSIZE))
    with pytest.raises(FetchError) as refused:
        unpack(path, "tar", tmp_path / "tree")
    assert refused.value.reason == "CorruptArtifact"


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_truncated_archive_is_corrupt(tmp_path: Path, mode: str) -> None:
    path = tar(tmp_path / "a", entry("model", os.urandom(1 << 16)), mode=mode)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(FetchError) as refused:
        unpack(path, "tar", tmp_path / "tree")
    assert refused.value.reason == "CorruptArtifact"


def test_hostile_zip_is_refused(tmp_path: Path) -> None:
    for name, target in (("../evil", ""), ("/evil", ""), ("evil", "../../etc/passwd")):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = ((stat.S_IFLNK | 0o777) if target else 0o644) << 16
            archive.writestr(info, target or "x")
        with pytest.raises(FetchError) as refused:
            unpack(path, "zip", tmp_path / "tree")
        assert refused.value.reason == "UnsafeArchive"


def test_upper_layer_removes_what_its_whiteouts_name(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    lower = tar(tmp_path / "l", entry("m/a"), entry("m/b"), entry("n/c"))
    upper = tar(tmp_path / "u", entry("m/.wh.a", b""), entry("n/.wh..wh..opq", b""), entry("n/d"))
    unpack(lower, "tar", root, layered=True)
    unpack(upper, "tar", root, layered=True)
    assert {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} == {"m/b", "n/d"}


#: Bytes in headers that are one block too many for a pod; the archive itself stays small.
HEADER = 24 << 20


def _pax(value: bytes) -> bytes:
    """A pax header for the next entry, and the bytes in it."""
    record = b"comment=" + value + b"\n"
    length = len(record) + 1
    while len(b"%d" % length) + 1 + len(record) != length:
        length = len(b"%d" % length) + 1 + len(record)
    body = b"%d " % length + record
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % tarfile.BLOCKSIZE)


def _long_name(size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return info.tobuf(tarfile.GNU_FORMAT) + b"n" * size + bytes(-size % tarfile.BLOCKSIZE)


HEADERS = {
    "one large pax header": lambda: _pax(b"c" * HEADER),
    "one long name": lambda: _long_name(HEADER),
    "a chain of pax headers": lambda: _pax(b"c" * (HEADER >> 6)) * 64,
}


@pytest.mark.parametrize("kind", HEADERS)
def test_bomb_in_the_headers_is_stopped_before_it_is_in_memory(tmp_path: Path, kind: str) -> None:
    whole = HEADERS[kind]() + entry("f")[0].tobuf() + bytes(4 * tarfile.BLOCKSIZE)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(whole))
    del whole
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="header") as refused:
            unpack(path, "tar", tmp_path / "tree")
        assert tracemalloc.get_traced_memory()[1] < HEADER / 2
    finally:
        tracemalloc.stop()
    assert refused.value.reason == "UnsafeArchive"


def test_headers_of_all_entries_are_not_kept(tmp_path: Path) -> None:
    one = _pax(b"c" * (HEADER >> 6)) + entry("f", b"")[0].tobuf()
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(one * 64 + bytes(4 * tarfile.BLOCKSIZE)))
    del one
    tracemalloc.start()
    try:
        unpack(path, "tar", tmp_path / "tree")
        assert tracemalloc.get_traced_memory()[1] < HEADER / 2
    finally:
        tracemalloc.stop()


def test_bytes_outside_files_are_counted(tmp_path: Path) -> None:
    one = _pax(b"c" * 100_000) + entry("f", b"")[0].tobuf()
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(one * 64 + bytes(4 * tarfile.BLOCKSIZE)))
    with pytest.raises(FetchError, match="bomb"):
        unpack(path, "tar", tmp_path / "tree", ArchiveLimits(ratio=10, floor=1 << 20))


def test_zips_list_of_entries_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(1000):
            info = zipfile.ZipInfo(f"f{i}")
            info.comment = b"c" * 60_000
            archive.writestr(info, b"")
    tracemalloc.start()
    try:
        with pytest.raises(FetchError) as refused:
            unpack(path, "zip", tmp_path / "tree")
        assert tracemalloc.get_traced_memory()[1] < HEADER / 2
    finally:
        tracemalloc.stop()
    assert refused.value.reason == "UnsafeArchive"
