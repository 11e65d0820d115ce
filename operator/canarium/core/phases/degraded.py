"""Phase Degraded: the version in spec is promoted, and has no ready endpoint (R29).

The operator does the same as in phase Ready: it corrects drift and waits for pods. Only the report
differs, and since an outage may occur in any phase, `report_outage` adds it to the result of
any row of the table.
"""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health import availability
from canarium.core.phases.starting import is_first_unserved

#: Phases in which the version in spec is promoted.
SETTLED = frozenset({"Ready", "Baking", "Degraded"})


def is_degraded(ctx: RolloutContext) -> bool:
    """Returns whether stable has no ready endpoints and had some before."""
    return availability.is_down(ctx, ctx.stable) and not is_first_unserved(ctx)


def report_outage(ctx: RolloutContext, phase: str, result: PhaseResult) -> tuple[str, PhaseResult]:
    """Returns phase and result with an outage of stable added, if there is one."""
    if availability.is_down(ctx, result.stable):
        text = availability.outage_text(ctx, result.stable)
        cause = availability.explained_outage(ctx, result.stable)
        result = result.add(text)
        result = result.explaining(result.stable, cause.place if cause else None)
        if phase in SETTLED:
            phase = "Starting" if availability.is_scaling_up(ctx, result.stable) else "Degraded"
    elif (
        phase == "Ready"
        and ctx.stable_unavailable_since is not None
        and result.stable == ctx.stable
    ):
        phase = "Degraded"  # Another version serves in its place.
    return phase, result
