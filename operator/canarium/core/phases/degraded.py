"""Phase Degraded: the version in spec is promoted, and has no ready endpoint (R29).

The operator does the same as in phase Ready: it corrects drift and waits for pods. Only the report
differs, and since an outage may occur in any phase, `report_outage` adds it to the result of
any row of the table.
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult, Place
from canarium.core.health import availability
from canarium.core.phases.ready import ready
from canarium.core.phases.starting import is_first_unserved

#: Phases in which the version in spec is promoted.
SETTLED = frozenset({Phase.READY, Phase.BAKING, Phase.DEGRADED})


def degraded(ctx: RolloutContext) -> PhaseResult:
    """Corrects drift and waits for pods, as in phase Ready."""
    return ready(ctx)


def is_degraded(ctx: RolloutContext) -> bool:
    """Returns whether stable has no ready endpoints and had some before."""
    return availability.is_down(ctx, ctx.stable) and not is_first_unserved(ctx)


def report_outage(
    ctx: RolloutContext, phase: Phase, result: PhaseResult
) -> tuple[Phase, PhaseResult]:
    """Returns phase and result with an outage of stable added, if there is one."""
    if availability.is_down(ctx, result.stable):
        cause = availability.explained_outage(ctx, result.stable)
        place = cause.place if cause else None
        result = result.add(_outage_text(ctx, result, place)).explaining(result.stable, place)
        if phase in SETTLED:
            phase = (
                Phase.STARTING if availability.is_scaling_up(ctx, result.stable) else Phase.DEGRADED
            )
    elif (
        phase == Phase.READY
        and ctx.stable_unavailable_since is not None
        and result.stable == ctx.stable
    ):
        phase = Phase.DEGRADED  # Another version serves in its place.
    return phase, result


def _outage_text(ctx: RolloutContext, result: PhaseResult, place: Place | None) -> str:
    """Returns what the message does not state yet about an outage whose cause is at `place`."""
    wait = result.waiting_for
    if wait is not None and wait.awaited is HoldReason.SCALING_UP_STABLE:
        return ""
    if place is not None and (result.stable, place) in result.explained:
        return "no version is serving"
    return availability.outage_text(ctx, result.stable, is_explained=result.explains_outage)
