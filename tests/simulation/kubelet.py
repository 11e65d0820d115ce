"""Scheduler and kubelet: what becomes of a pod, second by second, and what may happen to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from canarium.kube import resources
from canarium.render import labels
from simulation.clock import Clock, seconds, stamp
from simulation.fields import Object
from simulation.server import Key, Server

#: What can be wrong with a version, or happen to one pod.
FAULTS = (
    "never ready", "flaps", "exits", "crashes", "out of memory", "no image", "bad config",
    "no node",
)  # fmt: skip
_CREATING = 0.6
_BACKOFF = 1.0
_FLAP = 4.0


@dataclass(frozen=True)
class PodBehavior:
    """How pods of one image behave: seconds from start to ready, and what is wrong with them."""

    boot: float = 2.0
    fault: str | None = None


@dataclass
class Life:
    """What the node knows of a pod. `stage` began at `since`."""

    stage: str = "pending"
    since: float = 0.0
    node: str | None = None
    fault: str | None = None
    started: float | None = None
    ended: Object | None = None
    restarts: int = 0
    evicted: bool = False
    #: Why the pod has ended and stays, if it has.
    failed: str | None = None


@dataclass
class Kubelet:
    server: Server
    clock: Clock
    #: By image, or by what an alias stood for; what is not named is well.
    behaviors: dict[str, PodBehavior] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    nodes: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(("n1", "n2", "n3"), True))
    #: Seconds between a pod's deletion and its end.
    grace: float = 1.0

    def behavior(self, pod: Object) -> PodBehavior:
        image = pod["spec"]["containers"][0]["image"]
        resolved = pod["metadata"].get("annotations", {}).get(labels.RESOLVED, "")
        life = self.lives.get(pod["metadata"]["uid"])
        known = self.behaviors.get(resolved) or self.behaviors.get(image, PodBehavior())
        return replace(known, fault=life.fault) if life and life.fault else known

    def step(self) -> float:
        """Brings every pod to where it is by now; seconds until one may change by itself."""
        now, due = self.clock.now(), math.inf
        for pod in self.server.all(resources.PODS):
            meta = pod["metadata"]
            key = (meta["namespace"], meta["name"])
            life = self.lives.setdefault(meta["uid"], Life(since=now))
            lost = life.node is not None and not self.nodes[life.node]
            if "deletionTimestamp" in meta:
                if lost:
                    continue  # No kubelet reports that it has ended.
                if life.stage != "terminating":
                    life.stage, life.since = "terminating", now
                if life.since + self.grace <= now:
                    self.server.remove(resources.PODS, key)
                    del self.lives[meta["uid"]]
                else:
                    due = min(due, life.since + self.grace - now)
                continue
            behavior = self.behavior(pod)
            if life.failed:
                continue
            if not lost:
                due = min(due, self._live(life, behavior, now))
            self._report(key, pod, life, behavior, now, lost=lost)
        return due

    def _live(self, life: Life, behavior: PodBehavior, now: float) -> float:
        """Moves a life on; seconds until it may move again."""
        fault = behavior.fault
        if life.stage == "pending":
            up = [node for node, alive in self.nodes.items() if alive]
            if fault == "no node" or not up:
                return math.inf
            used = [other.node for other in self.lives.values()]
            life.node = min(up, key=used.count)
            life.stage, life.since = "creating", now
        if life.stage == "creating":
            if life.since + _CREATING > now:
                return life.since + _CREATING - now
            if fault in ("no image", "bad config"):
                return math.inf
            life.stage, life.since, life.started = "running", now, now
        if life.stage == "running" and fault in ("exits", "crashes", "out of memory"):
            reason, code = {
                "exits": ("Completed", 0),
                "crashes": ("Error", 1),
                "out of memory": ("OOMKilled", 137),
            }[fault]
            life.ended = {"reason": reason, "exitCode": code}
            life.stage, life.since, life.started = "ended", now, None
        if life.stage == "ended":
            if life.since + _BACKOFF > now:
                return life.since + _BACKOFF - now
            life.restarts += 1
            if fault:
                life.stage, life.since = "backing off", now
                return math.inf
            life.stage, life.since, life.started = "running", now, now
        if life.stage == "backing off" and not fault:
            life.stage, life.since, life.started = "running", now, now
        assert life.started is not None or life.stage == "backing off"
        if life.started is None:
            return math.inf
        ready_at = life.started + behavior.boot
        if now < ready_at:
            return ready_at - now
        return _FLAP - (now - ready_at) % _FLAP if fault == "flaps" else math.inf

    def _ready(self, life: Life, behavior: PodBehavior, now: float) -> bool:
        if life.stage != "running" or life.started is None or life.evicted:
            return False
        up = now - life.started - behavior.boot
        if behavior.fault == "flaps":
            return up >= 0 and int(up / _FLAP) % 2 == 0
        return up >= 0 and behavior.fault != "never ready"

    def _report(
        self, key: Key, pod: Object, life: Life, behavior: PodBehavior, now: float, *, lost: bool
    ) -> None:
        ready = not lost and self._ready(life, behavior, now)
        scheduled = life.stage != "pending"
        states = {"PodScheduled": scheduled, "Ready": ready}
        if life.evicted:
            states["DisruptionTarget"] = True
        before = {c["type"]: c for c in pod.get("status", {}).get("conditions", ())}
        conditions = [
            before[kind]
            if kind in before and before[kind]["status"] == str(state)
            else _condition(kind, state, now)
            for kind, state in states.items()
        ]
        status: dict[str, Any] = {"conditions": conditions}
        if scheduled:
            # A lost node reports nothing: the status of its containers stays as last reported.
            old = pod.get("status", {}).get("containerStatuses", [])
            status["containerStatuses"] = old if lost else [_container(life, behavior, ready=ready)]
        if status != pod.get("status"):
            self.server.put_status(resources.PODS, key, {**pod, "status": status})

    # --- faults of pods ---------------------------------------------------------------------

    def strike(self, pod: Object, fault: str | None) -> None:
        """Injects `fault` into one pod; None ends it."""
        self.lives[pod["metadata"]["uid"]].fault = fault

    def evict(self, pod: Object) -> None:
        """The eviction API's answer: marked as disrupted, then deleted."""
        meta = pod["metadata"]
        life = self.lives.get(meta["uid"])
        if life and "deletionTimestamp" not in meta:
            life.evicted = True
            key = (meta["namespace"], meta["name"])
            self._report(key, pod, life, self.behavior(pod), self.clock.now(), lost=False)
            self.server.delete(resources.PODS, key)

    def fail(self, pod: Object, reason: str = "Evicted") -> None:
        """The kubelet itself ends a pod, as one short of disk or of a device does: it stays, as
        Failed, until another client deletes it, and no ReplicaSet counts it."""
        meta = pod["metadata"]
        life = self.lives.get(meta["uid"])
        if life and not life.failed and "deletionTimestamp" not in meta:
            life.failed, life.started, life.node = reason, None, None
            status = {
                "phase": "Failed",
                "reason": reason,
                "message": "the node was low on resource",
                "conditions": [
                    {"type": kind, "status": state, "lastTransitionTime": stamp(self.clock.now())}
                    for kind, state in (("Ready", "False"), ("DisruptionTarget", "True"))
                ],
            }
            key = (meta["namespace"], meta["name"])
            self.server.put_status(resources.PODS, key, {**pod, "status": status})

    def drain(self, node: str) -> None:
        for pod in self.server.all(resources.PODS):
            life = self.lives.get(pod["metadata"]["uid"])
            if life and life.node == node:
                self.evict(pod)

    def lose(self, node: str) -> None:
        """The node falls silent; its pods are unready, and deleted when it stays so."""
        self.nodes[node] = False

    def reboot(self, node: str) -> None:
        """All that runs on a node is started again in the same pods; its end was not observed."""
        for life in self.lives.values():
            if life.node == node and self.nodes[node] and life.stage == "running":
                life.ended = {"reason": "Unknown", "exitCode": 255}
                life.stage, life.since, life.started = "ended", self.clock.now(), None

    def restore(self, node: str) -> None:
        self.nodes[node] = True


