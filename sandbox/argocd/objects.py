"""What Argo CD wants to find in its namespace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMESPACE = "argocd"
IN_CLUSTER = "https://kubernetes.default.svc"
_LABELS = {"app.kubernetes.io/part-of": "argocd"}


def settings(data: Mapping[str, str], server_key: str) -> list[dict[str, Any]]:
    """The namespace, ConfigMaps, Secret and project; `data` is of argocd-cm."""
    empty = ("argocd-rbac-cm", "argocd-tls-certs-cm", "argocd-ssh-known-hosts-cm")
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _config_map("argocd-cm", data),
        *(_config_map(name, {}) for name in (*empty, "argocd-gpg-keys-cm")),
        _object("v1", "Secret", "argocd-secret", stringData={"server.secretkey": server_key}),
        _object(
            "argoproj.io/v1alpha1",
            "AppProject",
            "default",
            spec={
                "sourceRepos": ["*"],
                "destinations": [{"namespace": "*", "server": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        ),
    ]


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return _object("v1", "ConfigMap", name, data=dict(data))


def _object(version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}
