"""The status of a `ModelDeployment`: all that the operator remembers, and what people read.

No field churns: times change only with the transition that they name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from canarium.api.reasons import ConditionType, HoldReason, RefusalReason, hold_reason
from canarium.api.route_kind import RouteKind
from canarium.api.states import CommandOutcome, GateKind, GateState, OutcomeKind, PauseSource, Phase
from canarium.api.status_part import StatusPart, Time
from canarium.api.transition import Transition

#: A pause as `core.facts.grant` writes it.
PauseText = Annotated[str, Field(pattern=r"^(Manual|[0-9]{1,12}(\.[0-9]{1,3})?s)$", max_length=32)]


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


class VerifiedSignature(StatusPart):
    """A signature of the model that the fetcher has verified."""

    key: str = Field(description="SHA-256 of the PEM file of the public key that signed it.")
    subject: str = Field(description="Name of the model in the signed statement.")
    digest: str = Field(
        description="Digest of the signed statement: the SHA-256 over the digests of its files."
    )


class RevisionStatus(StatusPart):
    """A revision that runs now."""

    revision: str = Field(description="Name of the revision.")
    version: str | None = Field(None, description="Its spec.model.version.")
    color: str | None = Field(None, description="Colour label of its pods.")
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")
    signature: VerifiedSignature | None = Field(
        None, description="Who signed the model, if spec.model.verify is set."
    )
    resolved: str | None = Field(
        None, description="URI of the version that the alias in spec.model.uri named."
    )
    replicas: int = Field(0, description="Number of desired pods.")
    ready_replicas: int = Field(0, description="Number of ready pods.")
    weight: int = Field(0, description="Requested percentage of the traffic.")
    effective_weight: int = Field(
        0,
        description="Effective percentage of the traffic: by ready pods, or as accepted by the "
        "gateways.",
    )


class Failure(StatusPart):
    """Why a revision is quarantined."""

    revision: str = Field(description="The revision that failed.")
    reason: str = Field(description="Cause of the failure, in CamelCase.")
    message: str = Field(description="Cause of the failure, for people.")
    time: Time = Field(description="When it was detected.")
    pod: str | None = Field(None, description="Pod in which it was detected.")
    container: str | None = Field(None, description="Container in which it was detected.")
    observed: str | None = Field(None, description="Observed value or exit code.")
    threshold: str | None = Field(None, description="Bound that was violated.")
    samples: int | None = Field(None, description="Number of pods or requests that were evaluated.")
    weight: int | None = Field(
        None, description="Effective percentage of the traffic that the revision had, as reported."
    )
    step: str | None = Field(
        None, description="Step at which it failed, such as 2/4. Absent during the bake."
    )


class WaitingFor(StatusPart):
    """What the rollout is waiting for."""

    reason: str = Field(description="Such as WaitingForPods, StepPause, Manual, Paused or Bake.")
    start_time: Time = Field(description="Start time.")
    expected_end_time: Time | None = Field(
        None, description="When the wait ends automatically, if it does."
    )
    observed: str | None = Field(None, description="Current value.")
    threshold: str | None = Field(None, description="Value that is required.")
    pod: str | None = Field(None, description="Pod that blocks the rollout, if one is stuck.")
    container: str | None = Field(
        None, description="Container that blocks the rollout, if one is stuck."
    )

    @property
    def awaited(self) -> HoldReason | None:
        """The reason, for decisions; None where it is one of a route or of the cluster."""
        return hold_reason(self.reason)


class CommandEcho(StatusPart):
    """A command that was processed. Each token acts once."""

    command: str = Field(description="Name of the command, such as promote.")
    revision: str = Field("", description="Revision that the command named, as written.")
    token: str = Field("", description="Token of the command.")
    result: CommandOutcome = Field(description="Whether the command was carried out.")
    message: str = Field(description="Effect of the command, or why it was ignored.")
    time: Time = Field(description="When the command was processed.")


class Pause(StatusPart):
    """A pause of steps and bake."""

    start_time: Time = Field(description="Start time.")
    source: PauseSource = Field(
        description="What paused it: Spec (spec.paused) or Command (the command pause)."
    )
    token: str | None = Field(None, description="Token of the command pause, if that paused it.")
    revision: str = Field(description="Revision of the spec at that time.")


class Outcome(StatusPart):
    """How a revision ended or was promoted, newest first in the history."""

    revision: str = Field(description="Name of the revision.")
    version: str | None = Field(None, description="Its spec.model.version.")
    outcome: OutcomeKind = Field(description="Result of the rollout.")
    reason: str = Field("", description="Reason for it, in CamelCase.")
    message: str = Field("", description="Explanation for people.")
    by: str = Field(
        "operator",
        description="What caused it: the operator, the spec, or a command with its token.",
    )
    start_time: Time | None = Field(None, description="When the revision was created.")
    time: Time = Field(description="When the revision was promoted or ended.")
    lineage: dict[str, str] | None = Field(None, description="Its spec.model.lineage.")
    uri: str | None = Field(None, description="Its spec.model.uri.")
    resolved: str | None = Field(
        None, description="URI of the version that the alias in spec.model.uri named."
    )
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")
    signature: VerifiedSignature | None = Field(
        None, description="Who signed the model, if spec.model.verify is set."
    )


class StepStatus(StatusPart):
    """A step of the current rollout."""

    weight: int = Field(ge=0, le=100, description="Percentage of the traffic for the candidate.")
    pause: PauseText = Field(description="Pause of the step: Manual, or seconds such as 90s.")


class Progress(StatusPart):
    """Progress of the candidate's rollout. Absent if there is none."""

    step: int = Field(
        0, ge=0, le=64, description="Index of the step in spec, starting at 0. For display only."
    )
    weight: int = Field(0, ge=0, le=100, description="Percentage that was reached.")
    granted: int = Field(
        0, ge=0, le=100, description="Percentage that was granted. Its pods may still be starting."
    )
    pause: PauseText | None = Field(
        None, description="Current pause: Manual, or seconds such as 90s."
    )
    analysis: str | None = Field(
        None, description="What happens without a verdict, if the step needs one."
    )
    passed: int = Field(0, ge=0, le=64, description="Number of finished pauses at the same weight.")
    released: str | None = Field(
        None, description="What ended the pause: a command with its token, Elapsed, or a verdict."
    )
    step_start_time: Time | None = Field(
        None, description="When the weight of the step became effective."
    )
    wait_start_time: Time | None = Field(
        None, description="When the rollout started to wait for pods."
    )
    waited_seconds: float = Field(
        0, ge=0, description="Seconds spent waiting for pods before waitStartTime."
    )
    full: bool = Field(False, description="Whether promote-full skipped the remaining steps.")
    command: str | None = Field(
        None,
        description="Command that ended the previous step, or all steps, as command/token.",
    )
    strategy: str | None = Field(None, description="Strategy that the rollout started with.")
    steps: tuple[StepStatus, ...] = Field(
        (), max_length=64, description="Steps in effect, if a change of strategy is pending."
    )


