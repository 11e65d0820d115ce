"""Kind and name of an object in the namespace of the model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class ObjectRef:
    """An object, as messages name it: `Kind/name`. It has no name before it is created."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" if self.name else self.kind

    @property
    def status_text(self) -> str:
        """The form of the status: `Kind name`."""
        return f"{self.kind} {self.name}" if self.name else self.kind


#: The pod of a new revision, which is created in a dry run before anything is stored.
TRIAL_POD = ObjectRef("Pod", "")
#: The record of a new revision whose pods cannot be described, such as by a template error.
UNRENDERED_RECORD = ObjectRef("ControllerRevision", "")
