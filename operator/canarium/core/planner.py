"""Decides what to do with one model at one moment: `plan`, pure and total.

Reading order: `core.phases.table` (which phase, and what it does), then the phases by their names,
then `core.context.context` (what the facts mean). `plan` itself only puts the parts together: the
row of the table decides, reports and bookkeeping are added, and status and Events are derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.states import CommandOutcome, Phase
from canarium.api.status import Status
from canarium.core.bookkeeping import training_run
from canarium.core.bookkeeping.adoption import adoption
from canarium.core.bookkeeping.check_templates import recorded_checks
from canarium.core.bookkeeping.disruption_budgets import disruption_budgets
from canarium.core.bookkeeping.gate_jobs import gate_jobs, gate_jobs_recheck, wanted_reports
from canarium.core.bookkeeping.gates import (
    gates_recheck,
    recorded_gates,
    unrecordable_decisions,
)
from canarium.core.bookkeeping.records import notes, pinning, pruning, renumbering
from canarium.core.bookkeeping.restored_records import restoration
from canarium.core.bookkeeping.rollout_settings import recorded_settings, with_settings
from canarium.core.bookkeeping.scaling import orphans, scaling, unlabeled_autoscalers
from canarium.core.bookkeeping.traffic_record import recorded, unrecordable_commands
from canarium.core.context.commands import evaluated
from canarium.core.context.context import RolloutContext
from canarium.core.context.sanitize import plausible
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    AnalysisRequest,
    DeleteAutoscaler,
    DeleteDeployment,
    Plan,
    SignalRequests,
)
from canarium.core.facts.observed import Observed
from canarium.core.health import analysis_results, autoscaling, obstacles, smoke_tests
from canarium.core.outcomes import blocked_deletions, gate_progress, rejections, write_back
from canarium.core.phases.leftover_pods import restore_labels
from canarium.core.phases.reports import with_reports
from canarium.core.phases.table import TABLE
from canarium.core.routing.choice import chosen
from canarium.core.routing.failover import guarded
from canarium.core.status.events import events_of
from canarium.core.status.status import status_of
from canarium.core.times import parse


def plan(
    spec: Mapping[str, Any],
    settings: EffectiveSpec,
    status: Status,
    observed: Observed,
    *,
    now: float,
    generation: int,
    name: str,
) -> Plan:
    """Returns the decision for one moment. Total: any combination of facts gives a safe plan.

    `spec` is the raw object (for identity), `now` POSIX seconds.
    """
    adopting = adoption(status, observed)
    if adopting:
        return adopting
    stored, ignored = plausible(status, now)
    traffic, router = chosen(observed, stored, settings, now)
    ctx = RolloutContext(
        name=name,
        spec=spec,
        settings=settings,
        status=stored,
        observed=observed,
        traffic=traffic,
        router=router,
        now=now,
        ignored_fields=ignored,
    )
    restoring = restoration(ctx, status)
    if restoring:
        return restoring
    ctx = _with_commands(ctx)
    row = next(row for row in TABLE if row.when(ctx))
    result = guarded(ctx, row.then(ctx))
    phase, result = with_reports(ctx, result.phase or row.phase, result)
    after = status_of(ctx, phase, result, generation)
    result = result.recheck_in(ctx.router.requeue_after(ctx))
    for wait in (
        ctx.stable_grace_left,
        obstacles.recheck(ctx),
        blocked_deletions.recheck(ctx),
        autoscaling.recheck(ctx),
        gates_recheck(ctx, result),
        gate_jobs_recheck(ctx),
    ):
        result = result.recheck_in(wait)
    return Plan(
        phase=phase,
        status=after,
        actions=_actions(ctx, result),
        events=events_of(ctx, status, after, result),
        requeue_after=result.requeue_after,
        status_is_urgent=after != status and after.essence() != status.essence(),
        requests=_requests(ctx, result, after),
        freeze_route=ctx.router.is_frozen(ctx),
        retry_is_urgent=_is_urgent(ctx, phase),
    )


def _with_commands(ctx: RolloutContext) -> RolloutContext:
    """Returns the context with the commands that this decision consumes.

    A command that has to be on the traffic record, or on that of the revision, waits while that
    cannot be written.
    """
    waiting = (*unrecordable_commands(ctx), *unrecordable_decisions(ctx))
    echoes = tuple(
        echo
        for echo in evaluated(ctx)
        if echo.command not in waiting or echo.result != CommandOutcome.ACCEPTED
    )
    return replace(ctx, commands=echoes) if echoes else ctx


def _actions(ctx: RolloutContext, result: PhaseResult) -> tuple[Action, ...]:
    """Returns all writes in order; those of the phase keep their order.

    Notes on records precede the first deletion: pods are the evidence of a failure, and it would
    be lost if they were deleted and the operator crashed before it was recorded.
    """
    moves = recorded(ctx, result, (*result.actions, *ctx.router.repair(ctx, result)))
    moves = with_settings(ctx, moves)
    deletes = (n for n, x in enumerate(moves) if isinstance(x, DeleteDeployment | DeleteAutoscaler))
    first = next(deletes, len(moves))
    sizes = scaling(ctx, result)
    return (
        *renumbering(ctx),
        *recorded_settings(ctx, result, moves),
        *recorded_checks(ctx, result),
        *recorded_gates(ctx, result),
        # Pins first: later writes may start a pod that reads them.
        *pinning(ctx),
        *moves[:first],
        *notes(ctx, result, moves),
        *moves[first:],
        *unlabeled_autoscalers(ctx, (*moves, *sizes)),
        *sizes,
        *orphans(ctx, result),
        *restore_labels(ctx, result),
        *pruning(ctx),
        # Last: a rejected one stops no write that a rollout needs.
        *disruption_budgets(ctx),
        *gate_jobs(ctx, result),
        *training_run.recorded(ctx),
        *write_back.recorded(ctx),
    )


def _is_urgent(ctx: RolloutContext, phase: Phase) -> bool:
    """Returns whether callers depend on a rejected write that moves traffic: a failed version
    keeps its share, a promotion or an undo is due, or no version serves."""
    if rejections.blocked(ctx) is None:
        return False
    return phase not in (Phase.READY, Phase.ROLLED_BACK) or not ctx.observed.ready(ctx.stable)


def _requests(ctx: RolloutContext, result: PhaseResult, after: Status) -> SignalRequests:
    """Returns the signals that this decision needs, such as smoke tests and answers at gates."""
    smoke = after.waiting_for is not None and after.waiting_for.awaited in smoke_tests.WAIT_REASONS
    return SignalRequests(
        smoke=ctx.target if smoke else None,
        analysis=_analysis(ctx, after),
        pod_events=obstacles.unexplained(ctx),
        resolve=ctx.resolve_request,
        follow=ctx.follow,
        training_run=training_run.wanted(ctx),
        tag=write_back.wanted(ctx),
        gates=gate_progress.wanted(ctx, result),
        jobs=wanted_reports(ctx, result),
    )


def _analysis(ctx: RolloutContext, after: Status) -> AnalysisRequest | None:
    judging, progress = ctx.settings.analysis, after.progress
    if ctx.stable_replicas == 0:
        return None  # Queries have values at zero pods, too, but these are not about a version.
    shadowed = progress and progress.step_start_time and analysis_results.requires_verdict(ctx, 0)
    if judging and after.candidate and after.stable and progress and (progress.weight or shadowed):
        # Between two steps, the analysis of the last step continues.
        earlier = after.analysis.start_time if after.analysis else None
        began = progress.step_start_time or earlier
        if began and analysis_results.requires_verdict(ctx, progress.weight):
            return AnalysisRequest(after.candidate.revision, after.stable.revision, parse(began))
    elif (
        judging
        and judging.during_bake
        and after.previous
        and after.stable
        and after.bake_start_time
    ):
        return AnalysisRequest(
            after.stable.revision, after.previous.revision, parse(after.bake_start_time)
        )
    return None