class RouteStatus(StatusPart):
    """The route of the model, if there is one."""

    group: str = Field(description="API group of the route, such as gateway.networking.k8s.io.")
    kind: str = Field(
        description="Kind of the route, such as HTTPRoute. Its name is that of the model."
    )
    generation: int = Field(0, description="Generation of the route that was last observed.")
    accepted: bool = Field(
        False, description="Whether every gateway of the route has accepted that generation."
    )
    accepted_time: Time | None = Field(None, description="When they accepted it.")

    @property
    def route_kind(self) -> RouteKind:
        """The kind with its group."""
        return RouteKind(self.group, self.kind)


class RefusedWrite(StatusPart):
    """A write that the API server, a quota or an admission policy rejects. It is retried."""

    object: str = Field(description="Kind and name of the object that could not be written.")
    reason: str = Field(description=f"What rejected it, one of {', '.join(RefusalReason)}.")
    message: str = Field("", description="Message of the system that rejected it.")
    start_time: Time = Field(description="When it was first rejected.")


class HeldDeletion(StatusPart):
    """An object that is being deleted and that finalizers of other controllers keep."""

    object: str = Field(description="Kind and name of the object.")
    finalizers: tuple[str, ...] = Field((), description="The finalizers that keep it.")
    start_time: Time = Field(description="When it was deleted, or when the pod should have ended.")


