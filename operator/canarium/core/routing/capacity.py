"""How many pods stable and candidate have while both have traffic (R5, R6).

With router Service the split is by ready pods, so the candidate's share rises when stable gets
smaller. No scale event may do that. The candidate shrinks first; stable follows as far as the pods
that the candidate still has allow at its weight, and keeps the rest until the rollout is over. With
a router that has weights of its own only the candidate's capacity follows.
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Scale
from canarium.core.facts.grant import intended_weight


def needed(ctx: RolloutContext, step: Step | None) -> int:
    """How many pods the candidate needs for `step`. While it stands at a weight, no more than the
    ready pods of stable allow: stable grows first."""
    weight = step.weight if step else 100
    stands = step is not None and 0 < weight <= ctx.progress.weight
    if not stands or ctx.route_kind or ctx.stable_unavailable_since is not None:
        return ctx.traffic.pods_needed(weight, ctx.stable_replicas)
    return ctx.traffic.pods_needed(weight, min(ctx.stable_replicas, ctx.observed.ready(ctx.stable)))


def shrunk(ctx: RolloutContext, need: int) -> list[Action]:
    """Takes from the candidate the pods that it has no need of, once stable has all of its own."""
    deployment = ctx.observed.deployment(ctx.target)
    whole = ctx.observed.ready(ctx.stable) >= ctx.stable_replicas and ctx.standby is None
    if deployment is None or not whole or deployment.replicas <= need:
        return []
    return [Scale(ctx.target, need)]


def floor(ctx: RolloutContext, result: PhaseResult) -> int:
    """The fewest pods that stable may be scaled down to now."""
    stable, candidate = ctx.observed.deployment(ctx.stable), ctx.observed.deployment(ctx.target)
    if (
        stable is None
        or candidate is None
        or ctx.target == ctx.stable
        or ctx.strategy == "Recreate"
    ):
        return 0
    pods = max(candidate.replicas, ctx.observed.ready(ctx.target))
    led = ctx.traffic.routes_to(ctx.target) or ctx.observed.has_endpoints(ctx.target)
    if not led or not pods:
        return 0
    if ctx.stable_replicas == 0:
        return stable.replicas  # The candidate's traffic and pods go first.
    weight = intended_weight(result.progress) if result.progress else 0
    if ctx.route_kind or not weight:
        return 0
    return min(stable.replicas, -(-pods * (100 - weight) // weight))
