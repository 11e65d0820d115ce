"""Warnings about damaged data that is ignored. Each is also emitted as an Event."""

from __future__ import annotations

from canarium.api.reasons import WarningReason
from canarium.api.status import StatusWarning
from canarium.core.context.context import RolloutContext
from canarium.core.context.sanitize import ignored
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.pods import Pod
from canarium.core.outcomes import blocked_deletions
from canarium.core.times import time_text

_ALTERED = "was modified by hand and is ignored: no Deployment is created from it"
_MISSING = "was deleted: its Deployment keeps running but cannot be recreated"


def warnings(ctx: RolloutContext) -> tuple[StatusWarning, ...]:
    """Returns a warning for everything that is ignored, in the order of reason and object."""
    listed = list(ctx.ignored_fields)
    listed += [
        _record(ctx, record.revision, WarningReason.RECORD_ALTERED, _ALTERED)
        for record in ctx.observed.records
        if not record.intact
    ]
    listed += [
        _record(ctx, deployment.revision, WarningReason.RECORD_MISSING, _MISSING)
        for deployment in ctx.observed.deployments
        if ctx.observed.record(deployment.revision) is None and deployment.revision != ctx.target
    ]
    listed += [_stuck(ctx, pod) for pod in ctx.observed.pods if ctx.is_stuck(pod)]
    if ctx.progress_is_invalid:
        listed.append(
            ignored("status.progress", "neither Service nor route has recorded this weight")
        )
    return tuple(
        sorted([*listed, *_implausible_revisions(ctx)], key=lambda one: (one.reason, one.object))
    )


def _record(ctx: RolloutContext, revision: str, reason: WarningReason, what: str) -> StatusWarning:
    record = ObjectRef("ControllerRevision", f"{ctx.name}-{revision}")
    return StatusWarning(reason=reason, object=record.status_text, message=f"{record} {what}")


def _stuck(ctx: RolloutContext, pod: Pod) -> StatusWarning:
    ref = ObjectRef("Pod", pod.name)
    blocking = ctx.observed.blocking_finalizers(ref)
    why = (
        f"it is blocked by {blocked_deletions.finalizers(blocking)}"
        if blocking
        else "check its node"
    )
    due = time_text(pod.terminates_by or ctx.now)
    return StatusWarning(
        reason=WarningReason.POD_STUCK,
        object=ref.status_text,
        message=f"{ref} should have terminated by {due} and is no longer waited for: {why}",
    )


def _implausible_revisions(ctx: RolloutContext) -> list[StatusWarning]:
    """Returns warnings about revisions in the status that do not exist."""
    parts = {
        name: part.revision
        for name in ("stable", "candidate", "previous")
        if (part := getattr(ctx.status, name))
    }
    listed = [
        ignored(f"status.{name}", f"revision {revision} does not exist")
        for name, revision in parts.items()
        if revision != ctx.target and not ctx.observed.exists(revision)
    ]
    # After a promotion or an undo that is not in the status yet, it is one of the others.
    live = ctx.traffic.record.stable
    stable = parts.get("stable")
    exists = ctx.observed.exists
    if stable and exists(stable) and live and exists(live) and live not in parts.values():
        listed.append(ignored("status.stable", f"live traffic is routed to revision {live}"))
    return listed
