"""Decides which tenant's evaluation is next: fairly, and cheap ones never wait for expensive ones.

There are two lanes with one worker process each. Every evaluation starts in the quick lane with
little CPU time. One that exceeds it is killed and starts again in the slow lane with a longer
limit; for a while, all evaluations of its tenant start there. A tenant with cheap evaluations
therefore waits for one short limit at most, regardless of the others.

Within a lane, the next tenant is the one that will have used the least recent CPU time when its
next evaluation ends. A new tenant is expected to use the whole limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

J = TypeVar("J")


class WorkerLane(IntEnum):
    QUICK = 0
    SLOW = 1


#: Seconds of CPU time that an evaluation may use, by lane.
LIMITS = {WorkerLane.QUICK: 0.1, WorkerLane.SLOW: 1.0}
#: Seconds for which a tenant begins in the slow lane after it used up the quick one's limit.
_SLOW_FOR = 60.0
#: Seconds in which half of the CPU time that a tenant used is forgotten.
_HALF_LIFE = 30.0
_FORGOTTEN = 0.0001
#: Weight of the newest evaluation in the average.
_WEIGHT = 0.5


@dataclass
class _Tenant(Generic[J]):
    waiting: dict[WorkerLane, deque[J]] = field(
        default_factory=lambda: {lane: deque() for lane in WorkerLane}
    )
    spent: float = 0.0
    spent_at: float = 0.0
    #: CPU time of its evaluations, as a moving average.
    usual: float = LIMITS[WorkerLane.QUICK]
    slow_until: float = float("-inf")
    #: When one of its evaluations was handed out last: a round robin among equals.
    turn: int = 0


class Schedule(Generic[J]):
    """The evaluations that wait. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tenants: dict[str, _Tenant[J]] = {}
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(q) for t in self._tenants.values() for q in t.waiting.values())

    def add(self, tenant: str, job: J) -> None:
        """Queues a job in the lane where the tenant's evaluations begin now."""
        known = self._tenants.setdefault(tenant, _Tenant(spent_at=self._clock(), turn=self._turns))
        lane = WorkerLane.SLOW if self._clock() < known.slow_until else WorkerLane.QUICK
        known.waiting[lane].append(job)

    def discard(self, tenant: str, job: J) -> None:
        """Removes a job whose caller no longer waits."""
        known = self._tenants.get(tenant)
        for queue in known.waiting.values() if known else ():
            if job in queue:
                queue.remove(job)

    def take(self, lane: WorkerLane) -> tuple[str, J, WorkerLane] | None:
        """Returns the next job for the worker of `lane`, and the lane whose limit it has.

        A slow worker without slow jobs helps with quick ones.
        """
        lanes = (
            (WorkerLane.SLOW, WorkerLane.QUICK) if lane is WorkerLane.SLOW else (WorkerLane.QUICK,)
        )
        for kind in lanes:
            waiting = [
                (self._spent(t) + t.usual, t.turn, name)
                for name, t in self._tenants.items()
                if t.waiting[kind]
            ]
            if waiting:
                _, _, name = min(waiting)
                chosen = self._tenants[name]
                self._turns += 1
                chosen.turn = self._turns
                return name, chosen.waiting[kind].popleft(), kind
        self._forget()
        return None

    def charge(self, tenant: str, cpu: float) -> None:
        """Notes the CPU time that an evaluation used."""
        if known := self._tenants.get(tenant):
            known.spent, known.spent_at = self._spent(known) + cpu, self._clock()
            known.usual += (cpu - known.usual) * _WEIGHT

    def overran(self, tenant: str, job: J) -> None:
        """Queues a job again that used up the quick lane's limit, and its tenant's next ones."""
        known = self._tenants.setdefault(tenant, _Tenant())
        known.slow_until = self._clock() + _SLOW_FOR
        slow, quick = known.waiting[WorkerLane.SLOW], known.waiting[WorkerLane.QUICK]
        slow.append(job)
        slow.extend(quick)
        quick.clear()

    def _spent(self, tenant: _Tenant[J]) -> float:
        spent: float = tenant.spent * 0.5 ** ((self._clock() - tenant.spent_at) / _HALF_LIFE)
        return spent if spent > _FORGOTTEN else 0.0

    def _forget(self) -> None:
        """Drops tenants about whom there is nothing to remember."""
        now = self._clock()
        for name, known in list(self._tenants.items()):
            idle = not any(known.waiting.values()) and known.slow_until < now
            if idle and self._spent(known) == 0.0:
                del self._tenants[name]
