"""Kind and name of an object in the namespace of the model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class ObjectRef:
    """An object, as messages name it: `Kind/name`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def status_text(self) -> str:
        """The form of the status and of `Rejection.what`: `Kind name`."""
        return f"{self.kind} {self.name}"
