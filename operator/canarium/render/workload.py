"""Renders the record, its Deployment, the model's Service, and the autoscaler.

A Deployment is made from the stored record alone, so nothing that changes later (an operator, a
default, a runtime) can restart a pod (R1).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from canarium import API_VERSION, GROUP, KIND
from canarium.api.effective_scaling import EffectiveScaling
from canarium.core.facts.revision import seal
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.render import labels
from canarium.render.fetch_container import PIN_KEY

Manifest = dict[str, Any]
#: Name of the port of a model's Service, unless the Service was adopted with another one.
PORT_NAME = "http"


def child_name(model: str, revision: str) -> str:
    return f"{model}-{revision}"


def record(
    parent: Mapping[str, Any],
    new: Mapping[str, Any],
    template: Manifest,
    runtime: Manifest | None = None,
    applied: Mapping[str, str] | None = None,
    served: str | None = None,
    model: Manifest | None = None,
    settings: str | None = None,
) -> Manifest:
    """Returns the ControllerRevision.

    `new` has revision, number, algorithm, digest, identity, after and retry; `runtime` is the
    rendered server and its source; `applied` is who wrote the spec, `served` which revisions had
    traffic before it, `settings` how its rollout starts; `model` are the known fields of spec.model
    if that is not the one of the parent.
    """
    spec = parent["spec"]
    after = {key: new[key] for key in ("after", "retry") if new.get(key)}
    if model is None:
        # How the model was found, and where outcomes are written, is not what it is: both may
        # change later.
        unstored = ("follow", "writeBack")
        model = {key: value for key, value in spec["model"].items() if key not in unstored}
    data = {
        "algorithm": new["algorithm"],
        "digest": new["digest"],
        "identity": new["identity"],
        **after,
        "model": model,
        **({"runtime": runtime} if runtime else {}),
        **({"applied": dict(applied)} if applied else {}),
        "template": template,
    }
    head = head_of(parent, "apps/v1", "ControllerRevision", new["revision"])
    notes = {labels.SERVED: served, labels.ROLLOUT_SETTINGS: settings}
    if any(notes.values()):
        head["metadata"]["annotations"] = {name: text for name, text in notes.items() if text}
    return {
        **head,
        "revision": new["number"],
        "data": {**data, "seal": seal(data)},
    }


def pin(parent: Mapping[str, Any], revision: str, uid: str, digest: str) -> Manifest:
    """Returns the ConfigMap that passes the digest of a revision's first pod to its later pods.

    It belongs to the record (of `uid`), and is deleted with it.
    """
    head = head_of(parent, "v1", "ConfigMap", revision)
    head["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "name": head["metadata"]["name"],
            "uid": uid,
            "controller": True,
        }
    ]
    return {**head, "data": {PIN_KEY: digest}}


def trial(parent: Mapping[str, Any], revision: str, template: Mapping[str, Any]) -> Manifest:
    """Returns a pod as a revision's Deployment would create it, for a dry run."""
    return {
        **copy.deepcopy(dict(template)),
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **copy.deepcopy(template.get("metadata", {})),
            "name": f"{child_name(parent['metadata']['name'], revision)}-trial",
            "namespace": parent["metadata"]["namespace"],
        },
    }


def deployment(
    parent: Mapping[str, Any], revision: str, color: str, template: Mapping[str, Any]
) -> Manifest:
    """Returns a revision's Deployment without `replicas`: creation adds them, /scale changes
    them.

    Its selector has the colour too, which the callers' Service selects: a pod that loses a label
    of its Service is released by its ReplicaSet and replaced.
    """
    model = parent["metadata"]["name"]
    selected = _selected(model, revision, color)
    pods = copy.deepcopy(dict(template))
    pods["metadata"] = {
        **pods.get("metadata", {}),
        "labels": {
            **pods.get("metadata", {}).get("labels", {}),
            **labels.of(model, revision),
            **selected,
        },
    }
    head = head_of(parent, "apps/v1", "Deployment", revision)
    head["metadata"]["labels"][labels.COLOR] = color
    return {**head, "spec": {"selector": {"matchLabels": selected}, "template": pods}}


def _selected(model: str, revision: str, color: str) -> dict[str, str]:
    return {labels.MODEL: model, labels.REVISION: revision, labels.COLOR: color}


def service(
    parent: Mapping[str, Any],
    port: int,
    color: str | None,
    traffic: TrafficRecord,
    port_name: str | None = PORT_NAME,
    distribution: Manifest | None = None,
) -> Manifest:
    """Returns the callers' Service at `port`; its annotations record what it selects, in the same
    write (R18). `port_name` None is a port without a name.

    `distribution` is left out while it selects two versions: their shares are by ready pods (R6),
    and callers would use only those of their zone.
    """
    model = parent["metadata"]["name"]
    head = head_of(parent, "v1", "Service", None)
    head["metadata"]["annotations"] = traffic.to_annotations()
    selector = {labels.MODEL: model}
    if color != "":
        selector[labels.COLOR] = color or labels.NO_COLOR
    entry: Manifest = {"port": port, "targetPort": "http", "protocol": "TCP"}
    if port_name:
        entry = {"name": port_name, **entry}
    spec: Manifest = {"selector": selector, "ports": [entry]}
    if color != "":
        spec |= distribution or {}
    return {**head, "spec": spec}


def autoscaler(
    parent: Mapping[str, Any],
    scaling: EffectiveScaling,
    revision: str,
    min_replicas: int,
    max_replicas: int,
) -> Manifest:
    """Returns a revision's HorizontalPodAutoscaler with these limits, and the metrics and the
    behavior of `scaling`."""
    spec: Manifest = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": child_name(parent["metadata"]["name"], revision),
        },
        "minReplicas": min_replicas,
        "maxReplicas": max_replicas,
        "metrics": copy.deepcopy(list(scaling.metrics)),
    }
    if scaling.behavior:
        spec["behavior"] = scaling.behavior
    return {
        **head_of(parent, "autoscaling/v2", "HorizontalPodAutoscaler", revision),
        "spec": spec,
    }


def disruption_budget(
    parent: Mapping[str, Any],
    revision: str,
    color: str,
    deployment: str,
    max_unavailable: int | str,
) -> Manifest:
    """Returns the PodDisruptionBudget of a revision, which its Deployment (of this UID) owns.

    It selects what the Deployment does. Pods that are not ready may always be evicted: the budget
    protects what serves, and a version that cannot start must not block the drain of a node.
    """
    model = parent["metadata"]["name"]
    head = head_of(parent, "policy/v1", "PodDisruptionBudget", revision)
    head["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": head["metadata"]["name"],
            "uid": deployment,
            "controller": True,
        }
    ]
    return {
        **head,
        "spec": {
            "maxUnavailable": max_unavailable,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": _selected(model, revision, color)},
        },
    }


def event(parent: Mapping[str, Any], kind: str, reason: str, message: str, at: str) -> Manifest:
    """Returns a core/v1 Event about the model; `at` is an RFC 3339 time."""
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


def head_of(
    parent: Mapping[str, Any], api_version: str, kind: str, revision: str | None
) -> Manifest:
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
