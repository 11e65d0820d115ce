"""Objects that a rollout creates, changes and deletes, as the operator decides on a simulated
cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from canarium.core.decision import plan as p


@dataclass(frozen=True, slots=True)
class Write:
    """`action` is create, change or delete."""

    action: str
    object: str


def writes(
    name: str, revision: str, actions: Sequence[p.Action], *, first: bool, others: str
) -> list[Write]:
    """Returns the objects of model `name`, each action once, in the order of the rollout.

    Objects of other revisions are called by their role `others`, since their names are those of
    the simulation.
    """
    listed: list[Write] = []
    new = next((a.record.revision for a in actions if isinstance(a, p.StoreRevision)), revision)
    for action in actions:
        write = _write(name, new, revision, action, first, others)
        if write is not None and write not in listed:
            listed.append(write)
    return listed


def _write(
    name: str, simulated: str, revision: str, action: p.Action, first: bool, others: str
) -> Write | None:
    def child(kind: str, of: str) -> str:
        if of == simulated:
            return f"{kind}/{name}-{revision}"
        return f"{kind} of {others}"

    match action:
        case p.StoreRevision():
            return Write("create", f"ControllerRevision/{name}-{revision}")
        case p.CreateDeployment(of, _, _):
            return Write("create", child("Deployment", of))
        case p.DeleteDeployment(of):
            return Write("delete", child("Deployment", of))
        case p.CreateBackend(of):
            return Write("create", child("Service", of))
        case p.DeleteBackend(of):
            return Write("delete", child("Service", of))
        case p.SetAutoscaler(of, _, _):
            return Write("create", child("HorizontalPodAutoscaler", of))
        case p.DeleteAutoscaler(of):
            return Write("delete", child("HorizontalPodAutoscaler", of))
        case p.CreateDisruptionBudget(of):
            return Write("create", child("PodDisruptionBudget", of))
        case p.DeleteDisruptionBudget(of):
            return Write("delete", child("PodDisruptionBudget", of))
        case p.SelectColor():
            return Write("create" if first else "change", f"Service/{name}")
        case p.SetRouteWeights():
            return Write("create" if first else "change", f"{action.kind}/{name}")
    return None
