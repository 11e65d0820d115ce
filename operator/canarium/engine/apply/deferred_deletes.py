"""Defers deletions while the queue is busy, so that cleanup of one model does not delay another."""

from __future__ import annotations

from canarium.api.states import Phase
from canarium.core.decision.plan import Action, DeleteDeployment, Plan
from canarium.engine.cache.store import Key
from canarium.engine.queue import Deferral, Urgency, WorkQueue
from canarium.kube.clock import Timing

#: Maximum seconds that unused pods are kept while the queue is busy.
_LIMIT = 30.0


class DeferredDeletes:
    """Defers the deletion of Deployments that a model in phase Ready no longer needs.

    A deletion costs the cluster as much as creating the pods did. When many models change at once,
    promotions take priority.
    """

    def __init__(self, queue: WorkQueue[Key], timing: Timing) -> None:
        self._deferral = Deferral(queue, timing.clock, _LIMIT)

    def defer(self, key: Key, decision: Plan, action: Action) -> bool:
        """Returns whether `action` is left to a later decision; the key is queued for it."""
        if not isinstance(action, DeleteDeployment) or decision.phase != Phase.READY:
            return False
        if self._deferral.defer(key, behind=Urgency.RESYNC):
            return True
        self._deferral.forget(key)
        return False

    def forget(self, key: Key) -> None:
        """Forgets a deleted model."""
        self._deferral.forget(key)
