"""A transition of a rollout as the status keeps it for the notifier (R28)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from canarium.api.status.part import StatusPart, Time

#: How many transitions the status keeps: what a notifier that was down can still deliver.
KEPT = 16
#: Maximum length of a message; the status has the whole of it.
MESSAGE_LENGTH = 300


class TransitionType(StrEnum):
    """What happened; sinks select by it."""

    STARTED = "Started"
    WEIGHT_IN_EFFECT = "WeightInEffect"
    PAUSED = "Paused"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    WAITING_FOR_PROMOTION = "WaitingForPromotion"
    PROMOTED = "Promoted"
    COMPLETED = "Completed"
    ROLLED_BACK = "RolledBack"
    UNDONE = "Undone"
    BLOCKED = "Blocked"
    UNAVAILABLE = "Unavailable"
    AVAILABLE = "Available"
    STANDBY_SERVING = "StandbyServing"
    STABLE_RECOVERED = "StableRecovered"


class Transition(StatusPart):
    """One step of a rollout. Its time identifies it: no two of a model have the same."""

    time: Time = Field(description="When it was decided; later than every transition before it.")
    type: str = Field(description=f"What happened, one of {', '.join(TransitionType)}.")
    revision: str | None = Field(None, description="The revision that it is about.")
    version: str | None = Field(None, description="Its spec.model.version.")
    weight: int | None = Field(None, description="Percentage of the traffic for the candidate.")
    reason: str | None = Field(
        None, description="Why a version failed, a rollout is blocked, or no version serves."
    )
    message: str = Field("", description="Explanation for people, shortened to 300 characters.")
