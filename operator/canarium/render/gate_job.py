"""Renders the Job of a gate, and the Service of one revision that it asks (R27).

Pods of the Job do not have the label of the model: it selects the pods that serve.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from canarium import GROUP
from canarium.core.decision.plan import CreateGateJob
from canarium.core.facts.gate_jobs import service_name
from canarium.render import labels
from canarium.render.workload import Manifest, head_of

#: The container whose exit code decides.
CONTAINER = "gate"
#: On pods of the Job: the model.
GATE_OF = f"{GROUP}/gate-of"
_PREFIX = "CANARIUM_"


def gate_service(parent: Mapping[str, Any], port: int, revision: str) -> Manifest:
    """Returns the Service of one revision for Jobs of gates, at `port`."""
    model = parent["metadata"]["name"]
    head = head_of(parent, "v1", "Service", revision)
    head["metadata"]["name"] = service_name(model, revision)
    head["metadata"]["labels"][labels.GATE] = ""
    return {
        **head,
        "spec": {
            "selector": {labels.MODEL: model, labels.REVISION: revision},
            "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def gate_job(parent: Mapping[str, Any], port: int, action: CreateGateJob) -> Manifest:
    """Returns the Job of a gate. Its pod is restricted as those of models are, and never retried by
    Kubernetes: an eviction ends the Job, and the operator decides about another one."""
    job: Mapping[str, Any] = json.loads(action.job)
    meta = parent["metadata"]
    head = head_of(parent, "batch/v1", "Job", action.revision)
    head["metadata"]["name"] = action.name
    head["metadata"]["labels"][labels.GATE] = action.gate
    if action.nonce:
        head["metadata"]["annotations"] = {labels.GATE_NONCE: action.nonce}
    account = job.get("serviceAccountName")
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": bool(account),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            **({"runAsUser": job["runAsUser"]} if "runAsUser" in job else {}),
        },
        "containers": [_container(parent, port, action, job)],
    }
    if account:
        pod["serviceAccountName"] = account
    if job.get("imagePullSecrets"):
        pod["imagePullSecrets"] = job["imagePullSecrets"]
    marks = {labels.MANAGED_BY: "canarium", labels.GATE: action.gate, GATE_OF: meta["name"]}
    spec: Manifest = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                }
            ]
        },
        "template": {"metadata": {"labels": marks}, "spec": pod},
    }
    if action.deadline is not None:
        spec["activeDeadlineSeconds"] = int(action.deadline)
    return {**head, "spec": spec}


def _container(
    parent: Mapping[str, Any], port: int, action: CreateGateJob, job: Mapping[str, Any]
) -> Manifest:
    manifest: Manifest = {
        "name": CONTAINER,
        "image": job["image"],
        "env": _environment(parent, port, action, job.get("env") or ()),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    for key in ("command", "args", "resources"):
        if job.get(key):
            manifest[key] = job[key]
    return manifest


def _environment(
    parent: Mapping[str, Any], port: int, action: CreateGateJob, own: Any
) -> list[Manifest]:
    """Returns the variables of the user, after those of the operator: they may refer to these."""
    meta = parent["metadata"]

    def url(revision: str) -> str:
        return f"http://{service_name(meta['name'], revision)}.{meta['namespace']}.svc:{port}"

    facts = {
        "MODEL": meta["name"],
        "NAMESPACE": meta["namespace"],
        "REVISION": action.revision,
        **dict(action.facts),
        "CANDIDATE_URL": url(action.revision),
        **({"STABLE_URL": url(action.other)} if action.other else {}),
    }
    ours = [{"name": f"{_PREFIX}{name}", "value": _literal(value)} for name, value in facts.items()]
    names = {variable["name"] for variable in ours}
    return [*ours, *(variable for variable in own if variable["name"] not in names)]


def _literal(value: str) -> str:
    """Returns a value in which the kubelet expands no reference to another variable."""
    return value.replace("$(", "$$(")
