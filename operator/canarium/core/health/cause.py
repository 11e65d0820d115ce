"""Why a revision fails, with the evidence that the status keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason, a sentence about it, and the pod and numbers that show it."""

    reason: str
    message: str
    pod: str | None = None
    container: str | None = None
    observed: str | None = None
    threshold: str | None = None
    samples: int | None = None
