"""What the user asks for, by two environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

SOURCE = "CANARIUM_SANDBOX_BINARIES"
MIRROR = "CANARIUM_SANDBOX_MIRROR"


class Source(StrEnum):
    """Where binaries with a pinned release are from."""

    #: Downloaded where the host answers, else built.
    AUTO = "auto"
    #: Always built.
    BUILD = "build"
    #: Always downloaded: what cannot be downloaded is an error.
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Settings:
    """`mirror` is the URL of a server that has the files at `<mirror>/<host>/<path>`."""

    source: Source = Source.AUTO
    mirror: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in an environment. Raises ValueError, which names the variable."""
        source = environment.get(SOURCE) or Source.AUTO
        if source not in list(Source):
            raise ValueError(f"{SOURCE}: {source!r} is not one of {', '.join(Source)}")
        mirror = environment.get(MIRROR) or None
        if mirror is not None:
            parts = urlsplit(mirror)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(
                    f"{MIRROR}: {mirror!r} is not a URL such as https://mirror.example.org/files"
                )
        return cls(Source(source), mirror.rstrip("/") if mirror else None)

    def located(self, url: str) -> str:
        """Where a file is downloaded from: at the mirror, if there is one."""
        return f"{self.mirror}/{url.partition('://')[2]}" if self.mirror else url