class StatusWarning(StatusPart):
    """Something damaged that the operator ignores."""

    reason: str = Field(description="What is damaged, in one CamelCase word.")
    object: str = Field(description="The object, or the field of the status, that is damaged.")
    message: str = Field("", description="What is damaged and what follows, in a sentence.")


class CheckEvaluation(StatusPart):
    """One evaluation of a check, for plots. No decision reads it."""

    time: Time = Field(description="End of the window that was evaluated.")
    verdict: Literal["Pass", "Fail", "Insufficient"] = Field(description="Verdict on the window.")
    value: float | None = Field(None, description="Value of the candidate.")
    threshold: float | None = Field(None, description="Bound that decided.")
    stable: float | None = Field(None, description="Value of stable in the same window.")
    samples: int | None = Field(None, description="Number of observations of the candidate.")


class CheckStatus(StatusPart):
    """The verdict of one check, with the values of the evaluation that changed it."""

    name: str = Field(description="Name of the check.")
    verdict: Literal["Pass", "Fail", "Insufficient"] = Field(description="Verdict of the check.")
    reason: str = Field(description="Reason for it, in CamelCase.")
    message: str = Field("", description="Explanation for people.")
    value: float | None = Field(None, description="Value of the candidate.")
    threshold: float | None = Field(None, description="Bound that decided.")
    stable: float | None = Field(None, description="Value of stable in the same window.")
    samples: int | None = Field(None, description="Number of observations of the candidate.")
    time: Time = Field(description="When the verdict last changed.")
    evaluations: tuple[CheckEvaluation, ...] = Field(
        (),
        description="Last evaluations, the newest last: at most 20, and at most 80 of all checks. "
        "They are updated with the next write of the status, which no evaluation causes.",
    )


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
        description="User who decided, as verified by the admission policy, or scheme and host of "
        "the system that answered.",
    )
    message: str | None = Field(
        None, description="Comment on the decision, or what a system has answered so far."
    )


class AnalysisStatus(StatusPart):
    """The analysis of a revision that receives traffic."""

    revision: str = Field(description="The revision that is judged.")
    start_time: Time = Field(description="Start of the evaluation.")
    checks: tuple[CheckStatus, ...] = Field((), description="Verdict of each check.")


