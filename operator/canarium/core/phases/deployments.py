"""The writes that phases share: a revision's record, its Deployment, how many pods may start."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.core.context.context import Situation
from canarium.core.decision.plan import Action, DeleteDeployment, RemoveAutoscaler, StoreRevision
from canarium.core.facts.observed import Rejection


def store_revision(s: Situation) -> tuple[Action, ...]:
    """Returns the write of the wanted revision's record, which comes first when it is new."""
    return (StoreRevision(s.minted),) if s.minted else ()


def delete_revisions(s: Situation, revisions: Iterable[str]) -> tuple[Action, ...]:
    """Returns the deletions of Deployments, each after the autoscaler that would recreate pods."""
    actions: list[Action] = []
    for revision in revisions:
        autoscaler, deployment = s.observed.autoscaler(revision), s.observed.deployment(revision)
        if autoscaler:
            actions.append(RemoveAutoscaler(revision, autoscaler.uid))
        if deployment and not deployment.terminating:
            actions.append(DeleteDeployment(revision, deployment.uid))
    return tuple(actions)


def startable_replicas(s: Situation, count: int) -> int:
    """Returns how many pods of the wanted revision may start: one until it is known what it
    fetches."""
    return min(1, count) if s.unpinned else count


def scale_up_rejected(s: Situation, count: int) -> Rejection | None:
    """Returns the rejection of the write that asks for missing pods of the wanted revision.

    None of them are waited for then, and the progress deadline stands still (R7).
    """
    deployment = s.observed.deployment(s.target)
    if deployment is None or deployment.replicas >= startable_replicas(s, count):
        return None
    return s.observed.refused(f"Deployment {deployment.name}")
