"""The archive format that `docker load`, `kind load` and `ctr images import` take."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.images.layers import Layer

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_BEGINNING = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Image:
    """A tag, its layers from the lowest up, and how its process is started."""

    tag: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    working_dir: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The image's id: the SHA-256 of its configuration, in hex."""
        return hashlib.sha256(self.config()).hexdigest()

    def config(self) -> bytes:
        """The image's configuration, as JSON."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        env = {"PATH": path, **self.env}
        process: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.cmd) or None,
            "User": self.user,
            "WorkingDir": self.working_dir,
            "Labels": dict(self.labels) or None,
        }
        machine = platform.machine()
        document = {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": _BEGINNING,
            "config": process,
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers],
            },
            "history": [{"created": _BEGINNING} for _ in self.layers],
        }
        return json.dumps(document, sort_keys=True).encode()


def write_archive(path: Path, images: Sequence[Image]) -> Path:
    """Writes one archive with all `images`; a layer that several share is in it once.

    The same images give the same bytes. Returns `path`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    manifest = []
    with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        layers = {layer.digest: layer for image in images for layer in image.layers}
        for digest, layer in sorted(layers.items()):
            entry = _entry(f"{digest}.tar", layer.path.stat().st_size)
            with layer.path.open("rb") as content:
                archive.addfile(entry, content)
        configs: set[str] = set()
        for image in images:
            config, name = image.config(), f"{image.identity}.json"
            if name not in configs:
                configs.add(name)
                archive.addfile(_entry(name, len(config)), io.BytesIO(config))
            stack = [f"{layer.digest}.tar" for layer in image.layers]
            manifest.append({"Config": name, "RepoTags": [image.tag], "Layers": stack})
        text = json.dumps(manifest).encode()
        archive.addfile(_entry("manifest.json", len(text)), io.BytesIO(text))
    unfinished.replace(path)
    return path


def identities(path: Path) -> dict[str, str]:
    """The tags in an archive, each with its image's id."""
    with tarfile.open(path) as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        manifest = json.load(content)
    return {
        tag: Path(entry["Config"]).stem for entry in manifest for tag in entry["RepoTags"] or ()
    }


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry
