"""Holds a step whose weight is in effect until its pause, its analysis or a command ends it (R17).

`hold_step` returns either a result that waits, or `StepOver`: the pause has ended, and the next
step is decided in the same moment (see `core.phases.progressing`).
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.effective_analysis import EffectiveAnalysis
from canarium.api.effective_spec import Step
from canarium.api.reasons import CheckReason, EventReason, FailureReason, HoldReason
from canarium.api.status import Progress
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import holding
from canarium.core.context.missing_checks import missing_checks
from canarium.core.context.naming import describe
from canarium.core.context.position import current_step, granted, released, step_above_granted
from canarium.core.context.progress import current_progress, progress_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.evidence.measures import NOT_OF_THE_VERSION
from canarium.core.evidence.verdict import Finding
from canarium.core.facts.grant import ELAPSED, INSUFFICIENT, PASSED, PROMOTE, PROMOTION
from canarium.core.health import analysis_results
from canarium.core.messages import command_advice, sentences
from canarium.core.phases.check_waits import without_checks
from canarium.core.phases.rollback import roll_back
from canarium.core.phases.waiting import (
    next_move_text,
    resume_advice,
    waiting_for_gateway,
    waiting_for_pods,
)
from canarium.core.times import duration_text, parse, stamp, time_text


@dataclass(frozen=True, slots=True)
class StepOver:
    """The current pause has ended because of `by`; `progress` is the position that it had
    reached."""

    progress: Progress
    by: str
    events: tuple[Event, ...] = ()


def hold_step(ctx: RolloutContext, base: PhaseResult, step: Step) -> PhaseResult | StepOver:
    """Moves the candidate to the weight of `step` and holds it there until its pause is over."""
    applied = ctx.router.weight_applied(ctx, step.weight)
    moves = [] if applied else ctx.router.set_weight(ctx, step.weight)
    if (applied or moves) and current_step(ctx) is None:
        ctx = ctx.advanced(granted(ctx, step, current_progress(ctx)))
        base = base.at(current_progress(ctx))
    if not applied:
        base = base.also(*moves)
        if ctx.route_kind:
            return waiting_for_gateway(ctx, base, step.weight)
        return waiting_for_pods(
            ctx, base, step, ctx.traffic.pods_needed(step.weight, ctx.stable_replicas)
        )
    progress = progress_at(ctx, step.weight)
    if progress.step_start_time is None:
        progress = progress.model_copy(update={"step_start_time": stamp(ctx.now)})
    base = base.at(progress)
    has, onward = _has(ctx, step), _text_after_step(ctx)
    if ctx.pause:
        text = f"{has}, and the rollout is paused by {ctx.pause_text}"
        return base.wait(
            HoldReason.PAUSED, text, resume_advice(ctx), f"After this step, it {onward}"
        )
    if step.pause is None:
        return base.wait(
            HoldReason.MANUAL,
            f"{has} and waits for a manual promotion",
            f"{command_advice('promote', ctx.target, 'To continue')}. Then it {onward}",
            threshold="command promote",
        )
    until = parse(progress.step_start_time or stamp(ctx.now)) + step.pause
    if until > ctx.now:
        return base.recheck_in(until - ctx.now).wait(
            HoldReason.STEP_PAUSE,
            f"{has} until {time_text(until)}, then {onward}",
            until=until,
            threshold=duration_text(step.pause),
        )
    if progress.analysis or analysis_results.requires_verdict(ctx, step.weight):
        return _await_evidence(ctx, base, progress, step, until)
    return StepOver(progress, ELAPSED)


def _has(ctx: RolloutContext, step: Step) -> str:
    # While it serves in place of stable it has more than its weight (`core.routing.failover`).
    verb = "is at" if ctx.standby == ctx.target else "has"
    has = f"{describe(ctx, ctx.target)} {verb} weight {step.weight}"
    if all(x.weight != step.weight for x in ctx.steps):
        has += " (no longer in spec.rollout.steps)"
    return has


def _text_after_step(ctx: RolloutContext) -> str:
    """Returns what the candidate does after the present step."""
    over = ctx.advanced(released(ctx, ctx.progress, PROMOTION))
    current = None if ctx.progress.full else current_step(over)
    step = None if ctx.progress.full else current or step_above_granted(over)
    gates_ahead = () if current else holding(ctx, step)
    if gates_ahead:
        return f"waits for gate {gates_ahead[0].name} before {gates_ahead[0].point}"
    return next_move_text(step)


def _await_evidence(
    ctx: RolloutContext, base: PhaseResult, progress: Progress, step: Step, until: float
) -> PhaseResult | StepOver:
    """Ends the step by its evidence or, without any, by the policy of the spec (R17)."""
    judging, onward = ctx.settings.analysis, _text_after_step(ctx)
    if judging is None or not analysis_results.requires_verdict(ctx, step.weight):
        return base.wait(
            HoldReason.ANALYSIS_REMOVED,
            f"{describe(ctx, ctx.target)} has weight {step.weight}",
            "Its analysis was removed from the spec, so only a command ends this step",
            f"{command_advice('promote', ctx.target, 'To continue')}. Then it {onward}",
            threshold="command promote",
        )
    evidence = analysis_results.step_evidence(
        ctx, parse(progress.step_start_time or stamp(ctx.now))
    )
    missing = missing_checks(ctx)
    if evidence and analysis_results.passes(ctx, evidence) and missing is None:
        return StepOver(progress, PASSED)
    open_check = evidence.open if evidence else None
    exhausted = bool(
        evidence
        and evidence.exhausted
        and evidence.at >= until
        and analysis_results.is_current(ctx, evidence)
    )
    may_promote = judging.on_insufficient == PROMOTE and progress.analysis in (None, PROMOTE)
    if exhausted and open_check and may_promote and missing is None:
        text = sentences(
            f"revision {ctx.target} passes check {open_check.check} without enough data: "
            f"{open_check.message}",
            "The rollout continues because spec.rollout.analysis.onInsufficientData is Promote",
        )
        event = Event("Warning", EventReason.ANALYSIS_INSUFFICIENT, text)
        return StepOver(progress, INSUFFICIENT, (event,))
    if evidence and evidence.holding:
        return _on_hold(ctx, base, step, evidence.holding)
    if exhausted and open_check and _rolls_back(judging, open_check):
        return roll_back(
            ctx, base, analysis_results.cause_of(FailureReason.INSUFFICIENT_DATA, open_check)
        )
    if missing:
        return without_checks(ctx, base, _has(ctx, step), missing, f"it {onward}")
    return _wait_for_check(ctx, base, step, open_check, exhausted=exhausted)


def _rolls_back(judging: EffectiveAnalysis, open_check: Finding) -> bool:
    """Returns whether missing data fails the candidate.

    A blocked connection and a lack of the operator's own resources are not evidence about the
    version (R7).
    """
    return judging.on_insufficient == "RollBack" and open_check.reason not in NOT_OF_THE_VERSION


def _wait_for_check(
    ctx: RolloutContext, base: PhaseResult, step: Step, check: Finding | None, *, exhausted: bool
) -> PhaseResult:
    unreached = check is not None and check.reason == CheckReason.PODS_UNREACHABLE
    what = f"check {check.check}" if check else "the first analysis result"
    passes = f" to pass ({check.reason})" if check else ""
    reason = HoldReason.INSUFFICIENT_DATA if exhausted else HoldReason.ANALYSIS
    reason = HoldReason.PODS_UNREACHABLE if unreached else reason
    result = base.wait(
        reason,
        f"{describe(ctx, ctx.target)} has weight {step.weight} and waits for {what}{passes}",
        f"After that, it {_text_after_step(ctx)}",
        threshold="every check passes",
    )
    old = ctx.status.waiting_for
    reported = old is not None and old.awaited is reason
    if reason is not HoldReason.INSUFFICIENT_DATA or check is None or reported:
        return result
    text = (
        f"revision {ctx.target} keeps weight {step.weight} because {what} has insufficient data: "
    )
    text += check.message
    return result.with_events(Event("Warning", reason, text))


def _on_hold(ctx: RolloutContext, base: PhaseResult, step: Step, check: Finding) -> PhaseResult:
    """Holds the step after a failed check whose policy is to hold instead of rolling back."""
    return base.wait(
        HoldReason.CHECK_FAILED,
        f"{describe(ctx, ctx.target)} keeps weight {step.weight}: check {check.check} failed: "
        f"{check.message}",
        f"It {_text_after_step(ctx)} when the check passes",
        command_advice("promote", ctx.target, "To continue anyway"),
        command_advice("abort", ctx.target, "To roll back"),
        observed=f"{check.value:.6g}" if check.value is not None else None,
        threshold=f"{check.threshold:.6g}" if check.threshold is not None else None,
    )
