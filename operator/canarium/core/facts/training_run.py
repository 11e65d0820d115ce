"""Facts about the training run from which a model was registered: its lineage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request for the lineage of a revision: the URI of its version or run, which cannot move,
    the address of the tracking server, and the Secret with credentials."""

    revision: str
    uri: str
    endpoint: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What the tracking server knows, as a JSON object, or in it why that is unavailable."""

    request: RunRequest
    document: str
