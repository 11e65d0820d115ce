"""The pod template of a new revision.

Merged in this order, later ones taking precedence: what every pod has, the runtime's overlay, the
model's own fields, and the model's overlay.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from canarium.api.effective_pod import effective_spread
from canarium.api.effective_server import EffectiveProbe, EffectiveServer, effective_server
from canarium.api.server import SERVER_CONTAINER
from canarium.render import fetch_container, labels
from canarium.render.fetch_container import FetcherConfig

Manifest = dict[str, Any]

#: Seconds for endpoints to be removed from the rules of every node before the server stops.
DRAIN_SECONDS = 5
GRACE_SECONDS = 35
_AS_THEY_ARE = {
    "nodeSelector": "nodeSelector",
    "tolerations": "tolerations",
    "affinity": "affinity",
    "priorityClassName": "priorityClassName",
    "runtimeClassName": "runtimeClassName",
    "serviceAccountName": "serviceAccountName",
    "imagePullSecrets": "imagePullSecrets",
    "resourceClaims": "resourceClaims",
    "terminationGracePeriodSeconds": "terminationGracePeriodSeconds",
}
#: Lists that Kubernetes merges by a key other than `name`.
_KEYS = {"volumeMounts": "mountPath", "volumeDevices": "devicePath"}
#: A preference for different zones, then nodes. Constraints of a pod replace those that the
#: scheduler has by default, so the default one for nodes is among them.
_SOFT_SPREAD = (
    {"topologyKey": "topology.kubernetes.io/zone"},
    {"topologyKey": "kubernetes.io/hostname"},
)
_SECURITY = ("runAsUser", "runAsGroup", "fsGroup")


def pod_template(
    model: str,
    revision: str,
    spec: Mapping[str, Any],
    server: Mapping[str, Any],
    kit: FetcherConfig | None = None,
) -> Manifest:
    """Returns the pod template without its color, for a `server` as `runtime.server` returns it.

    `kit` configures the fetcher. Raises RuntimeInvalid.
    """
    own = spec.get("pod") or {}
    template: Manifest = {
        "metadata": {"labels": labels.of(model, revision)},
        "spec": {
            "containers": [container(server, spec.get("resources"))],
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            # Models need no access to the API, and Service variables would become server settings.
            "automountServiceAccountToken": bool(own.get("serviceAccountName")),
            "enableServiceLinks": False,
            "topologySpreadConstraints": _spread(_SOFT_SPREAD, labels.of(model, revision)),
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }
    if server.get("sharedMemory"):
        memory = {"medium": "Memory", "sizeLimit": server["sharedMemory"]}
        template = overlay(template, _volume("shm", "/dev/shm", {"emptyDir": memory}))
    template = overlay(template, fetch_container.overlay(f"{model}-{revision}", spec, kit))
    template = overlay(template, server.get("podTemplate") or {})
    template = overlay(template, _curated(own, labels.of(model, revision)))
    laid: Manifest = overlay(template, spec.get("podTemplate") or {})
    return laid


def container(server: Mapping[str, Any], resources: Any) -> Manifest:
    """Returns the server's container."""
    settings = effective_server(server)
    manifest: Manifest = {
        "name": SERVER_CONTAINER,
        "image": server["image"],
        "ports": [
            {"name": "http", "containerPort": settings.port},
            *(
                {"name": extra["name"], "containerPort": extra["port"]}
                for extra in server.get("ports") or ()
            ),
        ],
        **_probes(settings),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    for key in ("imagePullPolicy", "command", "args", "env"):
        if server.get(key):
            manifest[key] = server[key]
    if resources:
        manifest["resources"] = resources
    return manifest


def _probes(server: EffectiveServer) -> Manifest:
    probes = {"readinessProbe": _probe(server.readiness)}
    if server.startup:
        probes["startupProbe"] = _probe(server.startup)
    if server.liveness:
        probes["livenessProbe"] = _probe(server.liveness)
    return probes


def _probe(probe: EffectiveProbe) -> Manifest:
    fields = {
        **probe.action,
        "periodSeconds": probe.period,
        "failureThreshold": probe.failure_threshold,
    }
    return {**fields, "timeoutSeconds": probe.timeout} if probe.timeout else fields


def _curated(own: Mapping[str, Any], selected: Mapping[str, str]) -> Manifest:
    """Returns `spec.pod` as an overlay."""
    laid: Manifest = {"spec": {_AS_THEY_ARE[k]: v for k, v in own.items() if k in _AS_THEY_ARE}}
    security = {key: own[key] for key in _SECURITY if key in own}
    if security:
        laid["spec"]["securityContext"] = security
    if "topologySpread" in own:
        laid["spec"]["topologySpreadConstraints"] = _spread(own["topologySpread"], selected)
    for volume in own.get("volumes") or ():
        one = _volume(volume["name"], volume["mountPath"], volume["source"], volume.get("readOnly"))
        laid = overlay(laid, one)
    return laid


def _spread(
    constraints: Iterable[Mapping[str, Any]], selected: Mapping[str, str]
) -> list[Manifest]:
    """Returns topologySpreadConstraints over the pods with the labels `selected`."""
    return [
        {**effective_spread(one), "labelSelector": {"matchLabels": dict(selected)}}
        for one in constraints
    ]


def _volume(name: str, path: str, source: Any, read_only: bool | None = None) -> Manifest:
    mount = {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}
    return {
        "spec": {
            "containers": [{"name": SERVER_CONTAINER, "volumeMounts": [mount]}],
            "volumes": [{"name": name, **source}],
        }
    }


def overlay(base: Any, over: Any, key: str = "name") -> Any:
    """Returns `base` overlaid by `over`: objects merge, lists whose items have a `key` merge by it,
    other values are replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = {name: copy.deepcopy(value) for name, value in base.items()}
        for name, value in over.items():
            if name in base:
                merged[name] = overlay(base[name], value, _KEYS.get(name, "name"))
            else:
                merged[name] = copy.deepcopy(value)
        return merged
    if _keyed(base, key) and _keyed(over, key):
        by_key = {item[key]: item for item in base}
        for item in over:
            at = item[key]
            by_key[at] = overlay(by_key[at], item) if at in by_key else item
        return copy.deepcopy(list(by_key.values()))
    return copy.deepcopy(over)


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and all(isinstance(x, dict) and key in x for x in value)
