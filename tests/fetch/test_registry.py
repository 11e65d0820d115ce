"""Fetching from a real OCI registry: artifacts of files, packed folders, and images of files."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher, answers, free_port
from sandbox.binaries import find

TITLE = "org.opencontainers.image.title"


class Registry:
    """The registry of go-containerregistry on a port of loopback."""

    def __init__(self) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [str(find("crane")), "registry", "serve", "--address", self.host],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        answers(f"http://{self.host}/v2/")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def push(self, repository: str, tag: str, *layers: dict[str, Any]) -> str:
        """An artifact of `layers` (content, mediaType, annotations); its manifest's digest."""
        described = [
            {
                "mediaType": layer.get("mediaType", "application/octet-stream"),
                "digest": self._blob(repository, layer["content"]),
                "size": len(layer["content"]),
                "annotations": layer.get("annotations", {}),
            }
            for layer in layers
        ]
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2}
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind,
                "artifactType": "application/vnd.example.model",
                "config": {**empty, "digest": self._blob(repository, b"{}")},
                "layers": described,
            }
        ).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def _blob(self, repository: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content)
        return digest

    def _send(
        self, method: str, path: str, content: bytes, kind: str = "application/octet-stream"
    ) -> None:
        request = urllib.request.Request(f"http://{self.host}{path}", content, method=method)
        request.add_header("Content-Type", kind)
        urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.stop()


def packed(tree: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_an_artifact_of_files_by_tag_and_by_digest(fetcher: Fetcher, registry: Registry) -> None:
    manifest = registry.push(
        "models/fraud",
        "7",
        {"content": b"one", "annotations": {TITLE: "MLmodel"}},
        {"content": b"two" * 9_000_000, "annotations": {TITLE: "data/weights"}},
    )
    for reference in (":7", f"@{manifest}", f":7@{manifest}"):
        uri = f"oci://{registry.host}/models/fraud{reference}"
        done = fetcher.run(uri, "--endpoint", f"http://{registry.host}")
        assert done.code == 0, done.output
        assert done.report["resolved"] == manifest
        assert fetcher.files() == {"MLmodel": b"one", "data/weights": b"two" * 9_000_000}


def test_a_packed_folder_and_the_layers_of_an_image(fetcher: Fetcher, registry: Registry) -> None:
    layer = "application/vnd.oci.image.layer.v1.tar+gzip"
    folder = {"content": packed({"m/a": b"a"}), "mediaType": layer}
    folder["annotations"] = {TITLE: "m", "io.deis.oras.content.unpack": "true"}
    registry.push("models/folder", "1", folder)
    uri, options = f"oci://{registry.host}/models", ("--endpoint", f"http://{registry.host}")
    assert fetcher.run(f"{uri}/folder:1", *options).code == 0
    assert fetcher.files() == {"m/a": b"a"}
    lower = {"content": packed({"m/a": b"a", "m/b": b"b"}), "mediaType": layer}
    upper = {"content": packed({"m/.wh.a": b"", "m/c": b"c"}), "mediaType": layer}
    registry.push("models/image", "1", lower, upper)
    done = fetcher.run(f"{uri}/image:1", *options)
    assert done.code == 0, done.output
    assert fetcher.files() == {"m/b": b"b", "m/c": b"c"}


def test_hostile_titles_are_refused(fetcher: Fetcher, registry: Registry, tmp_path: Path) -> None:
    registry.push("models/evil", "1", {"content": b"x", "annotations": {TITLE: "../../evil"}})
    uri = f"oci://{registry.host}/models/evil:1"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}")
    assert (done.code, done.reason) == (10, "UnsafePath"), done.output
    assert not (tmp_path.parent / "evil").exists()


def test_a_missing_tag_says_so(fetcher: Fetcher, registry: Registry) -> None:
    uri = f"oci://{registry.host}/models/none:1"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}")
    assert (done.code, done.reason) == (10, "NotFound"), done.output


def test_a_docker_config_without_this_registry_says_so(
    fetcher: Fetcher, registry: Registry
) -> None:
    auth = base64.b64encode(b"me:hunter22").decode()
    config = {".dockerconfigjson": json.dumps({"auths": {"other.example": {"auth": auth}}})}
    uri = f"oci://{registry.host}/models/fraud:7"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}", secret=config)
    assert done.reason == "InvalidCredentials"
    assert "other.example" in done.report["message"]
    assert "hunter22" not in done.output
