"""A control plane starts from binaries that were downloaded, here from a local server."""

from __future__ import annotations

import functools
import hashlib
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox import binaries, releases
from sandbox.controlplane import ControlPlane
from sandbox.releases import Release
from sandbox.releases.settings import MIRROR, SOURCE

NAMES = ("etcd", "kube-apiserver")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a server on loopback that has the files of a folder."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def published(name: str, mirror: Path) -> Release:
    """The release of a tool with its real URL, whose file has the binary of this machine."""
    binary = binaries.find(name)
    version = binaries.version(binaries.TOOLS[name])
    pinned = releases.pins.pins()[name]["amd64"]
    file = mirror / pinned.url.partition("://")[2]
    file.parent.mkdir(parents=True)
    if pinned.member:
        with tarfile.open(file, "w:gz", compresslevel=1) as tar:
            tar.add(binary, pinned.member)
    else:
        file.symlink_to(binary)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Release(version, pinned.url, digest, pinned.member)


def test_control_plane_starts_from_downloaded_binaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: published(name, tmp_path / "mirror") for name in NAMES}
    monkeypatch.setattr(releases, "find", lambda name, version: found[name])
    monkeypatch.setattr(binaries, "_build", lambda name, *_: pytest.fail(f"{name} was built"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(SOURCE, "download")
    plane = ControlPlane(tmp_path / "plane", controllers=False)
    with served(tmp_path / "mirror") as url:
        monkeypatch.setenv(MIRROR, url)
        try:
            plane.up()
            version = plane.api.get("/version")
        finally:
            plane.down()
    assert version is not None
    assert version["gitVersion"] == found["kube-apiserver"].version
    downloaded = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert downloaded == sorted(NAMES)
