"""Outages of a version that bakes: a short one is tolerated, a long or repeated one undoes the
promotion (R15).

Only a readiness that is lost by pods that still run counts as a repetition. Pods that are deleted,
evicted or lost with their node do not count against the version (R25), however often; their
replacements have as long to become ready as a candidate.
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason
from canarium.core.context.context import RolloutContext
from canarium.core.health.cause import Cause
from canarium.core.times import duration_text

#: Number of outages in one bake that undo the promotion.
REPEATED = 3


def count(ctx: RolloutContext) -> int:
    """Returns how often the version has lost all its ready pods since its promotion, now
    included."""
    before = 0 if ctx.status_is_stale else ctx.status.outages or 0
    began = ctx.stable_unavailable_since is not None and (
        ctx.status_is_stale or ctx.status.stable_unavailable_start_time is None
    )
    return before + (1 if began and _lost_readiness(ctx) else 0)


def _lost_readiness(ctx: RolloutContext) -> bool:
    return any(
        not pod.ready
        and not pod.terminating
        and not pod.disrupted
        and pod.ready_changed is not None
        and pod.ready_changed > pod.created
        and ctx.stable_unavailable_since is not None
        and pod.ready_changed >= ctx.stable_unavailable_since - _SEEN_LATE
        for pod in ctx.observed.pods_of(ctx.stable)
    )


#: Maximum seconds between an outage and its observation; Kubernetes writes whole seconds.
_SEEN_LATE = 5.0


def ends_at(ctx: RolloutContext) -> float | None:
    """Returns when the outage exceeds its deadline (POSIX seconds); None without an outage."""
    return (
        ctx.stable_unavailable_since + ctx.settings.progress_deadline
        if ctx.stable_unavailable_since is not None
        else None
    )


def cause(ctx: RolloutContext, outages: int) -> Cause | None:
    """Returns why outages undo the promotion, if they do and the previous version serves."""
    at = ends_at(ctx)
    if at is None or ctx.standby is None:
        return None
    pods, ready = ctx.observed.pods_of(ctx.stable), ctx.observed.ready_pods(ctx.stable)
    pod = next((p.name for p in pods if p not in ready), None)
    observed = f"0 of {ctx.stable_replicas} pods ready"
    if outages >= REPEATED:
        text = f"no ready pods {outages} times since its promotion"
        often, limit = f"{outages} outages", f"{REPEATED} outages"
        return Cause(FailureReason.REPEATED_OUTAGES, text, pod, None, often, limit, len(pods))
    if at <= ctx.now:
        limit = duration_text(ctx.settings.progress_deadline)
        text = f"no ready pods for {limit}"
        return Cause(
            FailureReason.OUTAGE_DEADLINE_EXCEEDED, text, pod, None, observed, limit, len(pods)
        )
    return None
