"""Settings of the spec that take effect after the current rollout (R12)."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.context.context import RolloutContext
from canarium.core.messages import sentences


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition `SettingsPending` while a setting waits."""
    waits = pending(ctx)
    return (
        ((ConditionType.SETTINGS_PENDING, True, ConditionReason.ROLLOUT_IN_PROGRESS, waits),)
        if waits
        else ()
    )


def named(ctx: RolloutContext, message: str) -> str:
    """Returns `message` with the settings that wait."""
    waits = pending(ctx)
    return sentences(message, waits or "")


def pending(ctx: RolloutContext) -> str | None:
    """Returns which settings wait, and for what; None when all are in effect."""
    if ctx.stable is None:
        return None
    waits = []
    if ctx.target != ctx.stable and not ctx.quarantined and ctx.strategy != ctx.settings.strategy:
        waits.append(
            f"Strategy {ctx.settings.strategy} takes effect after this rollout, which keeps "
            "strategy "
            f"{ctx.strategy} and its steps"
        )
    wanted = ctx.settings.route.kind if ctx.settings.route else None
    if wanted != ctx.route_kind and (
        ctx.target != ctx.stable or ctx.previous or ctx.obsolete_revisions
    ):
        router = ctx.settings.traffic.router
        waits.append(f"Router {router} takes effect once no rollout or bake is in progress")
    return sentences(*waits) or None
