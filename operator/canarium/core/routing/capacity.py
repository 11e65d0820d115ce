"""Numbers of pods of stable and candidate while both have traffic (R5, R6).

With router Service the split is by ready pods, so the candidate's share would rise when stable is
scaled down. No scale event may do that. The candidate is scaled down first; stable follows as far
as the remaining pods of the candidate allow at its weight, and keeps the rest until the rollout is
over. With weights of a route only the candidate's capacity follows.
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Scale, SelectColor
from canarium.core.facts.grant import intended_weight


def needed(ctx: RolloutContext, step: Step | None) -> int:
    """Returns the number of candidate pods for `step`.

    At a weight that it has, no more than the ready pods of stable allow: stable grows first.
    """
    weight = step.weight if step else 100
    keeps_weight = step is not None and 0 < weight <= ctx.progress.weight
    if not keeps_weight or ctx.route_kind or ctx.stable_unavailable_since is not None:
        return ctx.traffic.pods_needed(weight, ctx.stable_replicas)
    return ctx.traffic.pods_needed(weight, min(ctx.stable_replicas, ctx.observed.ready(ctx.stable)))


def shrunk(ctx: RolloutContext, need: int) -> list[Action]:
    """Returns the scale-down of a candidate that has more pods than it needs, once stable is
    complete."""
    deployment = ctx.observed.deployment(ctx.target)
    whole = ctx.observed.ready(ctx.stable) >= ctx.stable_replicas and ctx.standby is None
    if deployment is None or not whole or deployment.replicas <= need:
        return []
    return [Scale(ctx.target, need)]


def floor(ctx: RolloutContext, result: PhaseResult) -> int:
    """Returns the smallest size to which stable may be scaled down now."""
    stable, candidate = ctx.observed.deployment(ctx.stable), ctx.observed.deployment(ctx.target)
    if (
        stable is None
        or candidate is None
        or ctx.target == ctx.stable
        or ctx.strategy == "Recreate"
    ):
        return 0
    pods = max(candidate.replicas, ctx.observed.ready(ctx.target))
    has_traffic = ctx.traffic.routes_to(ctx.target) or ctx.observed.has_endpoints(ctx.target)
    if not (has_traffic or _gets_traffic(ctx, result)) or not pods:
        return 0
    if ctx.stable_replicas == 0:
        return stable.replicas  # The candidate's traffic and pods are removed first.
    weight = intended_weight(result.progress) if result.progress else 0
    if ctx.route_kind or not weight:
        return 0
    return min(stable.replicas, -(-pods * (100 - weight) // weight))


def _gets_traffic(ctx: RolloutContext, result: PhaseResult) -> bool:
    """Returns whether this decision makes the Service select the candidate beside stable."""
    return any(
        isinstance(action, SelectColor)
        and (action.color, action.traffic.candidate) == ("", ctx.target)
        for action in result.actions
    )
