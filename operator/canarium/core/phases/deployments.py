"""The writes that phases share: a revision's record, its Deployment, how many pods may start."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Action, DeleteAutoscaler, DeleteDeployment, StoreRevision
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection


def store_revision(ctx: RolloutContext) -> tuple[Action, ...]:
    """Returns the write that stores a new revision's record, which precedes all others.

    A running revision whose record was deleted does not depend on it: a record that the API server
    rejects does not stop the other writes.
    """
    new = ctx.new_record
    if new is None:
        return ()
    runs = ctx.observed.deployment(new.revision) is not None
    if runs and ctx.record_rejection(new.revision):
        return ()
    return (StoreRevision(new),)


def delete_revisions(ctx: RolloutContext, revisions: Iterable[str]) -> tuple[Action, ...]:
    """Returns deletions of Deployments, each after its autoscaler, which would recreate pods."""
    actions: list[Action] = []
    for revision in revisions:
        autoscaler, deployment = (
            ctx.observed.autoscaler(revision),
            ctx.observed.deployment(revision),
        )
        if autoscaler:
            actions.append(DeleteAutoscaler(revision, autoscaler.uid))
        if deployment and not deployment.terminating:
            actions.append(DeleteDeployment(revision, deployment.uid))
    return tuple(actions)


def startable_replicas(ctx: RolloutContext, count: int) -> int:
    """Returns how many pods of the target may start: one until its digest is known."""
    return min(1, count) if ctx.artifact_unresolved else count


def scale_up_rejected(ctx: RolloutContext, count: int) -> Rejection | None:
    """Returns the rejection of the write that requests missing pods of the target.

    Its pods are not waited for then, and the progress deadline stops (R7).
    """
    deployment = ctx.observed.deployment(ctx.target)
    if deployment is None or deployment.replicas >= startable_replicas(ctx, count):
        return None
    return ctx.observed.rejected(ObjectRef("Deployment", deployment.name))
