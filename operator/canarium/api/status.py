"""The status of a `ModelDeployment`: all that the operator remembers, and what people read.

No field churns: times change only with the transition that they name.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class StatusPart(BaseModel):
    """A part of the status: lenient, since an older operator may read what a newer one wrote."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


class Condition(StatusPart):
    """A condition as the API conventions have it."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str
    observed_generation: int | None = None


class RevisionStatus(StatusPart):
    """A revision that has a part in serving now."""

    revision: str
    version: str | None = None
    color: str | None = None
    replicas: int = Field(0, description="Pods wanted.")
    ready: int = Field(0, description="Pods ready.")
    weight: int = Field(0, description="Percent of the traffic wanted.")
    effective_weight: int = Field(0, description="Percent that the ready pods really give.")


class Failure(StatusPart):
    """Why a revision is quarantined (R9)."""

    revision: str
    reason: str
    message: str
    at: str
    pod: str | None = None
    container: str | None = None


class Outcome(StatusPart):
    """A revision that has ended, newest first in the history."""

    revision: str
    version: str | None = None
    outcome: Literal["Promoted", "RolledBack", "Failed", "Superseded", "Withdrawn", "Undone"]
    reason: str = ""
    at: str


class Progress(StatusPart):
    """Where the rollout of the candidate stands; gone when there is none."""

    step: int = Field(0, description="Index of the step, from 0; its number when all are done.")
    weight: int = Field(0, description="Percent that has been reached.")
    step_since: str | None = Field(None, description="When the step's weight took effect.")
    waiting_since: str | None = Field(None, description="Since when pods are waited for.")
    waited: float = Field(0, description="Seconds spent waiting for pods before that.")


class Status(StatusPart):
    """The status subresource."""

    observed_generation: int = 0
    phase: str = "Pending"
    message: str = ""
    version: str | None = Field(None, description="The version that serves.")
    weight: int | None = Field(None, description="Percent of the traffic at the candidate.")
    replicas: int = 0
    ready_replicas: int = 0
    selector: str = ""
    stable: RevisionStatus | None = None
    candidate: RevisionStatus | None = None
    previous: RevisionStatus | None = Field(None, description="Kept warm while baking.")
    progress: Progress | None = None
    bake_since: str | None = None
    stable_down_since: str | None = Field(None, description="Since when stable has no ready pod.")
    failure: Failure | None = None
    conditions: tuple[Condition, ...] = ()
    history: tuple[Outcome, ...] = ()
