"""The fetcher in a pod: an init container that brings the model, or checks the one mounted.

The volume is mounted at /mnt for the fetcher, which builds the folder `models` in it, and that
folder alone at /mnt/models for the server, read-only: parts of a fetch are never seen by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from canarium.api.uri import MOUNT, Address, UriInvalid, parse
from canarium.render.faults import RuntimeInvalid

Manifest = dict[str, Any]

CONTAINER = "fetch"
PIN_KEY = "digest"
_PREFIX = "CANARIUM_CREDENTIAL_"
_MODEL, _PIN = "canarium-model", "canarium-pin"
_PIN_FOLDER = "/etc/canarium/pin"
_CLAIM = "/mnt/claim"


@dataclass(frozen=True, slots=True)
class Kit:
    """The platform's settings for fetching: the fetcher's image, whether `oci://` is mounted as an
    image volume (the nodes' runtime must support them) instead of pulled, and how many percent
    of a node's disk a fetch leaves free (None: as the fetcher does by itself).
    """

    image: str
    pull_policy: str = "IfNotPresent"
    image_volumes: bool = False
    reserve: int | None = None


def address(spec: Mapping[str, Any]) -> Address | None:
    """Where the model is fetched from; None when nothing is. Raises RuntimeInvalid."""
    uri = (spec.get("model") or {}).get("uri")
    if not uri:
        return None
    try:
        found = parse(uri)
    except UriInvalid as error:
        reason = "UnknownScheme" if error.unknown else "InvalidUri"
        raise RuntimeInvalid(reason, f"spec.model.uri: {error}") from error
    return found if found.fetched else None


def overlay(child: str, spec: Mapping[str, Any], kit: Kit | None) -> Manifest:
    """What a pod gets so that its model is there before its server starts; {} for none.

    `child` is the name that the revision's objects have. Raises RuntimeInvalid.
    """
    where = address(spec)
    if where is None:
        return {}
    if kit is None:
        raise RuntimeInvalid(
            "NoFetcher",
            "spec.model.uri: this operator was started without --fetch-image, so it can only "
            "serve models inside the server's image (file:///path)",
        )
    model = spec["model"]
    source, fetcher, server, folder = _mounts(where, kit)
    words = ["fetch", model["uri"], folder, "--report", "/dev/termination-log"]
    if folder != MOUNT or source.keys() & {"image", "persistentVolumeClaim"}:
        words.append("--in-place")
    if model.get("digest"):
        words += ["--digest", model["digest"]]
    else:
        words += ["--pin", f"{_PIN_FOLDER}/{PIN_KEY}"]
    if model.get("endpoint"):
        words += ["--endpoint", model["endpoint"]]
    if model.get("unpack") is False:
        words.append("--no-unpack")
    if kit.reserve is not None:
        words += ["--reserve", str(kit.reserve)]
    container: Manifest = {
        "name": CONTAINER,
        "image": kit.image,
        "imagePullPolicy": kit.pull_policy,
        "args": words,
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": _MODEL, **fetcher},
            {"name": _PIN, "mountPath": _PIN_FOLDER, "readOnly": True},
        ],
    }
    secret = (model.get("credentials") or {}).get("secretName")
    pulled_by_kubelet = "image" in source
    if pulled_by_kubelet and model.get("endpoint"):
        raise RuntimeInvalid(
            "UnusedEndpoint",
            "spec.model.endpoint: this operator mounts oci:// as image volumes (--oci-volumes), "
            "which a kubelet pulls from the registry in spec.model.uri: name the other one there",
        )
    if secret and not pulled_by_kubelet:
        # A Secret that is missing is then a plain error of the pod, which the kubelet names.
        container["envFrom"] = [{"prefix": _PREFIX, "secretRef": {"name": secret}}]
    return {
        "spec": {
            **({"imagePullSecrets": [{"name": secret}]} if secret and pulled_by_kubelet else {}),
            "initContainers": [container],
            "containers": [
                {
                    "name": "server",
                    "volumeMounts": [
                        {"name": _MODEL, "mountPath": MOUNT, "readOnly": True, **server}
                    ],
                }
            ],
            "volumes": [
                {"name": _MODEL, **source},
                # Absent until the first pod of the revision has fetched; a pod starts all the same.
                {"name": _PIN, "configMap": {"name": child, "optional": True}},
            ],
        }
    }


def _mounts(where: Address, kit: Kit) -> tuple[Manifest, Manifest, Manifest, str]:
    """The volume's source, where the fetcher and the server see it, and the fetcher's folder."""
    if where.scheme == "pvc":
        claim = {"persistentVolumeClaim": {"claimName": where.place, "readOnly": True}}
        below = {"subPath": where.path} if where.path else {}
        folder = str(PurePosixPath(_CLAIM) / where.path)
        return claim, {"mountPath": _CLAIM, "readOnly": True}, below, folder
    if where.scheme == "oci" and kit.image_volumes:
        reference = {"reference": f"{where.place}/{where.path}", "pullPolicy": "IfNotPresent"}
        return {"image": reference}, {"mountPath": MOUNT, "readOnly": True}, {}, MOUNT
    root = PurePosixPath(MOUNT)
    return {"emptyDir": {}}, {"mountPath": str(root.parent)}, {"subPath": root.name}, MOUNT
