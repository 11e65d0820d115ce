"""Fetching from a real OCI registry: artifacts of files, packed folders, and images of files."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from fetch.conftest import PYTHON, Fetcher
from fetch.registries import TITLE, Registry, packed


def test_artifact_of_files_by_tag_and_by_digest(fetcher: Fetcher, registry: Registry) -> None:
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
        assert fetcher.files() == {"MLmodel": b"one", "data/weights": b"two" * 9_000_000}


def test_packed_folder_and_the_layers_of_an_image(fetcher: Fetcher, registry: Registry) -> None:
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


def test_zstd_layers_and_archives_are_unpacked(fetcher: Fetcher, registry: Registry) -> None:
    code = "import sys; from backports import zstd; b = sys.stdin.buffer.read(); "
    code += "sys.stdout.buffer.write(zstd.compress(b))"
    plain = packed({"m/a": b"a" * 100_000}, "")
    small = subprocess.run([PYTHON, "-c", code], input=plain, stdout=subprocess.PIPE, check=True)
    assert len(small.stdout) < len(plain) // 10
    uri, options = f"oci://{registry.host}/models", ("--endpoint", f"http://{registry.host}")
    layer = "application/vnd.oci.image.layer.v1.tar+zstd"
    registry.push("models/zstd", "layer", {"content": small.stdout, "mediaType": layer})
    named = {"content": small.stdout, "annotations": {TITLE: "fraud.tar.zst"}}
    registry.push("models/zstd", "archive", named)
    for tag in ("layer", "archive"):
        done = fetcher.run(f"{uri}/zstd:{tag}", *options)
        assert done.code == 0, done.output
        assert fetcher.files() == {"m/a": b"a" * 100_000}


def test_hostile_titles_are_refused(fetcher: Fetcher, registry: Registry, tmp_path: Path) -> None:
    registry.push("models/evil", "1", {"content": b"x", "annotations": {TITLE: "../../evil"}})
    uri = f"oci://{registry.host}/models/evil:1"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}")
    assert (done.code, done.reason) == (10, "UnsafePath"), done.output
    assert not (tmp_path.parent / "evil").exists()


def test_missing_tag_is_reported(fetcher: Fetcher, registry: Registry) -> None:
    uri = f"oci://{registry.host}/models/none:1"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}")
    assert (done.code, done.reason) == (10, "NotFound"), done.output


def test_docker_config_without_the_registry_is_reported(
    fetcher: Fetcher, registry: Registry
) -> None:
    auth = base64.b64encode(b"me:hunter22").decode()
    config = {".dockerconfigjson": json.dumps({"auths": {"other.example": {"auth": auth}}})}
    uri = f"oci://{registry.host}/models/fraud:7"
    done = fetcher.run(uri, "--endpoint", f"http://{registry.host}", secret=config)
    assert done.reason == "InvalidCredentials"
    assert "other.example" in done.report["message"]
    assert "hunter22" not in done.output
