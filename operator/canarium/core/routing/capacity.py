"""How many pods stable and candidate have while both have traffic (R5, R6).

With router Service the split is by ready pods, so the candidate's share rises when stable gets
smaller. No scale event may do that. The candidate shrinks first; stable follows as far as the pods
that the candidate still has allow at its weight, and keeps the rest until the rollout is over. With
a router that has weights of its own only the candidate's capacity follows.
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.core.context.context import Situation
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Scale
from canarium.core.facts.grant import asked


def needed(s: Situation, step: Step | None) -> int:
    """How many pods the candidate needs for `step`. While it stands at a weight, no more than the
    ready pods of stable allow: stable grows first."""
    weight = step.weight if step else 100
    stands = step is not None and 0 < weight <= s.progress.weight
    if not stands or s.route_kind or s.down_since is not None:
        return s.router.needed(weight, s.count)
    return s.router.needed(weight, min(s.count, s.observed.ready(s.stable)))


def shrunk(s: Situation, need: int) -> list[Action]:
    """Takes from the candidate the pods that it has no need of, once stable has all of its own."""
    deployment = s.observed.deployment(s.target)
    whole = s.observed.ready(s.stable) >= s.count and s.standby is None
    if deployment is None or not whole or deployment.replicas <= need:
        return []
    return [Scale(s.target, need)]


def floor(s: Situation, result: PhaseResult) -> int:
    """The fewest pods that stable may be scaled down to now."""
    stable, candidate = s.observed.deployment(s.stable), s.observed.deployment(s.target)
    if stable is None or candidate is None or s.target == s.stable or s.strategy == "Recreate":
        return 0
    pods = max(candidate.replicas, s.observed.ready(s.target))
    led = s.router.leads_to(s, s.target) or s.observed.served_by(s.target)
    if not led or not pods:
        return 0
    if s.count == 0:
        return stable.replicas  # The candidate's traffic and pods go first.
    weight = asked(result.progress) if result.progress else 0
    if s.route_kind or not weight:
        return 0
    return min(stable.replicas, -(-pods * (100 - weight) // weight))
