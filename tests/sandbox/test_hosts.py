"""A host that does not answer is waited for once, by one process."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from release_server import serving, whole
from sandbox.progress import Progress
from sandbox.releases import Hosts, Release, Settings, Source, hosts, install


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed() -> str:
    """The URL of a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_host_that_answers_is_reachable_with_any_status(tmp_path: Path) -> None:
    with serving(b"", whole) as stand_in:
        stand_in.probe_status = 404
        assert Hosts(tmp_path).reachable(f"{stand_in.url}/file")
    assert stand_in.probes == ["/file"]
    assert list(tmp_path.iterdir()) == []


def test_silent_host_is_waited_for_once_in_all_processes(tmp_path: Path, silent: str) -> None:
    first = Hosts(tmp_path, patience=0.3)
    begun = time.monotonic()
    assert not first.reachable(f"{silent}/one")
    waited = time.monotonic() - begun
    assert 0.25 < waited < 3
    another_process = Hosts(tmp_path, patience=60)
    begun = time.monotonic()
    assert not first.reachable(f"{silent}/two")
    assert not another_process.reachable(f"{silent}/one")
    assert time.monotonic() - begun < 0.2


def test_slow_name_resolution_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> None:
        time.sleep(2)
        raise OSError("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    begun = time.monotonic()
    assert not Hosts(tmp_path, patience=0.2).reachable("https://slow.example.org/file")
    assert time.monotonic() - begun < 1.5


def test_failure_is_forgotten_after_ten_minutes(tmp_path: Path) -> None:
    with serving(b"", whole) as stand_in:
        Hosts(tmp_path).give_up(stand_in.url)
        assert not Hosts(tmp_path).reachable(stand_in.url)
        (record,) = tmp_path.iterdir()
        past = time.time() - hosts._REMEMBERED - 1
        os.utime(record, (past, past))
        assert Hosts(tmp_path).reachable(stand_in.url)


def test_unreachable_host_leads_to_builds_and_one_line(tmp_path: Path) -> None:
    url = closed()
    reached = Hosts(tmp_path / "unreachable")
    printed = io.StringIO()
    for name in ("kube-apiserver", "kubelet"):
        release = Release("v1.0.0", f"https://dl.example.org/{name}", "0" * 64)
        target = tmp_path / "bin" / name / name
        settings = Settings(Source.AUTO, url)
        assert not install(release, target, settings, reached, Progress(printed))
    host = url.removeprefix("http://")
    assert printed.getvalue() == (
        f"sandbox: {host} cannot be reached: building from source "
        "(CANARIUM_SANDBOX_BINARIES, CANARIUM_SANDBOX_MIRROR)\n"
    )
    assert not (tmp_path / "bin").exists()