def _condition(kind: str, state: bool, now: float) -> Object:
    condition = {"type": kind, "status": str(state), "lastTransitionTime": stamp(now)}
    unplaced = kind == "PodScheduled" and not state
    return {**condition, "reason": "Unschedulable"} if unplaced else condition


def _container(life: Life, behavior: PodBehavior, *, ready: bool) -> Object:
    state: Object = {"waiting": {"reason": "ContainerCreating"}}
    if life.stage == "creating" and behavior.fault == "no image":
        state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    elif life.stage == "creating" and behavior.fault == "bad config":
        state = {"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}
    elif life.stage == "running":
        assert life.started is not None
        state = {"running": {"startedAt": stamp(life.started)}}
    elif life.stage == "ended":
        state = {"terminated": life.ended}
    elif life.stage == "backing off":
        state = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": life.ended} if life.ended and life.stage != "ended" else {}
    return {
        "name": "server",
        "ready": ready,
        "state": state,
        "lastState": last,
        "restartCount": life.restarts,
    }


def has_ended(pod: Object) -> bool:
    """Whether nothing of a pod runs any more, though it is still there."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def is_ready(pod: Object) -> bool:
    """Whether a pod answers: ready, and not on its way out."""
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def created(pod: Object) -> float:
    return seconds(pod["metadata"]["creationTimestamp"])
