"""The progress deadline: it counts only time spent waiting for pods (R7)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.facts.pods import Pod
from canarium.core.times import parse

#: Seconds within which ready pods should appear in EndpointSlices.
ENDPOINTS_AFTER = 15.0


def ready_by(ctx: RolloutContext) -> float | None:
    """Returns when the candidate's pods have to be ready (POSIX seconds); None if none are missing.

    Pods that became ready in time count even if the operator observed them later (R18). If they are
    not endpoints yet, that is a delay of the cluster and not a fault of the version (R7).
    """
    due, last = deadline(ctx), last_ready(ctx)
    since = last.ready_changed if last else None
    return due if due is None or since is None or since > due else None


def ends_downtime(ctx: RolloutContext) -> bool:
    """Returns whether the progress deadline applies for any cause, a full quota included.

    Strategy Recreate has scaled stable down, so no version serves until the candidate has a ready
    pod. At the deadline stable returns, and another attempt, which costs downtime again, needs a
    command (R22).
    """
    return ctx.strategy == "Recreate" and ctx.observed.ready(ctx.target) == 0


def endpoints_due(ctx: RolloutContext) -> float | None:
    """Returns when the target's ready pods should be endpoints of the callers' Service (POSIX
    seconds); None when one is, or when the Service does not select them yet."""
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


def deadline(ctx: RolloutContext) -> float | None:
    """Returns the end of the candidate's progress deadline (POSIX seconds); None when no pods are
    waited for."""
    if ctx.progress.wait_start_time is None:
        return None
    began = min(ctx.now, parse(ctx.progress.wait_start_time))
    return began - ctx.progress.waited_seconds + ctx.settings.progress_deadline


def last_ready(ctx: RolloutContext) -> Pod | None:
    """Returns the pod that was last to become ready; None until all replicas are ready."""
    deployment = ctx.observed.deployment(ctx.target)
    wanted = deployment.replicas if deployment else 0
    ready = [p for p in ctx.observed.pods_of(ctx.target) if p.serves]
    if not 0 < wanted <= len(ready):
        return None
    return max(ready, key=lambda p: p.ready_changed or 0.0)
