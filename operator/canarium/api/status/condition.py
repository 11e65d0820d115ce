"""Conditions, which tools read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from canarium.api.reasons import ConditionType
from canarium.api.status.part import StatusPart, Time


class Condition(StatusPart):
    """A condition, by the API conventions of Kubernetes."""

    type: str = Field(description=f"One of {', '.join(ConditionType)}.")
    status: Literal["True", "False", "Unknown"] = Field(
        description="Status of the condition: True, False or Unknown."
    )
    reason: str = Field(description="Reason for it, in CamelCase.")
    message: str = Field("", description="Explanation for people.")
    last_transition_time: Time = Field(description="When the status of the condition last changed.")
    observed_generation: int | None = Field(
        None, description="The metadata.generation that the condition is based on."
    )
