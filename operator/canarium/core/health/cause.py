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

    @property
    def place(self) -> tuple[str, str | None]:
        """The pod and container that show it, or the reason where no pod does."""
        return (self.pod, self.container) if self.pod else (self.reason, None)
