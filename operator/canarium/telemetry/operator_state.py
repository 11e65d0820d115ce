"""State of the operator that is read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """How the parts of the operator are at the moment; times are in seconds."""

    queue_depth: Callable[[], int]
    queue_oldest: Callable[[], float]
    oldest_watch: Callable[[], float]
    leading: Callable[[], bool]
    #: The phase of each model.
    phases: Callable[[], Iterable[str]]
    #: For how long each current reconcile has been running.
    running: Callable[[], Iterable[float]] = tuple
    #: The most reconciles at once.
    workers: int = 0
    #: Host and port of the API server.
    server: str = ""
    #: The name of the Lease.
    lease: str = ""
    #: How many shards this process leads; None where one process leads all.
    shards: Callable[[], int] | None = None
