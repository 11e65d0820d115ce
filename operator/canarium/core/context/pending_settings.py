"""Settings that the spec has and that wait until the rollout under way is over (R12)."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.context.context import Situation


def reported(s: Situation) -> tuple[tuple[str, bool, str, str], ...]:
    """The condition that is there while something waits."""
    waits = pending(s)
    return (
        ((ConditionType.SETTINGS_PENDING, True, ConditionReason.ROLLOUT_IN_PROGRESS, waits),)
        if waits
        else ()
    )


def named(s: Situation, message: str) -> str:
    """`message` with what waits."""
    waits = pending(s)
    return f"{message}; {waits}" if waits else message


def pending(s: Situation) -> str | None:
    """What waits, and for what; None when all settings are in effect."""
    if s.stable is None:
        return None
    waits = []
    if s.target != s.stable and not s.quarantined and s.strategy != s.settings.strategy:
        waits.append(
            f"strategy {s.settings.strategy} takes effect after this rollout, which keeps "
            f"the strategy {s.strategy} and the steps that it began with"
        )
    wanted = s.settings.route.kind if s.settings.route else None
    if wanted != s.route_kind and (s.target != s.stable or s.previous or s.strays):
        router = (s.spec.get("traffic") or {}).get("router") or "Service"
        waits.append(f"router {router} takes effect once no rollout or bake is in progress")
    return "; ".join(waits) or None
