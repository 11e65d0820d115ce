"""The status of a `ModelDeployment`: all that the operator remembers, and what people read.

No field churns: times change only with the transition that they name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: RFC 3339 in UTC, as we write it: a status edited by hand to something else is not believed.
Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$",
        max_length=40,
        json_schema_extra={"format": "date-time"},
    ),
]

#: A pause as `core.facts.grant` writes it.
PauseText = Annotated[str, Field(pattern=r"^(Manual|[0-9]{1,12}(\.[0-9]{1,3})?s)$", max_length=32)]


class StatusPart(BaseModel):
    """A part of the status: lenient, since an older operator may read what a newer one wrote."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


class Condition(StatusPart):
    """A condition as the API conventions have it."""

    type: str = Field(
        description="Available, Ready, Progressing, RolledBack, Reconciling, Stalled; where there "
        "is an analysis, AnalysisReady; where there is a route, RouteAccepted."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(description="Why, in one CamelCase word.")
    message: str = Field("", description="Why, in a sentence.")
    last_transition_time: Time = Field(description="When `status` last changed.")
    observed_generation: int | None = Field(
        None, description="The metadata.generation that this was found for."
    )


class RevisionStatus(StatusPart):
    """A revision that has a part in serving now."""

    revision: str = Field(description="The revision's name.")
    version: str | None = Field(None, description="Its spec.model.version.")
    color: str | None = Field(None, description="The colour that its pods carry.")
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")
    replicas: int = Field(0, description="Pods wanted.")
    ready: int = Field(0, description="Pods ready.")
    weight: int = Field(0, description="Percent of the traffic wanted.")
    effective_weight: int = Field(
        0,
        description="Percent in effect: what the ready pods give, or what the gateways took.",
    )


class Failure(StatusPart):
    """Why a revision is quarantined (R9)."""

    revision: str = Field(description="The revision that failed.")
    reason: str = Field(description="The cause, in one CamelCase word.")
    message: str = Field(description="The cause, in a sentence.")
    at: Time = Field(description="When it was found.")
    pod: str | None = Field(None, description="The pod that showed it.")
    container: str | None = Field(None, description="The container that showed it.")
    observed: str | None = Field(
        None, description="What was seen, such as a value or an exit code."
    )
    threshold: str | None = Field(None, description="What would have been right.")
    samples: int | None = Field(None, description="How many pods or requests were looked at.")


class Hold(StatusPart):
    """What is waited for now."""

    reason: str = Field(description="Such as WaitingForPods, StepPause, Manual, Paused or Bake.")
    since: Time = Field(description="Since when.")
    until: Time | None = Field(None, description="When the wait ends by itself, if it does.")
    observed: str | None = Field(None, description="What is seen now.")
    threshold: str | None = Field(None, description="What is waited for.")
    pod: str | None = Field(None, description="The pod that is waited for, where it is stuck.")
    container: str | None = Field(None, description="The container that is stuck.")


class CommandEcho(StatusPart):
    """A command that was looked at (R16); each token acts once."""

    command: str = Field(description="The command, such as promote.")
    revision: str = Field("", description="The revision that it named, or what stood there.")
    token: str = Field("", description="Its token.")
    result: Literal["Done", "Ignored"] = Field(description="Whether it acted.")
    message: str = Field(description="What it did, or why it was ignored.")
    at: Time = Field(description="When it was looked at.")


class Pause(StatusPart):
    """Since when, and by what, the clocks of steps and bake stand still."""

    since: Time = Field(description="Since when.")
    by: str = Field(description="The field spec.paused, or the command with its token.")
    revision: str = Field(description="The revision that was wanted then.")


class Outcome(StatusPart):
    """How a revision ended or was promoted, newest first in the history."""

    revision: str = Field(description="The revision's name.")
    version: str | None = Field(None, description="Its spec.model.version.")
    outcome: Literal["Promoted", "RolledBack", "Failed", "Superseded", "Withdrawn", "Undone"] = (
        Field(description="How it ended.")
    )
    reason: str = Field("", description="Why, in one CamelCase word.")
    message: str = Field("", description="Why, in a sentence.")
    by: str = Field(
        "operator", description="The operator, the spec, or the command with its token."
    )
    started_at: Time | None = Field(None, description="When the revision was stored.")
    at: Time = Field(description="When it ended or was promoted.")
    lineage: dict[str, str] | None = Field(None, description="Its spec.model.lineage.")
    uri: str | None = Field(None, description="Its spec.model.uri.")
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")


class StepStatus(StatusPart):
    """A step of the rollout under way."""

    weight: int = Field(
        ge=0, le=100, description="Percent of the traffic that the step gives the candidate."
    )
    pause: PauseText = Field(description="Manual, or seconds such as 90s.")


class Progress(StatusPart):
    """Where the rollout of the candidate stands; gone when there is none."""

    step: int = Field(
        0, ge=0, le=64, description="Index of the step in spec, from 0. For display only."
    )
    weight: int = Field(0, ge=0, le=100, description="Percent that has been reached.")
    granted: int = Field(
        0, ge=0, le=100, description="Percent that was granted; its pods may still be starting."
    )
    pause: PauseText | None = Field(
        None, description="The pause under which it stands: Manual, or seconds such as 90s."
    )
    analysis: str | None = Field(
        None, description="What happens without a verdict, where the step needs one."
    )
    passed: int = Field(
        0, ge=0, le=64, description="Pauses of the same weight that were over before."
    )
    released: str | None = Field(
        None, description="What ended the pause: the command with its token, Elapsed, or a verdict."
    )
    step_since: Time | None = Field(None, description="When the step's weight took effect.")
    waiting_since: Time | None = Field(None, description="Since when pods are waited for.")
    waited: float = Field(0, ge=0, description="Seconds spent waiting for pods before that.")
    full: bool = Field(False, description="Promoted in full by command: no step is held.")
    by: str | None = Field(
        None, description="The command with its token that ended the step before, or all of them."
    )
    strategy: str | None = Field(None, description="The strategy that this rollout began with.")
    steps: tuple[StepStatus, ...] = Field(
        (), max_length=64, description="The steps in effect, for a change of strategy to wait."
    )


class RouteStatus(StatusPart):
    """The route through a gateway, where there is one."""

    kind: str = Field(description="Its kind, such as HTTPRoute; its name is the model's.")
    generation: int = Field(0, description="The generation of it that was last looked at.")
    accepted: bool = Field(
        False, description="Whether every gateway that it names has taken that generation."
    )
    since: Time | None = Field(None, description="Since when they have.")


class RefusedWrite(StatusPart):
    """A write that the API server, a quota or an admission policy refuses; it is retried."""

    object: str = Field(description="Kind and name of the object that could not be written.")
    reason: str = Field(
        description="Who refused it: AdmissionDenied, Forbidden, QuotaExceeded, WebhookFailed, "
        "NameConflict or InvalidSpec."
    )
    message: str = Field("", description="The refuser's own words.")
    since: Time = Field(description="Since when it has been refused.")


class CheckStatus(StatusPart):
    """The verdict on one check (R17), with the numbers of the look that changed it."""

    name: str = Field(description="The check.")
    verdict: Literal["Pass", "Fail", "Insufficient"] = Field(description="What was found.")
    reason: str = Field(description="Why, in one CamelCase word.")
    message: str = Field("", description="Why, in a sentence.")
    value: float | None = Field(None, description="The candidate's value.")
    threshold: float | None = Field(None, description="The bound that decided.")
    stable: float | None = Field(None, description="Stable's value in the same window.")
    samples: int | None = Field(None, description="Observations on the candidate.")
    at: Time = Field(description="When it was found.")


class AnalysisStatus(StatusPart):
    """How a revision that has traffic is judged."""

    revision: str = Field(description="The revision that is judged.")
    since: Time = Field(description="From when on its answers count.")
    checks: tuple[CheckStatus, ...] = Field((), description="The verdict on each check.")


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
    bake_since: Time | None = Field(
        None, description="Since when the version before is kept warm after a promotion."
    )
    stable_down_since: Time | None = Field(None, description="Since when stable has no ready pod.")
    standby: str | None = Field(
        None, description="The revision that answers while stable has no ready pod."
    )
    outages: int | None = Field(
        None,
        ge=0,
        description="How often stable became unready as a whole during this bake, if it did.",
    )
    hold: Hold | None = Field(None, description="What is waited for now.")
    pause: Pause | None = Field(None, description="Since when, and by what, it is paused.")
    analysis: AnalysisStatus | None = Field(
        None, description="How the version that is on its way, or bakes, is judged."
    )
    route: RouteStatus | None = Field(
        None, description="The route through a gateway, with router Gateway."
    )
    failure: Failure | None = Field(
        None, description="Why the wanted revision is quarantined; gone when another is wanted."
    )
    refusals: tuple[RefusedWrite, ...] | None = Field(
        None, description="Writes that are refused now; each is retried, and gone once it succeeds."
    )
    warnings: tuple[str, ...] = Field((), description="What was found damaged and is ignored.")
    commands: tuple[CommandEcho, ...] = Field((), description="Commands seen, newest first.")
    conditions: tuple[Condition, ...] = Field(
        (), description="What tools read: Available, Ready, Progressing, RolledBack and kstatus'."
    )
    history: tuple[Outcome, ...] = Field((), description="How revisions ended, the newest first.")

    def essence(self) -> Status:
        """The status without what changes with every pod: two that differ only in that are one
        state, of which the newer counts can be told a little later."""

        def part(revision: RevisionStatus | None) -> RevisionStatus | None:
            none = {"replicas": 0, "ready": 0, "effective_weight": 0}
            return revision and revision.model_copy(update=none)

        progress = self.progress
        if progress and progress.granted != progress.weight:
            # The traffic record has the grant; the status has it when the weight is reached.
            waits = {"granted": 0, "pause": None, "analysis": None, "passed": 0, "released": None}
            progress = progress.model_copy(update=waits)
        hold = self.hold and self.hold.model_copy(
            update={"observed": None, "pod": None, "container": None}
        )
        return self.model_copy(
            update={
                "replicas": 0,
                "ready_replicas": 0,
                "hold": hold,
                "progress": progress,
                "stable": part(self.stable),
                "candidate": part(self.candidate),
                "previous": part(self.previous),
            }
        )
