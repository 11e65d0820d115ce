"""Phase Progressing: a candidate beside stable, moved step by step to all of the traffic.

`_decide` and `_raise_weight` ask one question after another, the most urgent first: an abort, room
for the candidate, a failure, a model that is scaled to zero, the command promote, a router that
accepts no weights, a pause, pods, smoke tests, and last the step itself. The answers are in the
modules `creating`, `rolling_back`, `scaled_to_zero`, `waiting` and `steps`.

One decision may end several steps, for example two pauses at the same weight. No status is written
between them, because it would be outdated at once. So `progressing` calls `_decide` in a loop: it
returns either the result, or `StepOver` when a pause has ended. The next call then starts from the
new position. Every `StepOver` moves forward in the list of steps, so the loop ends.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.api.reasons import EventReason, HoldReason, OutcomeReason
from canarium.api.states import OutcomeKind, Phase
from canarium.core.context.check_templates import Missing
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate
from canarium.core.context.live_traffic import is_answered
from canarium.core.context.naming import describe
from canarium.core.context.position import granted, refreshed, released
from canarium.core.context.progress import current_progress, next_step
from canarium.core.context.standby import serves_for_stable
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import AnnotateRevision, Event, Scale
from canarium.core.facts.grant import PROMOTION, token_of
from canarium.core.facts.observed import Deployment
from canarium.core.facts.takeover import ANNOTATION
from canarium.core.health import analysis_results, smoke_tests
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.cause import Cause
from canarium.core.health.gate_results import rejection
from canarium.core.outcomes.records import command_cause, history_entry
from canarium.core.phases.check_waits import missing_for_move, waiting_for_checks
from canarium.core.phases.creating import create_candidate, makes_room, scale_down_stable
from canarium.core.phases.deployments import startable_replicas, store_revision
from canarium.core.phases.gate_waits import holding_move, waiting_for_gates
from canarium.core.phases.rollback import roll_back
from canarium.core.phases.scaled_to_zero import (
    hold_at_zero,
    is_scaling_up_from_zero,
    wait_for_scale_up,
)
from canarium.core.phases.steps import StepOver, hold_step
from canarium.core.phases.waiting import (
    blocked,
    paused,
    waiting_for_gateway,
    waiting_for_pods,
    waiting_for_smoke_tests,
)
from canarium.core.routing import capacity
from canarium.core.times import duration_text, stamp, time_text


def progressing(ctx: RolloutContext) -> PhaseResult:
    """Returns the candidate's next move, past every step that is over."""
    events: tuple[Event, ...] = ()
    while True:
        ctx = ctx.advanced(refreshed(ctx))
        decided = _decide(ctx)
        if isinstance(decided, PhaseResult):
            return decided.after_events(*events)
        events += decided.events
        ctx = _past(ctx, decided)


def _past(ctx: RolloutContext, over: StepOver) -> RolloutContext:
    """Returns the context with the pause released and the command that released it consumed."""
    order = ctx.active_command("promote")
    token = over.progress.command if over.progress.full else None
    moved = released(ctx, over.progress, over.by).model_copy(
        update={"command": token_of(order) if order else token}
    )
    return replace(
        ctx,
        advanced_progress=moved,
        commands=tuple(a for a in ctx.commands if a.command != "promote"),
    )


def _decide(ctx: RolloutContext) -> PhaseResult | StepOver:
    base = PhaseResult(
        actions=store_revision(ctx),
        stable=ctx.stable,
        candidate=ctx.target,
        progress=current_progress(ctx),
    )
    aborted = command_cause(ctx, "abort")
    if aborted:
        return roll_back(ctx, base, aborted)
    deployment = ctx.observed.deployment(ctx.target)
    if (
        deployment is None
        or ctx.obsolete_revisions
        or (ctx.previous and ctx.previous != ctx.target)
    ):
        return create_candidate(ctx, base)
    failed, recheck = judge_candidate(ctx, was_fully_ready=ctx.progress.weight > 0)
    failed = failed or analysis_results.failure(ctx) or rejection(ctx)
    if failed:
        return roll_back(ctx, base, failed)
    if ctx.stable_replicas == 0:
        return hold_at_zero(ctx, base)
    if is_scaling_up_from_zero(ctx):
        return wait_for_scale_up(ctx, base)
    if makes_room(ctx):
        held = ctx.pause and not ctx.stable_grace_is_over and ctx.observed.replicas(ctx.stable)
        return paused(ctx, base) if held else scale_down_stable(ctx, base)
    order = ctx.active_command("promote")
    if order:
        return StepOver(base.progress or current_progress(ctx), token_of(order))
    base = base.recheck_in(recheck)
    fault = ctx.router.blocker(ctx)
    if fault:
        return blocked(ctx, base, fault)
    return _raise_weight(ctx, base, deployment)


