"""The progress deadline: it counts waiting for pods, and nothing else (R7)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.facts.observed import Pod
from canarium.core.times import parse


def ready_by(ctx: RolloutContext) -> float | None:
    """When the candidate's pods have to be ready, and those that are have to be among the
    endpoints; None when none are waited for. What happened in time counts as such, also where
    nobody looked until later (R18)."""
    due, last = waited_until(ctx), last_ready(ctx)
    since = last.ready_changed if last else None
    if due is None or since is None or since > due:
        return due
    # Behind a route, what is waited for then is the gateway, for which no deadline counts.
    unserved = (
        not ctx.route_kind
        and ctx.candidate_has_traffic
        and not ctx.observed.has_endpoints(ctx.target)
    )
    return max(due, since + ctx.settings.progress_deadline) if unserved else None


def waited_until(ctx: RolloutContext) -> float | None:
    """When the time is over that the candidate's pods have to get ready in; None when none are
    waited for."""
    if ctx.progress.waiting_since is None:
        return None
    began = min(ctx.now, parse(ctx.progress.waiting_since))
    return began - ctx.progress.waited + ctx.settings.progress_deadline


def last_ready(ctx: RolloutContext) -> Pod | None:
    """The pod that was the last to get ready, once the candidate has all that it asked for."""
    deployment = ctx.observed.deployment(ctx.target)
    wanted = deployment.replicas if deployment else 0
    ready = [p for p in ctx.observed.pods_of(ctx.target) if p.serves]
    if not 0 < wanted <= len(ready):
        return None
    return max(ready, key=lambda p: p.ready_changed or 0.0)
