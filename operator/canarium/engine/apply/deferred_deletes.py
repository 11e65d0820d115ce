"""When pods go that no caller needs any more: after what others wait for."""

from __future__ import annotations

from canarium.core.decision.plan import Action, DeleteDeployment, Plan
from canarium.engine.cache.store import Key
from canarium.engine.queue import Urgency, WorkQueue
from canarium.kube.clock import Timing

#: So long may pods stay that are of no use, while keys wait for anything else.
_WITHIN = 30.0


class Tidying:
    """Puts deletions off in a crowd: each costs the cluster as much as making the pods did, and
    when many models change at once, none is promoted later for the sake of another one's rest."""

    def __init__(self, queue: WorkQueue[Key], timing: Timing) -> None:
        self._queue, self._timing = queue, timing
        #: Since when something is to go.
        self._since: dict[Key, float] = {}

    def put_off(self, key: Key, decision: Plan, action: Action) -> bool:
        """Whether `action` is left to a later decision, which comes by itself."""
        if not isinstance(action, DeleteDeployment) or decision.phase != "Ready":
            return False
        since = self._since.setdefault(key, self._timing.clock())
        overdue = self._timing.clock() - since > _WITHIN
        if overdue or not self._queue.waits(Urgency.RESYNC):
            self._since.pop(key)
            return False
        self._queue.add(key, Urgency.IDLE)
        return True

    def forget(self, key: Key) -> None:
        """The model is gone, or going."""
        self._since.pop(key, None)
