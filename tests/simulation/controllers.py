"""Kubernetes' own controllers, each level-triggered: what is there is brought to what is wanted."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import orjson

from canarium.kube import resources
from simulation.clock import Clock
from simulation.fields import Object, clone
from simulation.kubelet import Kubelet, created, has_ended, is_ready
from simulation.server import Key, Server, controller

_SERVICE_NAME = "kubernetes.io/service-name"
_HASH = "pod-template-hash"


def _key(obj: Object) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


@dataclass
class Deployments:
    """Deployment → pods, without the ReplicaSets between: surge of one, none unavailable."""

    server: Server
    serial: int = 0

    def step(self) -> float:
        for deployment in self.server.all(resources.DEPLOYMENTS):
            uid, spec = deployment["metadata"]["uid"], deployment["spec"]
            mark = hashlib.sha256(orjson.dumps(spec["template"])).hexdigest()[:8]
            live = [
                pod
                for pod in self.server.all(resources.PODS)
                if controller(pod) == uid
                and "deletionTimestamp" not in pod["metadata"]
                and not has_ended(pod)
                and not self._releases(deployment, pod)
            ]
            new = [p for p in live if p["metadata"]["labels"][_HASH] == mark]
            old = [p for p in live if p["metadata"]["labels"][_HASH] != mark]
            wanted = spec["replicas"]
            room = wanted + (1 if old and wanted else 0) - len(live)
            for _ in range(min(room, wanted - len(new))):
                self._make(deployment, mark)
            ready = sum(is_ready(p) for p in live)
            spare = len(live) - wanted if not old or not wanted else ready - wanted
            unready_first = sorted(live, key=lambda p: (is_ready(p), -created(p)))
            ranked = sorted(unready_first, key=lambda p: p in new) if old else unready_first
            for pod in ranked[: max(0, spare)]:
                self.server.delete(resources.PODS, _key(pod))
        return math.inf

    def _releases(self, deployment: Object, pod: Object) -> bool:
        """Removes the owner of a pod that the selector does not match any more."""
        selector = deployment["spec"]["selector"]["matchLabels"].items()
        if selector <= pod["metadata"].get("labels", {}).items():
            return False
        self.server.merge(resources.PODS, _key(pod), {"metadata": {"ownerReferences": None}})
        return True

    def _make(self, deployment: Object, mark: str) -> None:
        self.serial += 1
        meta, template = deployment["metadata"], clone(deployment["spec"]["template"])
        template["metadata"].setdefault("labels", {})[_HASH] = mark
        template["metadata"] |= {
            "name": f"{meta['name']}-{self.serial}",
            "namespace": meta["namespace"],
            "ownerReferences": [{"kind": "ReplicaSet", "uid": meta["uid"], "controller": True}],
        }
        self.server.create(resources.PODS, template)


@dataclass
class Endpoints:
    """Service → EndpointSlice, `lag` seconds late."""

    server: Server
    clock: Clock
    lag: float = 0.0
    pending: dict[Key, float] = field(default_factory=dict)

    def step(self) -> float:
        now, due = self.clock.now(), math.inf
        for service in self.server.all(resources.SERVICES):
            key = _key(service)
            slice_key = (key[0], f"{key[1]}-slice")
            live = self.server.find(resources.ENDPOINT_SLICES, slice_key)
            wanted = self._slice(service, slice_key)
            if live and live.get("endpoints") == wanted["endpoints"]:
                self.pending.pop(key, None)
                continue
            at = self.pending.setdefault(key, now + self.lag)
            if at > now:
                due = min(due, at - now)
                continue
            del self.pending[key]
            if live and controller(live) != service["metadata"]["uid"]:
                self.server.remove(resources.ENDPOINT_SLICES, slice_key)
                live = None
            if live is None:
                self.server.create(resources.ENDPOINT_SLICES, wanted)
            else:
                self.server.merge(resources.ENDPOINT_SLICES, slice_key, wanted)
        return due

    def _slice(self, service: Object, key: Key) -> Object:
        meta = service["metadata"]
        return {
            "metadata": {
                "namespace": key[0],
                "name": key[1],
                "labels": {**meta.get("labels", {}), _SERVICE_NAME: meta["name"]},
                "ownerReferences": [{"kind": "Service", "uid": meta["uid"], "controller": True}],
            },
            "endpoints": [
                {
                    "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                    "conditions": {"ready": is_ready(pod)},
                }
                for pod in selected(self.server, service)
            ],
        }


@dataclass
class Autoscalers:
    """HPA → replicas of its target: `load` pods, within its bounds.

    It scales up from zero what it has scaled to zero itself. What another client scaled to zero
    stays there, and the condition `ScalingActive` reports that (Kubernetes 1.36).
    """

    server: Server
    load: int = 2

    def step(self) -> float:
        for autoscaler in self.server.all(resources.AUTOSCALERS):
            spec = autoscaler["spec"]
            key = (autoscaler["metadata"]["namespace"], spec["scaleTargetRef"]["name"])
            target = self.server.find(resources.DEPLOYMENTS, key)
            if target is None:
                continue
            live = target["spec"]["replicas"]
            at_zero = _holds(autoscaler, "ScaledToZero")
            external = any(m.get("type") == "External" for m in spec.get("metrics") or ())
            if live == 0 and not (at_zero and (spec["minReplicas"] or external)):
                self._report(autoscaler, active=False, at_zero=at_zero)
                continue
            wanted = max(spec["minReplicas"], min(self.load, spec["maxReplicas"]))
            if live != wanted:
                self.server.scale(key, wanted)
                at_zero = wanted == 0
            self._report(autoscaler, active=True, at_zero=at_zero)
        return math.inf

    def _report(self, autoscaler: Object, *, active: bool, at_zero: bool) -> None:
        """Writes the conditions, as a separate write that follows the one of the replicas."""
        why = "ValidMetricFound" if active else "ScalingDisabled"
        conditions = [
            {"type": "ScalingActive", "status": str(active), "reason": why},
            {"type": "ScaledToZero", "status": str(at_zero), "reason": "ScaledToZero"},
        ]
        if (autoscaler.get("status") or {}).get("conditions") != conditions:
            body = {**autoscaler, "status": {"conditions": conditions}}
            self.server.put_status(resources.AUTOSCALERS, _key(autoscaler), body)


def _holds(obj: Object, kind: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


@dataclass
class Garbage:
    """Deletes objects whose owner was deleted."""

    server: Server

    def step(self) -> float:
        uids = {
            obj["metadata"]["uid"]
            for kind in (resources.MODELS, resources.DEPLOYMENTS, resources.SERVICES)
            for obj in self.server.all(kind)
        }
        for kind in self.server.shelves:
            for obj in self.server.all(kind):
                owner = controller(obj)
                if owner and owner not in uids and "deletionTimestamp" not in obj["metadata"]:
                    self.server.delete(kind, _key(obj))
        return math.inf


@dataclass
class NodeLifecycle:
    """Pods of a node that stays silent are deleted; they end when it returns."""

    server: Server
    clock: Clock
    kubelet: Kubelet
    patience: float = 30.0
    silent: dict[str, float] = field(default_factory=dict)

    def step(self) -> float:
        now, due = self.clock.now(), math.inf
        for node, up in self.kubelet.nodes.items():
            if up:
                self.silent.pop(node, None)
                continue
            since = self.silent.setdefault(node, now)
            if since + self.patience > now:
                due = min(due, since + self.patience - now)
                continue
            for pod in self.server.all(resources.PODS):
                life = self.kubelet.lives.get(pod["metadata"]["uid"])
                if life and life.node == node:
                    self.server.delete(resources.PODS, _key(pod))
        return due


def selected(server: Server, service: Object) -> list[Object]:
    """The pods that a Service's selector names and that have not ended; none for an empty one."""
    selector = (service["spec"].get("selector") or {}).items()
    return [
        pod
        for pod in server.all(resources.PODS)
        if selector and selector <= pod["metadata"].get("labels", {}).items() and not has_ended(pod)
    ]
