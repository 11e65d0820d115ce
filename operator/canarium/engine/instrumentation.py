"""What the engine reports to a sink for metrics. Every call must be cheap and must not fail."""

from __future__ import annotations

from typing import Protocol

#: Namespace and name of a model.
Key = tuple[str, str]


class Observer(Protocol):
    """Receives events of queue and workers; all times are in seconds."""

    def dequeued(self, urgency: str, waited: float) -> None:
        """Reports that a key was handed to a worker after it had been due for `waited`."""

    def reconciled(self, result: str, took: float) -> None:
        """Reports the end of a reconcile: `done`, `retried` after an error of the API, `failed`."""

    def ended(self, key: Key, outcome: str, reason: str, took: float | None) -> None:
        """Reports the end of a rollout, with outcome and reason in the status' history, and how
        long it took, if that is known."""

    def commanded(self, command: str, result: str) -> None:
        """Reports a processed command and its result."""

    def rolled_back(self, delay: float) -> None:
        """Reports that traffic was taken off a failed version, `delay` after its failure was
        noticed."""

    def deleted(self, key: Key) -> None:
        """Reports that a model is deleted. May be called more than once."""


class Unobserved:
    """Discards everything."""

    def dequeued(self, urgency: str, waited: float) -> None: ...

    def reconciled(self, result: str, took: float) -> None: ...

    def ended(self, key: Key, outcome: str, reason: str, took: float | None) -> None: ...

    def commanded(self, command: str, result: str) -> None: ...

    def rolled_back(self, delay: float) -> None: ...

    def deleted(self, key: Key) -> None: ...
