"""The report of a fetch: one line of JSON in the container's termination message."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from canarium.fetch.errors import FetchError

#: The kubelet keeps 4,096 bytes.
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that is in its place. `signature`: who signed it, and what, if that was
    verified."""

    digest: str
    files: int
    size: int
    signature: Mapping[str, str] | None = None

    def note(self) -> dict[str, object]:
        note: dict[str, object] = {
            "digest": self.digest,
            "files": self.files,
            "bytes": self.size,
        }
        if self.signature:
            note["signature"] = dict(self.signature)
        return note


def write(path: Path | None, outcome: Fetched | FetchError, hide: object = None) -> None:
    """Writes the line, or nothing if `path` is None or not writable."""
    if isinstance(outcome, FetchError):
        text = outcome.sentence
        if callable(hide):
            text = str(hide(text))
        line = _encoded({"reason": outcome.reason, "message": text})
        while len(line) > _LONGEST:
            # Not by as much as it is too long: a letter may be six bytes of JSON.
            text = text[: len(text) - max(1, (len(line) - _LONGEST) // 6)]
            line = _encoded({"reason": outcome.reason, "message": text})
    else:
        line = _encoded(outcome.note())
    if path is not None:
        with contextlib.suppress(OSError):
            path.write_bytes(line)


def _encoded(note: dict[str, object]) -> bytes:
    text = json.dumps(note, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "replace")
