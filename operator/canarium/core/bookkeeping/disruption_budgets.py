"""PodDisruptionBudgets: the drain of a node never takes a version down (R32).

Each Deployment has its own budget. With one for the whole model, pods of a candidate that does not
start would count as unavailable and block the drain of the nodes of stable; and the evictions that
a percentage permits could all hit the same version.

A budget is created for a model of two replicas or more, and stays with its Deployment when the
model is scaled down later: `maxUnavailable` is at least 1, so it never protects a single pod, whose
node could not be drained. It is deleted by the garbage collector together with its Deployment.
"""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Action, CreateDisruptionBudget, DeleteDisruptionBudget
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import BUDGET, Deployment

#: A budget for a single pod would either permit every eviction or block every drain.
_FROM = 2


def disruption_budgets(ctx: RolloutContext) -> list[Action]:
    """Returns the writes that give each Deployment the budget that it should have.

    There are none where budgets cannot be listed: the API server rejects every eviction of a pod
    that two budgets select, so the operator adds none to one that it may not see.
    """
    if ctx.observed.disruption_budgets is None:
        return []
    writes = (_write(ctx, d) for d in ctx.observed.deployments if not d.terminating)
    return [write for write in writes if write]


def _write(ctx: RolloutContext, deployment: Deployment) -> Action | None:
    revision = deployment.revision
    budget = ctx.observed.disruption_budget(revision)
    unwanted = ctx.settings.max_unavailable is None or revision in ctx.observed.with_other_budget
    if budget and (unwanted or budget.has_minimum):
        return DeleteDisruptionBudget(revision, budget.uid)
    if budget or unwanted or ctx.settings.max_replicas < _FROM:
        return None
    if ctx.observed.rejected(ObjectRef(BUDGET, deployment.name)):
        return None
    return CreateDisruptionBudget(revision)
