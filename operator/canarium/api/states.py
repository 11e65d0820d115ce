"""Words of the status that are enumerated but are not reasons."""

from __future__ import annotations

from enum import StrEnum


class PauseSource(StrEnum):
    """What pauses steps and bake: `spec.paused`, or the command `pause`."""

    SPEC = "Spec"
    COMMAND = "Command"