def _raise_weight(
    ctx: RolloutContext, base: PhaseResult, deployment: Deployment
) -> PhaseResult | StepOver:
    """Provides capacity before weight: pods, then smoke tests, then traffic (R4, R5)."""
    step = next_step(ctx)
    need = capacity.needed(ctx, step)
    if ctx.stable_grace_is_over:
        need = max(need, ctx.traffic.pods_needed(100, ctx.stable_replicas))
    frozen = ctx.pause is not None and _rises(ctx, step, deployment, need)
    held, missing = holding_move(ctx), missing_for_move(ctx)
    # Before its first traffic, pods start and smoke tests run: a gate decides about what is ready.
    waits = bool(held or missing)
    kept = waits and (ctx.progress.pause is not None or ctx.candidate_has_traffic)
    current = ctx.traffic.pods_needed(ctx.progress.weight, ctx.stable_replicas)
    base = base.also(*capacity.shrunk(ctx, current if frozen or kept else need))
    if not ctx.stable_grace_is_over:
        if frozen:
            return paused(ctx, base)
        if kept:
            return _waiting_to_move(ctx, base, held, missing)
    rises = step is not None and step.weight > ctx.progress.granted
    if step and rises and not waits and ctx.router.weight_follows_pods(ctx):
        # More pods raise the share, so the weight is recorded before they exist.
        ctx = ctx.advanced(granted(ctx, step, current_progress(ctx)))
        base = base.at(current_progress(ctx))
    startable = startable_replicas(ctx, need)
    if deployment.replicas < startable:
        base = base.also(Scale(ctx.target, startable))
    passed = smoke_tests.result(ctx)
    if isinstance(passed, Cause):
        return roll_back(ctx, base, passed)
    ready, down = ctx.observed.ready(ctx.target), ctx.stable_unavailable_since is not None
    if ready and not passed and (ready >= need or down):
        return waiting_for_smoke_tests(ctx, base, step)
    if frozen:
        # A pause holds steps but not a fix: the candidate serves and moves no further (R13, R16).
        return paused(ctx, base)
    if waits and ready and (ready >= need or down or kept):
        return _waiting_to_move(ctx, base, held, missing)
    if ready < need:
        return waiting_for_pods(ctx, base, step, need)
    if step is None:
        return _promote(ctx, base, deployment, need)
    return hold_step(ctx, base, step)


def _waiting_to_move(
    ctx: RolloutContext, base: PhaseResult, held: tuple[Gate, ...], missing: Missing | None
) -> PhaseResult:
    """Waits for gates, then for checks that are missing."""
    if missing is None or held:
        return waiting_for_gates(ctx, base, held)
    return waiting_for_checks(ctx, base, missing)


def _rises(ctx: RolloutContext, step: Step | None, deployment: Deployment, need: int) -> bool:
    """Returns whether the next move would raise the candidate's share, which a pause forbids
    (R16)."""
    if step is None:
        return True
    has_pods = deployment.replicas >= need and not serves_for_stable(ctx, ctx.target)
    rises = step.weight > ctx.progress.weight or step.weight == 0
    return rises and not (ctx.candidate_has_traffic and has_pods)


def _promote(
    ctx: RolloutContext, base: PhaseResult, deployment: Deployment, need: int
) -> PhaseResult:
    """Makes the candidate stable in one write: every step is done and all pods are ready (R14)."""
    if not ctx.router.ready_to_promote(ctx):
        if not ctx.route_kind:
            return waiting_for_pods(ctx, base, None, need)
        moves = ctx.router.set_weight(ctx, 100)
        if moves:
            full = granted(ctx, Step(100, 0.0), current_progress(ctx))
            ctx = ctx.advanced(released(ctx, full, PROMOTION))
        return waiting_for_gateway(ctx, base.also(*moves), 100)
    bakes = ctx.settings.bake_time > 0 and ctx.strategy != "Recreate"
    previous = ctx.stable if bakes else None
    until = ctx.now + ctx.settings.bake_time
    wait = Wait(
        HoldReason.BAKE, until=stamp(until), threshold=duration_text(ctx.settings.bake_time)
    )
    warm = f"{describe(ctx, ctx.stable)} stays warm until {time_text(until)}" if bakes else ""
    # If the promotion ends an outage, no version serves until the endpoints follow (R29).
    does = "is serving" if is_answered(ctx) else "is promoted"
    record = ctx.observed.record(ctx.target)
    if record and record.took_over:
        base = base.also(AnnotateRevision(ctx.target, ((ANNOTATION, ""),)))
    base = base.also(
        *ctx.router.promote(ctx, ctx.target, deployment.color, previous, stamp(ctx.now))
    )
    command = current_progress(ctx).command
    outcome = history_entry(
        ctx, ctx.target, OutcomeKind.PROMOTED, OutcomeReason.STEPS_COMPLETED, command=command
    )
    return (
        base.with_message(f"{describe(ctx, ctx.target)} {does}", warm)
        .in_phase(Phase.BAKING if bakes else Phase.READY)
        .at(None)
        .with_revisions(
            ctx.target, previous=previous, bake_start_time=stamp(ctx.now) if bakes else None
        )
        .with_wait(wait if bakes else None)
        .with_outcome(outcome)
        .with_events(
            Event("Normal", EventReason.PROMOTED, f"{describe(ctx, ctx.target)} was promoted")
        )
        .recheck_only_in(ctx.settings.bake_time if bakes else 0.0)
    )
