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

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from canarium.core.context.context import Situation

#: Seconds that stable has to have a ready pod, without a break, before it answers alone again.
RETURN_AFTER = 10.0


def standby(s: Situation) -> str | None:
    """The revision that answers in place of stable; None while stable answers, or nobody may."""
    if s.stable is None or s.count == 0:
        return None
    if s.down_since is not None:
        return next((other for other in _others(s) if _may_answer(s, other)), None)
    parts = (s.previous, s.target)
    waits = (x for x in parts if x and x != s.stable and s.router.covers(s, x))
    by = next((x for x in waits if s.observed.ready(x) and not s.has_failed(x)), None)
    at = returns_at(s, by)
    return by if by and (at is None or at > s.now) else None


def returns_at(s: Situation, by: str | None) -> float | None:
    """When stable, which has ready pods again, answers alone; None until it has enough of them."""
    ready = [p for p in s.observed.pods_of(s.stable) if p.serves]
    unpromoted = by == s.target and by not in s.promoted
    enough = 1 if unpromoted else min(s.count, s.observed.ready(by))
    if not ready or len(ready) < enough:
        return None
    up = min(p.ready_changed if p.ready_changed is not None else s.now for p in ready)
    return min(up, s.now) + RETURN_AFTER


def _others(s: Situation) -> list[str]:
    """Revisions beside stable, in the order in which they may answer for it."""
    found = [s.previous, s.target, *(d.revision for d in s.observed.deployments)]
    names = [x for x in dict.fromkeys(found) if x and x != s.stable]
    return sorted(names, key=lambda x: not s.router.leads_to(s, x))


def _may_answer(s: Situation, revision: str) -> bool:
    if not s.observed.ready(revision):
        return False
    if s.router.leads_to(s, revision):
        return True
    if s.has_failed(revision):
        return False
    if revision == s.previous or revision in s.promoted:
        return True
    return revision == s.target and has_passed_gate(s)


def has_passed_gate(s: Situation) -> bool:
    """Whether the candidate may get its first traffic. One that has traffic has passed."""
    if not s.settings.gated or s.entitled > 0 or s.given:
        return True
    report = s.observed.smoke
    return bool(report and report.revision == s.target and report.passed)
