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

    type: str = Field(
        description="Available, Ready, Progressing, RolledBack, Reconciling or Stalled."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(description="Why, in one CamelCase word.")
    message: str = Field("", description="Why, in a sentence.")
    last_transition_time: str = Field(description="When `status` last changed.")
    observed_generation: int | None = Field(
        None, description="The metadata.generation that this was found for."
    )


class RevisionStatus(StatusPart):
    """A revision that has a part in serving now."""

    revision: str = Field(description="The revision's name.")
    version: str | None = Field(None, description="Its spec.model.version.")
    color: str | None = Field(None, description="The colour that its pods carry.")
    replicas: int = Field(0, description="Pods wanted.")
    ready: int = Field(0, description="Pods ready.")
    weight: int = Field(0, description="Percent of the traffic wanted.")
    effective_weight: int = Field(0, description="Percent that the ready pods really give.")


class Failure(StatusPart):
    """Why a revision is quarantined (R9)."""

    revision: str = Field(description="The revision that failed.")
    reason: str = Field(description="The cause, in one CamelCase word.")
    message: str = Field(description="The cause, in a sentence.")
    at: str = Field(description="When it was found.")
    pod: str | None = Field(None, description="The pod that showed it.")
    container: str | None = Field(None, description="The container that showed it.")


class Outcome(StatusPart):
    """A revision that has ended, newest first in the history."""

    revision: str = Field(description="The revision's name.")
    version: str | None = Field(None, description="Its spec.model.version.")
    outcome: Literal["Promoted", "RolledBack", "Failed", "Superseded", "Withdrawn", "Undone"] = (
        Field(description="How it ended.")
    )
    reason: str = Field("", description="Why, in one CamelCase word.")
    at: str = Field(description="When it ended.")


class Progress(StatusPart):
    """Where the rollout of the candidate stands; gone when there is none."""

    step: int = Field(0, description="Index of the step, from 0; its number when all are done.")
    weight: int = Field(0, description="Percent that has been reached.")
    step_since: str | None = Field(None, description="When the step's weight took effect.")
    waiting_since: str | None = Field(None, description="Since when pods are waited for.")
    waited: float = Field(0, description="Seconds spent waiting for pods before that.")


class Status(StatusPart):
    """The status subresource."""

    observed_generation: int = Field(
        0, description="The metadata.generation that this status was made for."
    )
    phase: str = Field("Pending", description="For people to read; tools read the conditions.")
    message: str = Field("", description="What is going on, in a sentence.")
    version: str | None = Field(None, description="The version that serves.")
    weight: int | None = Field(None, description="Percent of the traffic at the candidate.")
    replicas: int = Field(0, description="Pods wanted, of all revisions.")
    ready_replicas: int = Field(0, description="Pods ready, of all revisions.")
    selector: str = Field("", description="Selects the model's pods; for the scale subresource.")
    stable: RevisionStatus | None = Field(None, description="The revision that was promoted.")
    candidate: RevisionStatus | None = Field(None, description="The revision on its way.")
    previous: RevisionStatus | None = Field(None, description="Kept warm while baking.")
    progress: Progress | None = Field(None, description="Where the candidate's rollout stands.")
    bake_since: str | None = Field(
        None, description="Since when the version before is kept warm after a promotion."
    )
    stable_down_since: str | None = Field(None, description="Since when stable has no ready pod.")
    failure: Failure | None = Field(
        None, description="Why the wanted revision is quarantined; gone when another is wanted."
    )
    conditions: tuple[Condition, ...] = Field(
        (), description="What tools read: Available, Ready, Progressing, RolledBack and kstatus'."
    )
    history: tuple[Outcome, ...] = Field((), description="How revisions ended, the newest first.")
