"""Outages: a version is promoted, the model is not scaled to zero, and no endpoint is ready (R29).

They are reported in every phase: in the message, in the condition `Available` and by an Event, with
pod, container, exit code and last line of the log if a pod shows them.
"""

from __future__ import annotations

from canarium import GROUP
from canarium.api.reasons import ConditionReason, ConditionType, EventReason
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import answering, is_answered
from canarium.core.context.naming import describe
from canarium.core.decision.plan import Event
from canarium.core.health.cause import Cause
from canarium.core.health.failure_causes import judge
from canarium.core.health.obstacles import obstacle
from canarium.core.health.pods import unfetched, unstarted
from canarium.core.messages import location

#: Reasons for which no version serves as the spec intends.
EXPECTED = frozenset(
    {
        ConditionReason.SCALED_TO_ZERO,
        ConditionReason.SCALING_UP,
        ConditionReason.NO_VERSION_PROMOTED,
        ConditionReason.RECREATING,
    }
)

_AT_ZERO = (ConditionReason.SCALED_TO_ZERO, ConditionReason.SCALING_UP)


def is_down(ctx: RolloutContext, stable: str | None) -> bool:
    """Returns whether no version serves although `stable` is promoted and not scaled to zero."""
    return stable is not None and ctx.stable_replicas > 0 and not is_answered(ctx)


def is_scaling_up(ctx: RolloutContext, stable: str | None) -> bool:
    """Returns whether the outage is only that the model starts its pods after scale to zero."""
    available = next((c for c in ctx.status.conditions if c.type == ConditionType.AVAILABLE), None)
    before = available is not None and available.reason in _AT_ZERO
    return before and is_down(ctx, stable) and outage_cause(ctx, stable) is None


def outage_cause(ctx: RolloutContext, revision: str | None) -> Cause | None:
    """Returns why `revision` has too few ready pods, as far as pods and Deployment show it."""
    pods, deployment = ctx.observed.pods_of(revision), ctx.observed.deployment(revision)
    if unlabelled := _unlabelled(ctx, revision):
        return unlabelled
    limit = ctx.settings.unschedulable_deadline
    pod_cause = judge(pods, now=ctx.now, unschedulable_deadline=limit, was_fully_ready=True).cause
    cause = unfetched(pods) or pod_cause
    if cause:
        return cause
    if deployment is None and not any(pod.serves for pod in pods):
        return Cause(
            ConditionReason.DEPLOYMENT_MISSING, f"Deployment/{ctx.name}-{revision} does not exist"
        )
    blocked = obstacle(ctx, revision)
    if blocked:
        return Cause(blocked.reason.value, blocked.message, blocked.pod, blocked.container)
    return unstarted(pods)


def _unlabelled(ctx: RolloutContext, revision: str | None) -> Cause | None:
    """Returns the cause for ready pods without their colour; None while any pod can serve."""
    deployment, observed = ctx.observed.deployment(revision), ctx.observed
    lost = [p for p in observed.pods_of(revision) if p.serves]
    if deployment is None or not lost or observed.ready(revision):
        return None
    text = f"no ready pod has the label {GROUP}/color={deployment.color}, which the Service selects"
    return Cause(ConditionReason.NO_READY_PODS, text, lost[0].name)


def is_recreating(ctx: RolloutContext, stable: str | None) -> bool:
    """Returns whether strategy Recreate has scaled `stable` down for the next version."""
    moving = ctx.strategy == "Recreate" and ctx.target != stable and not ctx.quarantined
    return moving and ctx.observed.replicas(stable) == 0


def outage_reason(ctx: RolloutContext, stable: str | None) -> str:
    cause = outage_cause(ctx, stable)
    return cause.reason if cause else ConditionReason.NO_READY_PODS


def outage_text(ctx: RolloutContext, stable: str | None, *, is_explained: bool = False) -> str:
    """Returns a sentence about an outage; `is_explained` if the text before it states already that
    `stable` has no ready pods."""
    if ctx.observed.ready(stable):
        return (
            f"no version is serving: the ready pods of {describe(ctx, stable)} are not "
            "endpoints yet"
        )
    if is_scaling_up(ctx, stable):
        return (
            f"{describe(ctx, stable)} is scaling up from zero: 0 of {ctx.stable_replicas} "
            "pods are ready"
        )
    if is_recreating(ctx, stable):
        return f"no version is serving: strategy Recreate has scaled down {describe(ctx, stable)}"
    cause = outage_cause(ctx, stable)
    why = f": {cause.message}{location(cause.pod, cause.container)}" if cause else ""
    if is_explained:
        return f"no version is serving{why}"
    return f"no version is serving: {describe(ctx, stable)} has no ready pods{why}"


def explained_outage(ctx: RolloutContext, stable: str | None) -> Cause | None:
    """Returns the cause that `outage_text` states; None if it states none."""
    expected = ctx.observed.ready(stable) or is_recreating(ctx, stable)
    return None if expected else outage_cause(ctx, stable)


def serving_now(ctx: RolloutContext) -> str:
    """Returns a sentence about the versions that serve; empty when none does."""
    shares = answering(ctx)
    if len(shares) < 2:
        return "".join(f"{describe(ctx, revision)} is serving" for revision in shares)
    named = [f"{describe(ctx, revision)} ({share}%)" for revision, share in sorted(shares.items())]
    return f"{' and '.join(named)} are serving"


def serving_state(ctx: RolloutContext) -> tuple[Cause | None, str]:
    """Returns why stable has fewer ready pods than desired, if a pod shows it, and what messages
    report about stable."""
    if not ctx.stable_replicas:
        return None, "is live but scaled to zero"
    ready = ctx.observed.ready(ctx.stable)
    does = "is serving" if ctx.stable in answering(ctx) else "is promoted"
    if ready >= ctx.stable_replicas:
        return None, does
    missing = outage_cause(ctx, ctx.stable)
    why = f": {missing.message}{location(missing.pod, missing.container)}" if missing else ""
    return missing, f"{does} with {ready} of {ctx.stable_replicas} pods ready{why}"


def outage_events(before: Status, after: Status) -> tuple[Event, ...]:
    """Returns an Event when an outage starts, when its cause is found, and when it ends."""
    old, new = (
        next((c for c in status.conditions if c.type == ConditionType.AVAILABLE), None)
        for status in (before, after)
    )
    old_reason = old.reason if old else ConditionReason.NO_VERSION_PROMOTED
    if new is None or new.reason == old_reason:
        return ()
    if new.status == "True":
        over = old_reason not in (*EXPECTED, ConditionReason.SERVING)
        return (
            (Event("Normal", EventReason.SERVICE_RESTORED, "The model is serving again"),)
            if over
            else ()
        )
    begins = old_reason in (ConditionReason.SERVING, *EXPECTED)
    if new.reason not in EXPECTED and (begins or old_reason == ConditionReason.NO_READY_PODS):
        return (Event("Warning", new.reason, new.message),)
    return ()
