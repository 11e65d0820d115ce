"""What the engine reports to a sink for metrics. Every call must be cheap and must not fail."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Receives events of queue and workers; all times are in seconds."""

    def dequeued(self, urgency: str, waited: float) -> None:
        """Reports that a key was handed to a worker after it had been due for `waited`."""

    def reconciled(self, result: str, took: float) -> None:
        """Reports the end of a reconcile: `done`, `retried` after an error of the API, `failed`."""

    def ended(self, outcome: str) -> None:
        """Reports the end of a rollout, with the outcome in the status' history."""


class Unobserved:
    """Discards everything."""

    def dequeued(self, urgency: str, waited: float) -> None: ...

    def reconciled(self, result: str, took: float) -> None: ...

    def ended(self, outcome: str) -> None: ...
