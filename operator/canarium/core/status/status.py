"""Assembles the status that people and tools read from the result of a decision."""

from __future__ import annotations

from canarium.api.states import Phase
from canarium.api.status import (
    CommandEcho,
    Failure,
    Outcome,
    RevisionStatus,
    Status,
    WaitingFor,
)
from canarium.core.context.commands import LISTED, consumed, echo_text
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import version_of
from canarium.core.context.position import index_among
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import CreateDeployment
from canarium.core.facts.signature import parse_signature
from canarium.core.outcomes import blocked_deletions, rejections
from canarium.core.routing import failover
from canarium.core.status.analysis import analysis_status, with_evaluations
from canarium.core.status.conditions import conditions_of
from canarium.core.status.gates import gates_status
from canarium.core.status.history import ended
from canarium.core.status.warnings import warnings
from canarium.core.times import stamp


def status_of(ctx: RolloutContext, phase: Phase, result: PhaseResult, generation: int) -> Status:
    """Returns the whole status after `result`; equal to the old one when nothing has changed."""
    stable = _part(ctx, result.stable, result)
    candidate = _part(ctx, result.candidate, result)
    previous = _part(ctx, result.previous, result)
    down = ctx.stable_unavailable_since if result.stable == ctx.stable else None
    parts = [part for part in (stable, candidate, previous) if part]
    analysis = analysis_status(
        ctx, running=bool(result.candidate or result.previous or result.failure)
    )
    after = Status(
        observed_generation=generation,
        phase=phase.value,
        message=result.message,
        version=version_of(ctx, result.stable),
        revision=ctx.target,
        step=_step(ctx, phase, result),
        weight=_weight(result, candidate) if result.stable else None,
        replicas=sum(part.replicas for part in parts),
        ready_replicas=sum(part.ready_replicas for part in parts),
        selector=f"canarium.dev/model={ctx.name}",
        stable=stable,
        candidate=candidate,
        previous=previous,
        progress=result.progress,
        bake_start_time=result.bake_start_time,
        stable_unavailable_start_time=stamp(down) if down is not None else None,
        standby=failover.effective_standby(ctx) if result.stable == ctx.stable else None,
        outages=result.outages or None,
        waiting_for=_hold(ctx, result.waiting_for),
        pause=ctx.pause,
        analysis=analysis,
        gates=gates_status(ctx, result),
        route=ctx.traffic.route_status if result.stable else None,
        failure=_failure(ctx, result),
        rejected_writes=rejections.rejected_writes(ctx),
        blocked_deletions=blocked_deletions.listed(ctx),
        warnings=warnings(ctx),
        commands=_commands(ctx, result),
        conditions=conditions_of(ctx, phase, result, generation, analysis),
        history=_history(ctx, ended(ctx, result), result.outcome),
    )
    if analysis and after.essence() != ctx.status.essence():
        complete = with_evaluations(ctx, analysis)
        return after.model_copy(update={"analysis": complete})
    return after


def _step(ctx: RolloutContext, phase: Phase, result: PhaseResult) -> str | None:
    """Returns the current step among all steps, of which the last is the promotion; None outside
    a rollout with steps."""
    progress = result.progress
    if phase != Phase.PROGRESSING or result.stable is None or not progress or not progress.steps:
        return None
    last = len(progress.steps) + 1
    skipped = progress.full or ctx.target in ctx.promoted_revisions
    index = index_among((step.weight for step in progress.steps), progress)
    return f"{last if skipped else min(index + 1, last)}/{last}"


def _hold(ctx: RolloutContext, wait: Wait | None) -> WaitingFor | None:
    """Returns the wait for the status; it keeps its start time while the reason is the same."""
    if wait is None:
        return None
    return WaitingFor(
        reason=wait.reason,
        start_time=ctx.status.waiting_for.start_time
        if ctx.status.waiting_for and ctx.status.waiting_for.reason == wait.reason
        else stamp(ctx.now),
        expected_end_time=wait.until,
        observed=wait.observed,
        threshold=wait.threshold,
        pod=wait.pod,
        container=wait.container,
    )


def _weight(result: PhaseResult, candidate: RevisionStatus | None) -> int | None:
    """Returns the candidate's weight in percent: the wanted one, or what a failed version has."""
    if candidate is None:
        return None
    return candidate.effective_weight if result.receives_traffic else candidate.weight


def _commands(ctx: RolloutContext, result: PhaseResult) -> tuple[CommandEcho, ...]:
    """Returns the newest results, and those of all commands that are still annotated."""
    annotated = dict(ctx.observed.annotations)
    results = (*consumed(ctx, result), *ctx.status.commands)
    return tuple(
        echo
        for index, echo in enumerate(results)
        if index < LISTED
        or echo_text(annotated.get(echo.command, "")) == f"{echo.revision}/{echo.token}".strip("/")
    )


def _part(ctx: RolloutContext, revision: str | None, result: PhaseResult) -> RevisionStatus | None:
    if revision is None:
        return None
    record, deployment = ctx.observed.record(revision), ctx.observed.deployment(revision)
    created = next(
        (a for a in result.actions if isinstance(a, CreateDeployment) and a.revision == revision),
        deployment,
    )
    ready = ctx.observed.ready(revision)
    wanted = 0
    if revision == result.candidate:
        wanted = result.progress.weight if result.progress else 0
    elif revision == result.stable:
        wanted = 100 - (result.progress.weight if result.candidate and result.progress else 0)
    # Where this decision moves a selector, the observed weight is out of date.
    moved = result.stable != ctx.stable and ctx.route_kind is None
    effective = wanted if moved else ctx.traffic.effective_weight(revision)
    return RevisionStatus(
        revision=revision,
        version=version_of(ctx, revision),
        color=created.color if created else None,
        artifact=record.artifact if record else None,
        signature=parse_signature(record.signature) if record else None,
        resolved=record.resolved if record else None,
        replicas=created.replicas if created else 0,
        ready_replicas=ready,
        weight=wanted,
        effective_weight=effective,
    )


def _failure(ctx: RolloutContext, result: PhaseResult) -> Failure | None:
    if result.failure:
        return result.failure
    old = ctx.status.failure
    return old if old and old.revision == ctx.target and ctx.quarantined else None


def _history(ctx: RolloutContext, *outcomes: Outcome | None) -> tuple[Outcome, ...]:
    """Returns the history with `outcomes` (oldest first) added at the front."""
    entries = ctx.status.history
    for new in outcomes:
        last = entries[0] if entries else None
        if new and (last is None or (last.revision, last.outcome) != (new.revision, new.outcome)):
            entries = (new, *entries)
    return entries[: ctx.settings.history_limit]
