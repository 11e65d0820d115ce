"""Manifests of what serves: the record, its Deployment, the callers' Service, the autoscaler.

A Deployment is made from the stored record alone, so nothing that changes later (an operator, a
default, a runtime) can restart a pod (R1).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from canarium import API_VERSION, GROUP, KIND
from canarium.render import labels, runtime

Manifest = dict[str, Any]

#: Endpoints need a moment to leave every node's rules before the server may stop.
_DRAIN_SECONDS = 5
_GRACE_SECONDS = 35


def child_name(model: str, revision: str) -> str:
    return f"{model}-{revision}"


def pod_template(model: str, revision: str, spec: Mapping[str, Any]) -> Manifest:
    """The pod template of a new revision, without its colour. Raises RuntimeInvalid."""
    server = runtime.snapshot(model, spec)
    probe = server.get("readiness") or {}
    container: Manifest = {
        "name": "server",
        "image": server["image"],
        "ports": [{"name": "http", "containerPort": server.get("port", 8080)}],
        "readinessProbe": {
            "httpGet": {"path": probe["path"], "port": "http"},
            "periodSeconds": probe.get("periodSeconds", 5),
            "failureThreshold": probe.get("failureThreshold", 3),
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    for key in ("imagePullPolicy", "command", "args", "env"):
        if server.get(key):
            container[key] = server[key]
    if spec.get("resources"):
        container["resources"] = spec["resources"]
    template: Manifest = {
        "metadata": {"labels": labels.of(model, revision)},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": _GRACE_SECONDS},
    }
    laid: Manifest = overlay(template, spec.get("podTemplate") or {})
    return laid


def overlay(base: Any, over: Any) -> Any:
    """`over` laid on `base`: objects merge, named lists merge by name, all else replaces."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = {key: copy.deepcopy(value) for key, value in base.items()}
        for key, value in over.items():
            merged[key] = overlay(base[key], value) if key in base else copy.deepcopy(value)
        return merged
    if _named(base) and _named(over):
        byname = {item["name"]: item for item in base}
        for item in over:
            name = item["name"]
            byname[name] = overlay(byname[name], item) if name in byname else item
        return list(byname.values())
    return copy.deepcopy(over)


def _named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, dict) and "name" in x for x in value)


def record(parent: Mapping[str, Any], minted: Mapping[str, Any], template: Manifest) -> Manifest:
    """The ControllerRevision; `minted` has revision, number, algorithm, digest, identity,
    after, retry.
    """
    spec = parent["spec"]
    after = {key: minted[key] for key in ("after", "retry") if minted.get(key)}
    return {
        **_head(parent, "apps/v1", "ControllerRevision", minted["revision"]),
        "revision": minted["number"],
        "data": {
            "algorithm": minted["algorithm"],
            "digest": minted["digest"],
            "identity": minted["identity"],
            **after,
            "model": spec.get("model"),
            "template": template,
        },
    }


def deployment(
    parent: Mapping[str, Any], revision: str, color: str, template: Mapping[str, Any]
) -> Manifest:
    """A revision's Deployment without `replicas`: creation adds them, /scale changes them."""
    model = parent["metadata"]["name"]
    pods = copy.deepcopy(dict(template))
    pods["metadata"] = {
        **pods.get("metadata", {}),
        "labels": {
            **pods.get("metadata", {}).get("labels", {}),
            **labels.of(model, revision),
            labels.COLOR: color,
        },
    }
    head = _head(parent, "apps/v1", "Deployment", revision)
    head["metadata"]["labels"][labels.COLOR] = color
    return {
        **head,
        "spec": {
            "selector": {"matchLabels": {labels.MODEL: model, labels.REVISION: revision}},
            "template": pods,
        },
    }


def service(
    parent: Mapping[str, Any],
    color: str | None,
    stable: str | None,
    candidate: str | None,
    quarantined: str | None = None,
    previous: str | None = None,
    since: str | None = None,
) -> Manifest:
    """The callers' Service; its annotations say for whom it selects, in the same write (R18)."""
    model = parent["metadata"]["name"]
    head = _head(parent, "v1", "Service", None)
    notes = {
        labels.STABLE: stable,
        labels.CANDIDATE: candidate,
        labels.QUARANTINED: quarantined,
        labels.PREVIOUS: previous,
        labels.SINCE: since,
    }
    head["metadata"]["annotations"] = {key: value for key, value in notes.items() if value}
    selector = {labels.MODEL: model}
    if color != "":
        selector[labels.COLOR] = color or labels.NO_COLOR
    port = (parent["spec"].get("traffic") or {}).get("port") or 80
    return {
        **head,
        "spec": {
            "selector": selector,
            "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def autoscaler(parent: Mapping[str, Any], revision: str, low: int, high: int) -> Manifest:
    """A revision's HorizontalPodAutoscaler between `low` and `high`."""
    scaling = parent["spec"].get("scaling") or {}
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    spec: Manifest = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": child_name(parent["metadata"]["name"], revision),
        },
        "minReplicas": low,
        "maxReplicas": high,
        "metrics": scaling.get("metrics") or [cpu],
    }
    if scaling.get("behavior"):
        spec["behavior"] = scaling["behavior"]
    return {
        **_head(parent, "autoscaling/v2", "HorizontalPodAutoscaler", revision),
        "spec": spec,
    }


def event(parent: Mapping[str, Any], kind: str, reason: str, message: str, at: str) -> Manifest:
    """A core/v1 Event about the parent; `at` is an RFC 3339 time."""
    meta = parent["metadata"]
    seconds = at.split(".")[0].rstrip("Z") + "Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
        "type": kind,
        "reason": reason,
        "message": message[:1000],
        "source": {"component": "canarium"},
        "reportingComponent": f"{GROUP}/operator",
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }


def _head(parent: Mapping[str, Any], api_version: str, kind: str, revision: str | None) -> Manifest:
    meta = parent["metadata"]
    model = meta["name"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": child_name(model, revision) if revision else model,
            "namespace": meta["namespace"],
            "labels": labels.of(model, revision),
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": model,
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
    }
