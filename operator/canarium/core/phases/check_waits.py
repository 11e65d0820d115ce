"""Waits for checks of templates that are missing: the weight is held until they can judge (R17)."""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.core.context.check_templates import Missing
from canarium.core.context.context import RolloutContext
from canarium.core.context.missing_checks import missing_checks
from canarium.core.context.naming import describe
from canarium.core.context.position import current_step
from canarium.core.context.progress import next_step, progress_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.messages import command_advice
from canarium.core.phases.waiting import held_weight, next_move_text, traffic_text


def missing_for_move(ctx: RolloutContext) -> Missing | None:
    """Returns why the candidate's next move has to wait for checks; None while it is at a step.

    A granted weight may take effect.
    """
    step = next_step(ctx)
    if step is not None and current_step(ctx) is not None:
        return None
    return missing_checks(ctx)


def waiting_for_checks(ctx: RolloutContext, base: PhaseResult, missing: Missing) -> PhaseResult:
    """Keeps the candidate's weight until nothing is `missing`."""
    base = base.also(*held_weight(ctx, base, relief=False))
    base = base.at(progress_at(ctx, ctx.progress.weight))
    has = f"{describe(ctx, ctx.target)} {traffic_text(ctx)}"
    return without_checks(ctx, base, has, missing, f"it {next_move_text(next_step(ctx))}")


def without_checks(
    ctx: RolloutContext, base: PhaseResult, has: str, missing: Missing, then: str
) -> PhaseResult:
    """Waits because checks are `missing`; `has` describes the version, `then` what follows."""
    return base.with_rejection(ctx.template_checks.rejection).wait(
        HoldReason.ANALYSIS_NOT_READY,
        f"{has} and is not judged by all checks",
        missing[1],
        f"Once that is corrected, {then}",
        command_advice("promote-full", ctx.target, "To continue without analysis"),
        threshold="every check can be evaluated",
    )
