"""Jobs of gates: how they end, how they get lost, and what their pods have ever shown.

Their pods are kept apart from those of models, as only the operator's reads of them matter.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from canarium.kube import resources
from canarium.kube.resources import Resource
from canarium.render import labels
from simulation.clock import Clock
from simulation.fields import Object
from simulation.server import PERSON, Key, Server
from simulation.summary import EXPLORED

PASSES, FAILS, HANGS, DISRUPTED, POD_DELETED = "passes", "fails", "hangs", "disrupted", "deleted"
MODES = (PASSES, PASSES, FAILS, HANGS, DISRUPTED, POD_DELETED)


class GateJobs:
    """The Job controller and the kubelet, for Jobs only; also what the operator reads of pods."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.server, self.clock = server, clock
        #: How Jobs end from now on, and the seconds that takes.
        self.mode, self.seconds, self.latency = HANGS, 1.0, 0.05
        #: Revision and gate of each Job that succeeded, and of each that failed by itself.
        self.passed: set[tuple[str, str]] = set()
        self.failed: set[tuple[str, str]] = set()
        self._started: dict[str, float] = {}
        self._pods: dict[str, Object] = {}

    def step(self) -> float:
        now, due = self.clock.now(), math.inf
        for job in self.server.all(resources.JOBS):
            uid = job["metadata"]["uid"]
            if job.get("status", {}).get("conditions"):
                continue
            started = self._started.setdefault(uid, now)
            if self.mode == HANGS:
                continue
            if now < started + self.seconds:
                due = min(due, started + self.seconds - now)
                continue
            self._end(job)
        return due

    def _end(self, job: Object) -> None:
        meta = job["metadata"]
        about = (meta["labels"][labels.REVISION], meta["labels"][labels.GATE])
        EXPLORED["jobs of gates ended"] += 1
        ended: dict[str, Any] = {"exitCode": 0 if self.mode == PASSES else 3, "message": "done"}
        containers = [{"name": "gate", "state": {"terminated": ended}}]
        owner = {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        pod = {
            "metadata": {"name": meta["name"], "ownerReferences": [owner]},
            "status": {"containerStatuses": containers},
        }
        condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
        if self.mode == PASSES:
            self.passed.add(about)
            condition = {"type": "Complete", "status": "True"}
        elif self.mode == FAILS:
            self.failed.add(about)
        elif self.mode == DISRUPTED:
            condition["reason"] = "PodFailurePolicy"
        if self.mode != POD_DELETED:
            self._pods[meta["uid"]] = pod
        key = (meta["namespace"], meta["name"])
        self.server.merge(resources.JOBS, key, {"status": {"conditions": [condition]}})

    def lose(self) -> None:
        """A person deletes every Job."""
        for job in list(self.server.all(resources.JOBS)):
            key: Key = (job["metadata"]["namespace"], job["metadata"]["name"])
            self.server.delete(resources.JOBS, key, actor=PERSON)

    async def list(
        self, resource: Resource, namespace: str | None = None, **query: str
    ) -> dict[str, Any]:
        """What the operator reads: the pods of one Job; there are no Events."""
        await asyncio.sleep(self.latency)
        uid = query.get("labelSelector", "").partition("=")[2]
        return {"items": [self._pods[uid]] if uid in self._pods else []}
