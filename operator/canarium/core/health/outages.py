"""Outages of a version that bakes: a short one is borne, one that lasts or repeats undoes the
promotion (R15).

Only a readiness that is lost by pods that still run counts as a repetition. Pods that are deleted,
evicted or lost with their node are no fault of the version (R25), however often; what replaces
them has as long to get ready as a candidate has.
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.health.cause import Cause
from canarium.core.times import length

#: The outage of one bake that undoes the promotion.
REPEATED = 3


def count(s: Situation) -> int:
    """How often the version lost all its ready pods since its promotion, this time included."""
    before = 0 if s.behind else s.status.outages or 0
    began = s.down_since is not None and (s.behind or s.status.stable_down_since is None)
    return before + (1 if began and _lost_readiness(s) else 0)


def _lost_readiness(s: Situation) -> bool:
    return any(
        not pod.ready
        and not pod.terminating
        and not pod.disrupted
        and pod.ready_changed is not None
        and pod.ready_changed > pod.created
        and s.down_since is not None
        and pod.ready_changed >= s.down_since - _SEEN_LATE
        for pod in s.observed.pods_of(s.stable)
    )


#: Kubernetes writes whole seconds, and nobody may have looked for a moment.
_SEEN_LATE = 5.0


def ends_at(s: Situation) -> float | None:
    """When an outage has lasted for too long; None without one."""
    return s.down_since + s.settings.progress_deadline if s.down_since is not None else None


def cause(s: Situation, outages: int) -> Cause | None:
    """Why outages undo the promotion, if they do: only where the version before answers."""
    at = ends_at(s)
    if at is None or s.standby is None:
        return None
    pods = s.observed.pods_of(s.stable)
    pod = next((p.name for p in pods if not p.ready), None)
    seen = f"0 of {s.count} pods ready"
    if outages >= REPEATED:
        text = f"{describe(s, s.stable)} had no ready pod {outages} times since its promotion"
        often, limit = f"{outages} outages", f"{REPEATED} outages"
        return Cause(FailureReason.REPEATED_OUTAGES, text, pod, None, often, limit, len(pods))
    if at <= s.now:
        limit = length(s.settings.progress_deadline)
        text = f"{describe(s, s.stable)} had no ready pod for {limit}"
        return Cause(
            FailureReason.OUTAGE_DEADLINE_EXCEEDED, text, pod, None, seen, limit, len(pods)
        )
    return None
