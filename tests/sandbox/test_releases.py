"""Released binaries are downloaded, verified and installed; what fails leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import random
import re
import tarfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from release_server import (
    Answer,
    StandIn,
    another_part,
    archive,
    half,
    of,
    ranges,
    serving,
    status,
    whole,
)
from sandbox import binaries, paths, releases
from sandbox.progress import Progress
from sandbox.releases import DownloadFailed, Hosts, Release, Settings, Source, WrongContent
from sandbox.releases.pins import pins
from sandbox.releases.settings import MIRROR, SOURCE
from sandbox.releases.transfer import Limits

CONTENT = b"\x7fELF" + bytes(range(256)) * 2000
FAST = Limits(pause=0.001, silence=1.0)
FILE = "dl.example.org/release/v1.0.0/kubelet"


def pinned(content: bytes = CONTENT, member: str | None = None) -> Release:
    return Release("v1.0.0", f"https://{FILE}", hashlib.sha256(content).hexdigest(), member)


class Machine:
    """A machine with a mirror: `built` has what was built from source, `text` what was printed."""

    def __init__(self, tmp_path: Path, stand_in: StandIn, source: Source = Source.AUTO) -> None:
        self.target = tmp_path / "bin" / "kubelet-v1.0.0" / "kubelet"
        self.settings = Settings(source, stand_in.url)
        self.hosts = Hosts(tmp_path / "unreachable")
        self.printed = io.StringIO()

    def install(self, release: Release, limits: Limits = FAST) -> bool:
        progress = Progress(self.printed)
        return releases.install(release, self.target, self.settings, self.hosts, progress, limits)

    @property
    def text(self) -> str:
        return self.printed.getvalue()

    @property
    def left(self) -> list[Path]:
        """All that a failed download may not leave behind."""
        return sorted(self.target.parent.parent.rglob("*"))


def test_download_installs_an_executable_file(tmp_path: Path) -> None:
    with serving(CONTENT, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned())
    assert machine.target.read_bytes() == CONTENT
    assert machine.target.stat().st_mode & 0o777 == 0o755
    assert machine.left == [machine.target.parent, machine.target]
    assert stand_in.requests == [(f"/{FILE}", None)]
    assert f"downloading kubelet v1.0.0 from 127.0.0.1:{stand_in.port}" in machine.text


def test_broken_transfer_is_resumed_where_it_ended(tmp_path: Path) -> None:
    with serving(CONTENT, half, ranges) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned())
    assert machine.target.read_bytes() == CONTENT
    assert [asked for _, asked in stand_in.requests] == [None, f"bytes={len(CONTENT) // 2}-"]


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        ([half, whole], 2),
        ([half, half, whole], 3),
        ([status(503), whole], 2),
        ([status(503), status(429), half, ranges], 4),
    ],
    ids=["no-ranges", "twice", "unavailable", "all-attempts"],
)
def test_transfer_is_tried_again_until_it_is_whole(
    tmp_path: Path, answers: list[Answer], attempts: int
) -> None:
    with serving(CONTENT, *answers) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned())
    assert machine.target.read_bytes() == CONTENT
    assert len(stand_in.requests) == attempts


@pytest.mark.parametrize("answer", [status(416), another_part])
def test_file_is_requested_whole_after_a_refused_or_wrong_part(
    tmp_path: Path, answer: Answer
) -> None:
    with serving(CONTENT, half, answer, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned())
    assert machine.target.read_bytes() == CONTENT
    assert [asked for _, asked in stand_in.requests] == [None, f"bytes={len(CONTENT) // 2}-", None]


def test_file_that_was_replaced_between_two_parts_is_downloaded_whole(tmp_path: Path) -> None:
    old = CONTENT[::-1]
    with serving(CONTENT, of(half, old), ranges, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned())
    assert machine.target.read_bytes() == CONTENT
    assert len(stand_in.requests) == 3


def test_transfer_that_keeps_breaking_is_built_after_four_attempts(tmp_path: Path) -> None:
    with serving(CONTENT, half) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert not machine.install(pinned())
        assert len(stand_in.requests) == 4
        assert machine.left == []
        ended = f"ended after {len(CONTENT) // 2} of {len(CONTENT)} bytes: building from source"
        assert ended in machine.text
        # Its other files are not tried, and nothing more is printed.
        printed = machine.text
        assert not machine.install(pinned())
        assert len(stand_in.requests) == 4
        assert machine.text == printed


def test_transfer_that_is_too_slow_is_built(tmp_path: Path) -> None:
    def trickle(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        for _ in range(40):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.05)
        request.close_connection = True

    with serving(CONTENT, trickle) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert not machine.install(pinned(), Limits(pause=0.001, seconds=0.3))
    assert "not complete after 0 s (the transfer is too slow)" in machine.text
    assert machine.left == []


def test_missing_file_is_built_and_other_files_of_the_host_are_downloaded(tmp_path: Path) -> None:
    with serving(CONTENT, status(404), whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert not machine.install(pinned())
        assert machine.left == []
        assert re.search(r"kubelet: HTTP 404 .*: building from source", machine.text)
        assert machine.install(pinned())
    assert len(stand_in.requests) == 2


def test_answer_without_a_length_is_built(tmp_path: Path) -> None:
    def endless(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(content[:10])
        request.close_connection = True

    with serving(CONTENT, endless) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert not machine.install(pinned())
    assert "states no length: building from source" in machine.text
    assert machine.left == []


@pytest.mark.parametrize("source", [Source.AUTO, Source.DOWNLOAD])
def test_wrong_checksum_is_an_error_and_never_built(tmp_path: Path, source: Source) -> None:
    other = CONTENT[:-1] + b"!"
    with serving(other, whole) as stand_in:
        machine = Machine(tmp_path, stand_in, source)
        with pytest.raises(WrongContent) as failure:
            machine.install(pinned())
    assert f"{stand_in.url}/{FILE}: expected sha256 {pinned().sha256}" in str(failure.value)
    assert f"found {hashlib.sha256(other).hexdigest()}" in str(failure.value)
    assert f"{SOURCE}=build" in str(failure.value)
    assert machine.left == []


def test_file_beyond_the_limit_of_size_is_an_error_before_it_is_stored(tmp_path: Path) -> None:
    with serving(CONTENT, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        with pytest.raises(WrongContent, match=f"{len(CONTENT)} bytes, more than any released"):
            machine.install(pinned(), Limits(size=1000))
    assert machine.left == []


@pytest.mark.parametrize("answer", [half, status(404), status(503)])
def test_failed_download_is_an_error_where_a_download_was_demanded(
    tmp_path: Path, answer: Answer
) -> None:
    with serving(CONTENT, answer) as stand_in:
        machine = Machine(tmp_path, stand_in, Source.DOWNLOAD)
        with pytest.raises(DownloadFailed, match=re.escape(f"{stand_in.url}/{FILE}: ")):
            machine.install(pinned())
    assert machine.left == []


def surprising() -> Iterator[tarfile.TarInfo]:
    for name, kind in (
        ("../outside", tarfile.REGTYPE),
        ("/absolute", tarfile.REGTYPE),
        ("a/kubelet", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("device", tarfile.CHRTYPE),
    ):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        yield entry


def test_only_the_named_member_of_an_archive_is_written(tmp_path: Path) -> None:
    content = archive({"etcd-v1/etcd": CONTENT, "etcd-v1/late": b"more"}, *surprising())
    with serving(content, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        assert machine.install(pinned(content, "etcd-v1/etcd"))
    assert machine.target.read_bytes() == CONTENT
    assert machine.left == [machine.target.parent, machine.target]
    assert {path.name for path in tmp_path.iterdir()} <= {"bin", "unreachable"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive({"other": b"x"}), "kubelet is not in the archive, which has other"),
        (archive({}, *surprising()), "kubelet is not in the archive, which has ../outside"),
        (b"no archive", "not a readable tar.gz"),
        (archive({"kubelet": CONTENT})[:200], "not a readable tar.gz"),
        (archive({"kubelet": random.Random(0).randbytes(300_000)})[:-9_000], "not a readable"),
    ],
    ids=["missing", "surprising", "no-archive", "cut", "cut-in-the-file"],
)
def test_archive_without_the_named_file_is_an_error(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with serving(content, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        with pytest.raises(WrongContent, match=re.escape(f"{stand_in.url}/{FILE}: {reason}")):
            machine.install(pinned(content, "kubelet"))
    assert machine.left == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_named_member_that_is_a_link_or_device_is_an_error(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("kubelet")
    entry.type, entry.linkname = kind, "/etc/passwd"
    content = archive({}, entry)
    with serving(content, whole) as stand_in:
        machine = Machine(tmp_path, stand_in)
        with pytest.raises(WrongContent, match="kubelet is not a file in the archive"):
            machine.install(pinned(content, "kubelet"))
    assert machine.left == []


def test_archive_is_read_only_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(archive({"first": bytes(3_000_000), "kubelet": CONTENT}))
    with pytest.raises(WrongContent, match="larger than any release"):
        releases.archives.extract(path, "kubelet", tmp_path / "kubelet", limit=1_000_000)
    assert not (tmp_path / "kubelet").exists()


def test_build_is_forced_without_a_request(tmp_path: Path) -> None:
    with serving(CONTENT, whole) as stand_in:
        machine = Machine(tmp_path, stand_in, Source.BUILD)
        assert not machine.install(pinned())
    assert stand_in.requests == []
    assert stand_in.probes == []
    assert machine.text == ""


def test_tool_is_downloaded_through_the_mirror_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releases, "find", lambda tool, version: pinned())
    monkeypatch.setattr(binaries, "_build", lambda *_: pytest.fail("built"))
    with serving(CONTENT, whole) as stand_in:
        monkeypatch.setenv(SOURCE, "auto")
        monkeypatch.setenv(MIRROR, f"{stand_in.url}/files/")
        assert binaries.downloadable("kubelet")
        assert binaries.find("kubelet").read_bytes() == CONTENT
        assert binaries.find("kubelet") == binaries.place("kubelet")
    assert [path for path, _ in stand_in.requests] == [f"/files/{FILE}"]
    assert binaries.place("kubelet").is_relative_to(paths.cache())


def test_tool_without_a_pinned_release_is_built_even_if_a_download_is_demanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[str] = []
    monkeypatch.setattr(binaries, "_build", lambda names, progress: built.extend(names))
    monkeypatch.setenv(SOURCE, "download")
    binaries.find("coredns")
    assert built == ["coredns"]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({SOURCE: "yes"}, "CANARIUM_SANDBOX_BINARIES: 'yes' is not one of auto, build, download"),
        ({MIRROR: "mirror.local"}, "CANARIUM_SANDBOX_MIRROR: 'mirror.local' is not a URL such as"),
        ({MIRROR: "ftp://mirror.local"}, "CANARIUM_SANDBOX_MIRROR: 'ftp://mirror.local' is not"),
    ],
)
def test_wrong_setting_is_refused_with_the_name_of_its_variable(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Settings.of(environment)


@pytest.mark.parametrize("tool", sorted(pins()))
def test_each_pin_is_a_file_of_the_version_that_would_be_built(tool: str) -> None:
    version = binaries.version(binaries.TOOLS[tool])
    for architecture, release in pins()[tool].items():
        assert architecture in ("amd64", "arm64")
        assert release.version == version
        assert re.match(r"https://(dl\.k8s\.io|github\.com)/", release.url)
        assert f"/{version}/" in release.url
        assert re.fullmatch("[0-9a-f]{64}", release.sha256)
        assert (release.member is None) is not release.url.endswith((".tar.gz", ".tgz"))
