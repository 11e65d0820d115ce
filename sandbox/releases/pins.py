"""The released binaries that can be downloaded: `pins.toml` has them with their checksums."""

from __future__ import annotations

import platform
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PINS = Path(__file__).with_name("pins.toml")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Release:
    """A file of a release. It is the binary, or a tar.gz whose `member` is."""

    version: str
    url: str
    sha256: str
    member: str | None = None


@cache
def pins() -> dict[str, dict[str, Release]]:
    """All releases, by tool and architecture (amd64, arm64)."""
    table = tomllib.loads(_PINS.read_text())
    return {
        tool: {architecture: Release(**entry) for architecture, entry in entries.items()}
        for tool, entries in table.items()
    }


def find(tool: str, version: str) -> Release | None:
    """The release of a tool, such as kubelet and v1.36.3, for this machine.

    None for another system than Linux, and where that version has no pinned checksum: such a tool
    is built from source.
    """
    if sys.platform != "linux":
        return None
    architecture = _ARCHITECTURES.get(platform.machine().lower(), "")
    release = pins().get(tool, {}).get(architecture)
    return release if release and release.version == version else None