class Status(StatusPart):
    """The status subresource."""

    observed_generation: int = Field(
        0, description="The metadata.generation that this status is based on."
    )
    phase: str = Field(
        Phase.PENDING.value, description="Summary for people. Tools should use the conditions."
    )
    message: str = Field("", description="What is happening, why, and what happens next.")
    version: str | None = Field(None, description="Version that serves.")
    revision: str | None = Field(
        None, description="Revision of the current spec, which commands have to name."
    )
    step: str | None = Field(
        None,
        description="Current step of the rollout and number of steps, such as 2/4. The promotion "
        "is the last step.",
    )
    weight: int | None = Field(None, description="Percentage of the traffic for the candidate.")
    replicas: int = Field(0, description="Number of desired pods of all revisions.")
    ready_replicas: int = Field(0, description="Number of ready pods of all revisions.")
    selector: str = Field(
        "", description="Selector of the model's pods, for the scale subresource."
    )
    stable: RevisionStatus | None = Field(None, description="Revision that was promoted.")
    candidate: RevisionStatus | None = Field(None, description="Revision that is being rolled out.")
    previous: RevisionStatus | None = Field(
        None, description="Previous revision, kept warm during the bake."
    )
    progress: Progress | None = Field(None, description="Progress of the candidate's rollout.")
    bake_start_time: Time | None = Field(None, description="When the bake started.")
    stable_unavailable_start_time: Time | None = Field(
        None, description="When stable lost its last ready pod."
    )
    standby: str | None = Field(
        None, description="Revision that serves while stable has no ready pod."
    )
    outages: int | None = Field(
        None,
        ge=0,
        description="Number of outages of stable during this bake.",
    )
    waiting_for: WaitingFor | None = Field(None, description="What the rollout is waiting for.")
    pause: Pause | None = Field(None, description="Since when and by what the rollout is paused.")
    analysis: AnalysisStatus | None = Field(
        None, description="Analysis of the version that is being rolled out or baking."
    )
    gates: tuple[GateStatus, ...] | None = Field(
        None, description="Gates of the revision of the current spec, with their results."
    )
    route: RouteStatus | None = Field(
        None, description="The route of the model, with routers Gateway and Istio."
    )
    failure: Failure | None = Field(
        None, description="Why the revision of the current spec is quarantined."
    )
    refusals: tuple[RefusedWrite, ...] | None = Field(
        None,
        description="Writes that are currently rejected. Each is retried and removed once "
        "it succeeds.",
    )
    held_deletions: tuple[HeldDeletion, ...] | None = Field(
        None, description="Objects whose deletion is blocked by finalizers of other controllers."
    )
    warnings: tuple[StatusWarning, ...] = Field(
        (), description="Damaged or contradictory data that is ignored."
    )
    commands: tuple[CommandEcho, ...] = Field((), description="Processed commands, newest first.")
    conditions: tuple[Condition, ...] = Field(
        (),
        description="Conditions for tools: Available, Ready, Progressing, RolledBack and "
        "those of kstatus.",
    )
    history: tuple[Outcome, ...] = Field(
        (), description="How revisions were promoted or ended, newest first."
    )
    transitions: tuple[Transition, ...] | None = Field(
        None, description="Last transitions, oldest first, with notifications enabled."
    )

    @property
    def is_new(self) -> bool:
        """Whether it was never written for a generation of the spec, or was lost."""
        # The CRD gives a new status the generation -1 (kstatus).
        return self.observed_generation < 1

    def essence(self) -> Status:
        """Returns the status without messages, and without the counts that change with every pod:
        two that differ only in these are the same state, and the newer one may be published later.
        A conflict with another route is another state, and only its message names the route.
        """

        def part(revision: RevisionStatus | None) -> RevisionStatus | None:
            none = {"replicas": 0, "ready_replicas": 0, "effective_weight": 0}
            return revision and revision.model_copy(update=none)

        def silent(parts: Iterable[StatusPart]) -> tuple[StatusPart, ...]:
            return tuple(one.model_copy(update={"message": ""}) for one in parts)

        conflict = tuple(c for c in self.conditions if c.type == ConditionType.ROUTE_CONFLICTED)
        others = tuple(c for c in self.conditions if c.type != ConditionType.ROUTE_CONFLICTED)
        progress = self.progress
        if progress and progress.granted != progress.weight:
            # The traffic record has the grant; the status has it when the weight is reached.
            waits = {"granted": 0, "pause": None, "analysis": None, "passed": 0, "released": None}
            progress = progress.model_copy(update=waits)
        waiting_for = self.waiting_for and self.waiting_for.model_copy(
            update={"observed": None, "pod": None, "container": None}
        )
        return self.model_copy(
            update={
                "message": "",
                "replicas": 0,
                "ready_replicas": 0,
                "conditions": (*silent(others), *conflict),
                "refusals": silent(self.refusals) if self.refusals else None,
                "warnings": silent(self.warnings),
                "history": silent(self.history),
                "transitions": None,
                "failure": self.failure and self.failure.model_copy(update={"message": ""}),
                "analysis": self.analysis
                and self.analysis.model_copy(update={"checks": silent(self.analysis.checks)}),
                "waiting_for": waiting_for,
                "progress": progress,
                "stable": part(self.stable),
                "candidate": part(self.candidate),
                "previous": part(self.previous),
            }
        )
