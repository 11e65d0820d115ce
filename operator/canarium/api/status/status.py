"""The status of a `ModelDeployment`: all that the operator remembers, and what people read.

No field churns: times change only with the transition that they name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from canarium.api.reasons import ConditionType
from canarium.api.states import Phase
from canarium.api.status.analysis import AnalysisStatus
from canarium.api.status.cluster import BlockedDeletion, RejectedWrite, RouteStatus, StatusWarning
from canarium.api.status.condition import Condition
from canarium.api.status.gates import GateStatus
from canarium.api.status.history import Failure, Outcome
from canarium.api.status.part import StatusPart, Time
from canarium.api.status.revision import RevisionStatus
from canarium.api.status.rollout import CommandEcho, Pause, Progress, WaitingFor
from canarium.api.status.transition import Transition


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
    rejected_writes: tuple[RejectedWrite, ...] | None = Field(
        None,
        description="Writes that are currently rejected. Each is retried and removed once "
        "it succeeds.",
    )
    blocked_deletions: tuple[BlockedDeletion, ...] | None = Field(
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

    def essence(self) -> Mapping[str, Any]:
        """Returns the fields without messages, and without the counts that change with every pod:
        two that differ only in these are the same state, and the newer one may be published later.
        A conflict with another route is another state, and only its message names the route.

        Parts are plain mappings, since two copies of the whole status cost a tenth of a decision.
        """

        def part(one: StatusPart | None, **fields: Any) -> Mapping[str, Any] | None:
            return {**vars(one), **fields} if one else None

        def silent(parts: Iterable[StatusPart] | None) -> list[Mapping[str, Any]]:
            return [{**vars(one), "message": ""} for one in parts or ()]

        counts = {"replicas": 0, "ready_replicas": 0, "effective_weight": 0}
        conflict = [c for c in self.conditions if c.type == ConditionType.ROUTE_CONFLICTED]
        others = [c for c in self.conditions if c.type != ConditionType.ROUTE_CONFLICTED]
        progress = part(self.progress)
        if self.progress and self.progress.granted != self.progress.weight:
            # The traffic record has the grant; the status has it when the weight is reached.
            waits = {"granted": 0, "pause": None, "analysis": None, "passed": 0, "released": None}
            progress = part(self.progress, **waits)
        analysis = self.analysis
        return {
            **vars(self),
            "message": "",
            "replicas": 0,
            "ready_replicas": 0,
            "conditions": [*silent(others), *conflict],
            "rejected_writes": silent(self.rejected_writes),
            "warnings": silent(self.warnings),
            "history": silent(self.history),
            "transitions": None,
            "failure": part(self.failure, message=""),
            "analysis": analysis and part(analysis, checks=silent(analysis.checks)),
            "waiting_for": part(self.waiting_for, observed=None, pod=None, container=None),
            "progress": progress,
            "stable": part(self.stable, **counts),
            "candidate": part(self.candidate, **counts),
            "previous": part(self.previous, **counts),
        }
