"""What the engine tells whoever measures it. Every call must be cheap and must not fail."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told of the work of the queue; all times are seconds."""

    def taken(self, urgency: str, waited: float) -> None:
        """A key was handed to a worker after it had been due for `waited`."""

    def reconciled(self, result: str, took: float) -> None:
        """A reconcile ended: `done`, `retried` after an answer of the API, or `failed`."""

    def ended(self, outcome: str) -> None:
        """A revision's rollout ended, as the history in the status has it."""


class Unobserved:
    """Nobody measures."""

    def taken(self, urgency: str, waited: float) -> None: ...

    def reconciled(self, result: str, took: float) -> None: ...

    def ended(self, outcome: str) -> None: ...
