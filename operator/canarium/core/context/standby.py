"""Who answers while stable has no ready pod: one rule for every phase and both kinds of router.

Stable is the revision that callers are meant to reach; the traffic record says which one that is,
and answering does not change it. While stable has no ready pod, another revision answers within
one decision, if one may (R13, R15):

1. one that callers are led to already, whatever its state: taking that away would leave nobody;
2. the warm version before, or any other that was promoted once;
3. the candidate, once it has passed its gate (R4). Its weight, steps and analysis stay as they are.

A revision that has failed gets no traffic that it does not have already (R9). A model that is
scaled to zero wants nobody to answer, so nobody stands in for it.

The way back is slower than the way there, so that a readiness that flaps neither costs a write per
flap nor a failed request: callers go back to stable alone once it has had a ready pod for
`RETURN_AFTER` without a break and, beside a promoted revision, no less capacity than that one. With
router Service both are selected in the meantime, so endpoints follow readiness without any write.
A revision that is on its way out, such as a failed one, loses its traffic without that delay.
"""

from __future__ import annotations

from canarium.core.context.rollout import Rollout

#: Seconds that stable has to have a ready pod, without a break, before it answers alone again.
RETURN_AFTER = 10.0


def standby(rollout: Rollout) -> str | None:
    """The revision that answers in place of stable; None while stable answers, or nobody may."""
    if rollout.stable is None or rollout.stable_replicas == 0:
        return None
    if rollout.stable_unavailable_since is not None:
        return next((other for other in _others(rollout) if _may_answer(rollout, other)), None)
    parts = (rollout.previous, rollout.target)
    waits = (x for x in parts if x and x != rollout.stable and covers_for_stable(rollout, x))
    by = next((x for x in waits if rollout.observed.ready(x) and not rollout.has_failed(x)), None)
    at = returns_at(rollout, by)
    return by if by and (at is None or at > rollout.now) else None


def covers_for_stable(rollout: Rollout, revision: str) -> bool:
    """Whether `revision` has traffic only because stable has no ready pod."""
    entitled = rollout.entitled_weight if revision == rollout.target else 0
    return rollout.traffic.exceeds(revision, entitled, rollout.stable_color)


def returns_at(rollout: Rollout, by: str | None) -> float | None:
    """When stable, which has ready pods again, answers alone; None until it has enough of them."""
    ready = [p for p in rollout.observed.pods_of(rollout.stable) if p.serves]
    unpromoted = by == rollout.target and by not in rollout.promoted_revisions
    enough = 1 if unpromoted else min(rollout.stable_replicas, rollout.observed.ready(by))
    if not ready or len(ready) < enough:
        return None
    up = min(p.ready_changed if p.ready_changed is not None else rollout.now for p in ready)
    return min(up, rollout.now) + RETURN_AFTER


def _others(rollout: Rollout) -> list[str]:
    """Revisions beside stable, in the order in which they may answer for it."""
    found = [rollout.previous, rollout.target, *(d.revision for d in rollout.observed.deployments)]
    names = [x for x in dict.fromkeys(found) if x and x != rollout.stable]
    return sorted(names, key=lambda x: not rollout.traffic.routes_to(x))


def _may_answer(rollout: Rollout, revision: str) -> bool:
    if not rollout.observed.ready(revision):
        return False
    if rollout.traffic.routes_to(revision):
        return True
    if rollout.has_failed(revision):
        return False
    if revision == rollout.previous or revision in rollout.promoted_revisions:
        return True
    return revision == rollout.target and has_passed_gate(rollout)


def has_passed_gate(rollout: Rollout) -> bool:
    """Whether the candidate may get its first traffic. One that has traffic has passed."""
    if not rollout.settings.gated or rollout.entitled_weight > 0 or rollout.candidate_has_traffic:
        return True
    report = rollout.observed.smoke
    return bool(report and report.revision == rollout.target and report.passed)
