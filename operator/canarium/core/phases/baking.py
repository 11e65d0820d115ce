"""Phase Baking: the new version is promoted, and the one before stays warm for an undo (R15)."""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import holding_bake
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action
from canarium.core.health import analysis_results
from canarium.core.health import outages as outage
from canarium.core.health.availability import serving_state
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.gate_results import rejection
from canarium.core.messages import command_advice, location
from canarium.core.outcomes.records import command_cause
from canarium.core.phases.deployments import delete_revisions, store_revision
from canarium.core.phases.gate_waits import at_gates
from canarium.core.phases.undo import undo
from canarium.core.phases.waiting import resume_advice
from canarium.core.times import duration_text, stamp, time_text


def baking(ctx: RolloutContext) -> PhaseResult:
    """Judges the promoted version until the bake is over; a failure undoes the promotion."""
    outages = outage.count(ctx)
    base = PhaseResult(
        actions=store_revision(ctx),
        stable=ctx.stable,
        previous=ctx.previous,
        bake_start_time=stamp(ctx.bake_start),
        outages=outages,
    )
    failed, recheck = judge_candidate(ctx, was_fully_ready=True)
    judging = ctx.settings.analysis
    if not failed and judging and judging.during_bake:
        failed = analysis_results.failure(ctx)
    failed = failed or rejection(ctx)
    cause = command_cause(ctx, "undo") or failed or outage.cause(ctx, outages)
    if cause:
        return undo(ctx, base.explaining(ctx.stable, failed.place if failed else None), cause)
    base = base.recheck_in(recheck)
    if ctx.stable_unavailable_since is not None or ctx.standby:
        return _interrupted(ctx, base)
    # A Service that was deleted or edited is restored now: no version serves until then (R23).
    base = base.also(*ctx.router.route_all_to_stable(ctx))
    missing, does = serving_state(ctx)
    base = base.with_reason(missing.reason if missing else "")
    base = base.explaining(ctx.stable, missing.place if missing else None)
    has = f"{describe(ctx, ctx.stable)} {does}"
    warm = f"{describe(ctx, ctx.previous)} stays warm"
    if ctx.pause:
        text = f"{warm} while the bake is paused by {ctx.pause_text}"
        return base.wait(HoldReason.PAUSED, has, text, resume_advice(ctx))
    if ctx.stable_replicas == 0:
        left = duration_text(
            max(0.0, ctx.bake_start + ctx.settings.bake_time - _at_zero_since(ctx))
        )
        text = f"The bake is on hold until the model is scaled up, with {left} left"
        return base.wait(HoldReason.SCALED_TO_ZERO, has, text)
    if judging and judging.during_bake and (why := analysis_results.bake_hold(ctx)) is not None:
        return base.wait(
            HoldReason.CHECK_FAILED,
            has,
            f"The bake cannot end until the analysis passes: {why}",
            command_advice("undo", ctx.target, f"To roll back to {describe(ctx, ctx.previous)}"),
        )
    end = ctx.bake_start + ctx.settings.bake_time
    if end > ctx.now:
        return base.recheck_in(end - ctx.now).wait(
            HoldReason.BAKE,
            has,
            f"{warm} until {time_text(end)}",
            _unjudged(ctx),
            until=end,
            threshold=duration_text(ctx.settings.bake_time),
        )
    held = holding_bake(ctx)
    if held:
        return at_gates(ctx, base, held, has, "the bake ends", f"{warm} until then")
    moves: list[Action] = []
    if ctx.router.stable_has_all(ctx):
        moves += delete_revisions(ctx, (ctx.previous or "",))
    over = base.with_revisions(ctx.stable).in_phase(Phase.READY).recheck_only_in(None)
    return over.also(*moves).with_message(has)


def _unjudged(ctx: RolloutContext) -> str:
    """Returns which checks are missing in the bake; empty while none are.

    As a bake needs no pass, it does not wait for them (R15): the previous version would stay warm
    until a user corrects the spec of one that serves well.
    """
    judging, missing = ctx.settings.analysis, ctx.template_checks.missing
    if missing is None or judging is None or not judging.during_bake:
        return ""
    return f"The bake is not judged by all checks, and ends without them: {missing[1]}"


def _at_zero_since(ctx: RolloutContext) -> float:
    return min(ctx.now, ctx.waiting_since(HoldReason.SCALED_TO_ZERO))


def _interrupted(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Waits while the new stable has no ready pods, or had none a moment ago.

    The warm version serves if it can. The bake does not end meanwhile, paused or not (R15).
    """
    down = ctx.stable_unavailable_since is not None
    until = outage.ends_at(ctx) if ctx.standby else None
    missing, _ = serving_state(ctx)
    why = f": {missing.message}{location(missing.pod, missing.container)}" if missing else ""
    has = f"has no ready pods{why}" if down else "has ready pods again"
    then = (
        f"The promotion is undone unless it is ready by {time_text(until)}"
        if until
        else "The bake ends only after this version serves all traffic again"
    )
    base = base.explaining(ctx.stable, missing.place if missing else None).explaining_outage()
    waiting = base.recheck_in(until - ctx.now if until else None).wait(
        HoldReason.STABLE_UNAVAILABLE,
        f"{describe(ctx, ctx.stable)} {has}",
        then,
        until=until,
        observed=f"{ctx.observed.ready(ctx.stable)} ready",
        threshold=f"{ctx.stable_replicas} ready",
    )
    return waiting.with_reason(missing.reason if missing else HoldReason.STABLE_UNAVAILABLE)
