"""The API server's audit log: who asked for what, exactly. One JSON event per line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request. Times are POSIX seconds, `code` the HTTP status."""

    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def writes(self) -> bool:
        return self.verb in WRITES


class Rotated(RuntimeError):
    """The log is another file than at the mark: what was logged in between is not all in it."""


class AuditLog:
    """The log from the moment that `mark` was called last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._file: int | None = None

    def mark(self) -> None:
        """Forgets what was logged so far."""
        about = self._path.stat() if self._path.exists() else None
        self._offset, self._file = (about.st_size, about.st_ino) if about else (0, None)

    def calls(self) -> list[Call]:
        """All calls since `mark`; requests that still run (watches) are in it when they end.

        Raises Rotated.
        """
        return list(self._read())

    def _read(self) -> Iterator[Call]:
        with self._path.open("rb") as log:
            about = os.fstat(log.fileno())
            if self._file not in (None, about.st_ino) or about.st_size < self._offset:
                raise Rotated(f"{self._path} was rotated during the measurement")
            log.seek(self._offset)
            for line in log:
                if line.endswith(b"\n"):
                    call = parse(orjson.loads(line))
                    if call:
                        yield call


def parse(event: dict[str, Any]) -> Call | None:
    """Returns the call of an event; None for one that is not about an object or has not ended.

    A dry run stores nothing and triggers no watch: it has a separate verb and is not a write.
    """
    about = event.get("objectRef")
    if event.get("stage") != "ResponseComplete" or not about:
        return None
    sub = about.get("subresource")
    return Call(
        agent=event.get("userAgent", "").split("/")[0],
        verb=f"dry-run {event['verb']}" if "dryRun=" in event["requestURI"] else event["verb"],
        resource=f"{about['resource']}/{sub}" if sub else about["resource"],
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        received=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
    )


def tally(calls: list[Call], agents: frozenset[str]) -> Counter[tuple[str, str]]:
    """Returns the calls of `agents` by verb and resource, without those for their Lease."""
    return Counter(
        (call.verb, call.resource)
        for call in calls
        if call.agent in agents and call.resource != "leases"
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
