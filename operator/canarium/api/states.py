"""Words of the status that are enumerated but are not reasons."""

from __future__ import annotations

from enum import StrEnum


class PauseSource(StrEnum):
    """What pauses steps and bake: `spec.paused`, or the command `pause`."""

    SPEC = "Spec"
    COMMAND = "Command"


class Phase(StrEnum):
    """Summary of a model for people; `core.phases.table` defines when each applies."""

    PENDING = "Pending"
    INVALID = "Invalid"
    FAILED = "Failed"
    STARTING = "Starting"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    PROGRESSING = "Progressing"
    BAKING = "Baking"
    READY = "Ready"
    DEGRADED = "Degraded"
    TERMINATING = "Terminating"


class OutcomeKind(StrEnum):
    """How a revision ended or was promoted."""

    PROMOTED = "Promoted"
    #: It became stable because no other version served, before its rollout was complete.
    TOOK_OVER = "TookOver"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"
    SUPERSEDED = "Superseded"
    WITHDRAWN = "Withdrawn"
    UNDONE = "Undone"


class GateKind(StrEnum):
    """Who decides about a gate (R27)."""

    APPROVAL = "Approval"
    WEB = "Web"
    JOB = "Job"


class JobState(StrEnum):
    """How far the Job of a gate is (R27). It is never published."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    #: It was stopped without a result: by an eviction, or by its deadline.
    LOST = "Lost"


class GateState(StrEnum):
    """How far a gate of a revision is (R27)."""

    PENDING = "Pending"
    WAITING = "Waiting"
    PASSED = "Passed"
    REJECTED = "Rejected"
    TIMED_OUT = "TimedOut"


class RegistryState(StrEnum):
    """How a version stands in this cluster, as its tag in the registry shows it."""

    #: It serves: all traffic was moved to it.
    PROMOTED = "Promoted"
    #: It was promoted, and another version serves now.
    REPLACED = "Replaced"
    #: It failed, and an earlier version serves.
    ROLLED_BACK = "RolledBack"
    #: It failed, and no version was there before it.
    FAILED = "Failed"


class CommandOutcome(StrEnum):
    """What the operator made of a command."""

    ACCEPTED = "Accepted"
    IGNORED = "Ignored"
