"""The progress deadline: it counts waiting for pods, and nothing else (R7)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.facts.observed import Pod
from canarium.core.times import parse

#: Seconds in which a cluster makes endpoints of ready pods.
ENDPOINTS_AFTER = 15.0


def ready_by(ctx: RolloutContext) -> float | None:
    """Returns when the candidate's pods have to be ready; None when none are missing.

    Pods that became ready in time count, also where the operator saw them later (R18). That the
    cluster has not made endpoints of them is not the version's fault (R7).
    """
    due, last = waited_until(ctx), last_ready(ctx)
    since = last.ready_changed if last else None
    return due if due is None or since is None or since > due else None


def endpoints_due(ctx: RolloutContext) -> float | None:
    """Returns when the wanted revision's ready pods should have become endpoints of the Service
    that selects them; None when one has, or none is to be yet."""
    if ctx.observed.has_endpoints(ctx.target):
        return None
    if ctx.target == ctx.stable:
        began = ctx.traffic.record.promoted
    elif ctx.candidate_has_traffic and not ctx.route_kind and ctx.grant and ctx.grant.since:
        began = parse(ctx.grant.since)
    else:
        return None
    ready = [p.ready_changed or ctx.now for p in ctx.observed.pods_of(ctx.target) if p.serves]
    if began is None or not ready:
        return None
    return min(ctx.now, max(began, min(ready))) + ENDPOINTS_AFTER


def waited_until(ctx: RolloutContext) -> float | None:
    """When the time is over that the candidate's pods have to get ready in; None when none are
    waited for."""
    if ctx.progress.wait_start_time is None:
        return None
    began = min(ctx.now, parse(ctx.progress.wait_start_time))
    return began - ctx.progress.waited_seconds + ctx.settings.progress_deadline


def last_ready(ctx: RolloutContext) -> Pod | None:
    """The pod that was the last to get ready, once the candidate has all that it asked for."""
    deployment = ctx.observed.deployment(ctx.target)
    wanted = deployment.replicas if deployment else 0
    ready = [p for p in ctx.observed.pods_of(ctx.target) if p.serves]
    if not 0 < wanted <= len(ready):
        return None
    return max(ready, key=lambda p: p.ready_changed or 0.0)
