"""Gates of a revision, and their results."""

from __future__ import annotations

from pydantic import Field

from canarium.api.states import GateKind, GateState
from canarium.api.status.part import StatusPart, Time


class GateStatus(StatusPart):
    """A gate of a revision, and its result."""

    name: str = Field(description="Name of the gate.")
    kind: str = Field(description=f"Kind of the gate, one of {', '.join(GateKind)}.")
    before: str = Field(description="What the gate holds: Traffic, Weight, Promotion or Finish.")
    weight: int | None = Field(None, description="Weight that the gate holds.")
    state: GateState = Field(description=f"State of the gate, one of {', '.join(GateState)}.")
    start_time: Time | None = Field(None, description="When the gate started to wait.")
    time: Time | None = Field(None, description="When the gate got its result.")
    by: str | None = Field(
        None,
        description="User who decided, as verified by the admission policy, scheme and host of "
        "the system that answered, or the Job that ended.",
    )
    message: str | None = Field(
        None,
        description="Comment on the decision, what a system has answered so far, how far a Job is, "
        "or its termination message.",
    )
    results: str | None = Field(
        None, description="Results that a Job wrote to its termination message, as JSON."
    )
