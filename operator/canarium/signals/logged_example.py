"""The input example that was logged with a model, for smoke tests with `fromSignature`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from canarium.api.reasons import CheckReason
from canarium.core.facts.training_run import RunRequest


@dataclass(frozen=True, slots=True)
class LoggedExample:
    """The example as stored, how it is stored, and the signature of the model (JSON)."""

    kind: str
    content: bytes = field(repr=False)
    signature: bytes = field(repr=False)


class NoExample(Exception):
    """There is no example to send; the message states why."""

    def __init__(self, text: str, reason: CheckReason) -> None:
        super().__init__(text)
        self.reason = reason


class ExampleReader(Protocol):
    """Reads the example of a version."""

    async def read(self, namespace: str, version: RunRequest) -> LoggedExample:
        """Raises NoExample."""


def protocol(path: str | None) -> str | None:
    """Returns the protocol that a server speaks at `path`, as the evaluation names it; None for a
    path of none of the three."""
    path = (path or "").partition("?")[0]
    if path.endswith("/invocations"):
        return "MLflow"
    if path.endswith(":predict"):
        return "V1"
    return "V2" if path.endswith("/infer") else None
