"""Outages: a version is promoted, the model is not scaled to zero, and no endpoint answers (R29).

They are shown in every phase: in the message, in the condition `Available` and by an Event, with
the pod, the container, the exit code and the last line of the log as far as a pod shows them.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType, EventReason
from canarium.api.status import Status
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import answering, is_answered
from canarium.core.context.naming import describe
from canarium.core.decision.plan import Event
from canarium.core.health.cause import Cause
from canarium.core.health.failure_causes import judge
from canarium.core.health.obstacles import obstacle
from canarium.core.health.pods import unfetched, unstarted
from canarium.core.messages import location

#: Reasons for which nobody answers and that the spec asks for.
EXPECTED = frozenset(
    {
        ConditionReason.SCALED_TO_ZERO,
        ConditionReason.SCALING_UP,
        ConditionReason.NO_VERSION_PROMOTED,
        ConditionReason.RECREATING,
    }
)

_AT_ZERO = (ConditionReason.SCALED_TO_ZERO, ConditionReason.SCALING_UP)


def is_down(s: Situation, stable: str | None) -> bool:
    """Whether callers of `stable`, a promoted version, are answered by nobody."""
    return stable is not None and s.count > 0 and not is_answered(s)


def is_scaling_up(s: Situation, stable: str | None) -> bool:
    """Whether that is because the model was scaled to zero before and its pods still start."""
    available = next((c for c in s.status.conditions if c.type == ConditionType.AVAILABLE), None)
    before = available is not None and available.reason in _AT_ZERO
    return before and is_down(s, stable) and outage_cause(s, stable) is None


def outage_cause(s: Situation, revision: str | None) -> Cause | None:
    """Why `revision` has no ready pods, or too few, as far as pods and Deployment show it."""
    pods, deployment = s.observed.pods_of(revision), s.observed.deployment(revision)
    limit = s.settings.unschedulable_deadline
    seen = judge(pods, now=s.now, unschedulable_deadline=limit, was_good=True).cause
    found = unfetched(pods) or seen
    if found:
        return found
    if deployment is None and not any(pod.serves for pod in pods):
        return Cause(ConditionReason.DEPLOYMENT_MISSING, "its Deployment does not exist")
    blocked = obstacle(s, revision)
    if blocked:
        return Cause(blocked.reason.value, blocked.message, blocked.pod, blocked.container)
    return unstarted(pods)


def is_recreating(s: Situation, stable: str | None) -> bool:
    """Whether strategy Recreate has scaled `stable` down to make room for the next version."""
    moving = s.strategy == "Recreate" and s.target != stable and not s.quarantined
    return moving and s.observed.replicas(stable) == 0


def outage_reason(s: Situation, stable: str | None) -> str:
    cause = outage_cause(s, stable)
    return cause.reason if cause else ConditionReason.NO_READY_PODS


def outage_text(s: Situation, stable: str | None) -> str:
    """An outage in one sentence."""
    if s.observed.ready(stable):
        return (
            f"no version is serving: the ready pods of {describe(s, stable)} are not endpoints yet"
        )
    if is_scaling_up(s, stable):
        return f"{describe(s, stable)} is scaling up from zero: 0 of {s.count} pods are ready"
    if is_recreating(s, stable):
        return f"no version is serving: strategy Recreate has scaled down {describe(s, stable)}"
    cause = outage_cause(s, stable)
    why = f": {cause.message}{location(cause.pod, cause.container)}" if cause else ""
    return f"no version is serving: {describe(s, stable)} has no ready pods{why}"


def serving_now(s: Situation) -> str:
    """Which versions answer callers; empty when none does."""
    shares = answering(s)
    if len(shares) < 2:
        return "".join(f"{describe(s, revision)} is serving" for revision in shares)
    named = [f"{describe(s, revision)} ({share}%)" for revision, share in sorted(shares.items())]
    return f"{' and '.join(named)} are serving"


def serving_state(s: Situation) -> tuple[Cause | None, str]:
    """Returns why stable has fewer ready pods than wanted, as far as one of them shows it, and what
    stable does, in words."""
    if not s.count:
        return None, "is live but scaled to zero"
    ready = s.observed.ready(s.stable)
    does = "is serving" if s.stable in answering(s) else "is promoted"
    if ready >= s.count:
        return None, does
    missing = outage_cause(s, s.stable)
    why = f": {missing.message}{location(missing.pod, missing.container)}" if missing else ""
    return missing, f"{does} with {ready} of {s.count} pods ready{why}"


def outage_events(before: Status, after: Status) -> tuple[Event, ...]:
    """An Event when an outage begins, when its cause is found, and when it is over."""
    old, new = (
        next((c for c in status.conditions if c.type == ConditionType.AVAILABLE), None)
        for status in (before, after)
    )
    known = old.reason if old else ConditionReason.NO_VERSION_PROMOTED
    if new is None or new.reason == known:
        return ()
    if new.status == "True":
        over = known not in (*EXPECTED, ConditionReason.SERVING)
        return (
            (Event("Normal", EventReason.SERVING_AGAIN, "Callers are answered again"),)
            if over
            else ()
        )
    begins = known in (ConditionReason.SERVING, *EXPECTED)
    if new.reason not in EXPECTED and (begins or known == ConditionReason.NO_READY_PODS):
        return (Event("Warning", new.reason, new.message),)
    return ()
