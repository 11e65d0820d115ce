"""Which revision serves while stable has no ready pods: one rule for all phases and routers.

The traffic record defines which revision is stable, and serving in its place does not change that.
While stable has no ready pods, another revision, the standby, serves from the next decision on, the
first of these that has ready pods (R13, R15):

1. one that receives traffic already, even a failed one: without it no revision would serve;
2. the warm previous version, or any other that was promoted before;
3. the candidate, once it has passed its smoke tests (R4) and every gate before traffic (R27). Its
   weight, steps and analysis are unchanged.

A failed revision receives no traffic that it does not have already (R9). A model that is scaled to
zero has no standby.

Failing back is slower than failing over, so that flapping readiness causes neither a write per flap
nor failed requests: stable serves alone again once it has had a ready pod for `RETURN_AFTER`
without interruption and, beside a promoted standby, at least the same capacity. With router Service
both are selected in the meantime, so endpoints follow readiness without any write. A revision that
is about to be deleted, such as a failed one, loses its traffic without that delay.
"""

from __future__ import annotations

from canarium.core.context import gates
from canarium.core.context.rollout import RolloutFacts

#: Seconds for which stable needs a ready pod, without interruption, before it serves alone again.
RETURN_AFTER = 10.0
#: Tolerated difference between the clocks of operator and node, in seconds.
_CLOCK_SKEW = 5.0


def standby(rollout: RolloutFacts) -> str | None:
    """Returns the revision that serves in place of stable; None while stable serves, or none
    can."""
    if rollout.stable is None or rollout.stable_replicas == 0:
        return None
    if rollout.stable_unavailable_since is not None:
        return next((other for other in _others(rollout) if _may_serve(rollout, other)), None)
    parts = (rollout.previous, rollout.target)
    waits = (x for x in parts if x and x != rollout.stable and serves_for_stable(rollout, x))
    substitute = next(
        (x for x in waits if rollout.observed.ready(x) and not rollout.has_failed(x)), None
    )
    at = returns_at(rollout, substitute)
    return substitute if substitute and (at is None or at > rollout.now) else None


def serves_for_stable(rollout: RolloutFacts, revision: str) -> bool:
    """Returns whether `revision` has traffic only because stable has no ready pods."""
    entitled = rollout.entitled_weight if revision == rollout.target else 0
    return rollout.traffic.exceeds(revision, entitled, rollout.stable_color)


def returns_at(rollout: RolloutFacts, revision: str | None) -> float | None:
    """Returns when stable, which has ready pods again, serves alone (POSIX seconds); None until it
    has enough of them."""
    ready = rollout.observed.ready_pods(rollout.stable)
    unpromoted = revision == rollout.target and revision not in rollout.promoted_revisions
    enough = 1 if unpromoted else min(rollout.stable_replicas, rollout.observed.ready(revision))
    if not ready or len(ready) < enough:
        return None
    up = min(p.ready_changed if p.ready_changed is not None else rollout.now for p in ready)
    if up > rollout.now + _CLOCK_SKEW:
        # This clock is behind that of the node, and would be for an unknown time.
        return rollout.now
    return min(up, rollout.now) + RETURN_AFTER


def _others(rollout: RolloutFacts) -> list[str]:
    """Returns revisions besides stable, in the order in which they may serve for it."""
    candidates = [
        rollout.previous,
        rollout.target,
        *(d.revision for d in rollout.observed.deployments),
    ]
    names = [x for x in dict.fromkeys(candidates) if x and x != rollout.stable]
    return sorted(names, key=lambda x: not rollout.traffic.routes_to(x))


def _may_serve(rollout: RolloutFacts, revision: str) -> bool:
    if not rollout.observed.ready(revision):
        return False
    if rollout.traffic.routes_to(revision):
        return True
    if rollout.has_failed(revision):
        return False
    if revision == rollout.previous or revision in rollout.promoted_revisions:
        return True
    return revision == rollout.target and may_receive_traffic(rollout)


def may_receive_traffic(rollout: RolloutFacts) -> bool:
    """Returns whether the candidate may receive its first traffic, or has traffic already."""
    if rollout.entitled_weight > 0 or rollout.candidate_has_traffic:
        return True
    if not gates.admits_traffic(rollout):
        return False
    if not rollout.settings.smoke_tests:
        return True
    report = rollout.observed.smoke
    return bool(report and report.revision == rollout.target and report.passed)
