"""What the phases without a stable version, Starting and Failed, have in common (R3)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.context.progress import current_progress
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import SelectColor
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.phases.deployments import delete_revisions, store_revision


def without_stable(ctx: RolloutContext) -> PhaseResult:
    """Returns the result in which the Service selects nothing and obsolete revisions are deleted.

    A Service that selects ready pods already, as after a lost status, is left as it is (R0).
    """
    base = PhaseResult(
        actions=store_revision(ctx), candidate=ctx.target, progress=current_progress(ctx)
    )
    service = ctx.observed.service
    if service and service.color is not None and safe_to_select(None, ctx.observed):
        base = base.also(SelectColor(None, TrafficRecord(candidate=ctx.target)))
    return base.also(*delete_revisions(ctx, ctx.obsolete_revisions))
