"""The audit log of a kind cluster's API server, in a folder of this machine.

kind mounts the folder into its node. kubeadm patches the manifest of the API server: a patch is the
same in every version of kubeadm's configuration, unlike the arguments of a component.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Where the folder is in the node, and in the container of the API server.
_INSIDE = "/canarium"
_LOG, _POLICY, _PATCHES = "audit.log", "policy.json", "patches"


def config(folder: Path) -> Path:
    """Writes what the node reads into `folder`, and the configuration for `kind create cluster`,
    whose path is returned. The log is at `log(folder)`."""
    (folder / _PATCHES).mkdir(parents=True, exist_ok=True)
    _write(folder / _POLICY, _policy())
    _write(folder / _PATCHES / "kube-apiserver+json.json", _patch())
    # The API server appends to a file that exists. Its own would be readable by root only.
    log(folder).touch()
    log(folder).chmod(0o666)
    path = folder / "kind.json"
    _write(path, _cluster(folder))
    return path


def log(folder: Path) -> Path:
    """Returns the file with one JSON event per line."""
    return folder / _LOG


def _cluster(folder: Path) -> dict[str, Any]:
    mount = {"hostPath": str(folder.absolute()), "containerPath": _INSIDE}
    patches = {"kind": "InitConfiguration", "patches": {"directory": f"{_INSIDE}/{_PATCHES}"}}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kubeadmConfigPatches": [json.dumps(patches)],
        "nodes": [{"role": "control-plane", "extraMounts": [mount]}],
    }


def _policy() -> dict[str, Any]:
    """As that of a native node."""
    rule = {"level": "Metadata", "omitStages": ["RequestReceived"]}
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}


def _patch() -> list[dict[str, Any]]:
    container = "/spec/containers/0"
    volume = {"name": "audit", "hostPath": {"path": _INSIDE, "type": "Directory"}}
    return [
        _add(f"{container}/command", f"--audit-policy-file={_INSIDE}/{_POLICY}"),
        _add(f"{container}/command", f"--audit-log-path={_INSIDE}/{_LOG}"),
        _add(f"{container}/volumeMounts", {"name": "audit", "mountPath": _INSIDE}),
        _add("/spec/volumes", volume),
    ]


def _add(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": f"{path}/-", "value": value}


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))
