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
    from canarium.core.context.context import RolloutContext

#: Seconds that stable has to have a ready pod, without a break, before it answers alone again.
RETURN_AFTER = 10.0


def standby(ctx: RolloutContext) -> str | None:
    """The revision that answers in place of stable; None while stable answers, or nobody may."""
    if ctx.stable is None or ctx.stable_replicas == 0:
        return None
    if ctx.stable_unavailable_since is not None:
        return next((other for other in _others(ctx) if _may_answer(ctx, other)), None)
    parts = (ctx.previous, ctx.target)
    waits = (x for x in parts if x and x != ctx.stable and ctx.router.covers_for_stable(ctx, x))
    by = next((x for x in waits if ctx.observed.ready(x) and not ctx.has_failed(x)), None)
    at = returns_at(ctx, by)
    return by if by and (at is None or at > ctx.now) else None


def returns_at(ctx: RolloutContext, by: str | None) -> float | None:
    """When stable, which has ready pods again, answers alone; None until it has enough of them."""
    ready = [p for p in ctx.observed.pods_of(ctx.stable) if p.serves]
    unpromoted = by == ctx.target and by not in ctx.promoted_revisions
    enough = 1 if unpromoted else min(ctx.stable_replicas, ctx.observed.ready(by))
    if not ready or len(ready) < enough:
        return None
    up = min(p.ready_changed if p.ready_changed is not None else ctx.now for p in ready)
    return min(up, ctx.now) + RETURN_AFTER


def _others(ctx: RolloutContext) -> list[str]:
    """Revisions beside stable, in the order in which they may answer for it."""
    found = [ctx.previous, ctx.target, *(d.revision for d in ctx.observed.deployments)]
    names = [x for x in dict.fromkeys(found) if x and x != ctx.stable]
    return sorted(names, key=lambda x: not ctx.router.routes_to(ctx, x))


def _may_answer(ctx: RolloutContext, revision: str) -> bool:
    if not ctx.observed.ready(revision):
        return False
    if ctx.router.routes_to(ctx, revision):
        return True
    if ctx.has_failed(revision):
        return False
    if revision == ctx.previous or revision in ctx.promoted_revisions:
        return True
    return revision == ctx.target and has_passed_gate(ctx)


def has_passed_gate(ctx: RolloutContext) -> bool:
    """Whether the candidate may get its first traffic. One that has traffic has passed."""
    if not ctx.settings.gated or ctx.entitled_weight > 0 or ctx.candidate_has_traffic:
        return True
    report = ctx.observed.smoke
    return bool(report and report.revision == ctx.target and report.passed)
