"""Renders the fetcher: an init container that downloads the model, or verifies a mounted one.

The volume is mounted at /mnt for the fetcher, which builds the folder `models` in it. The server
has only that folder, at /mnt/models and read-only, so it never sees a partial download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from canarium.api.reasons import SpecReason
from canarium.api.server import FETCH_CONTAINER, SERVER_CONTAINER
from canarium.api.uri import MOUNT, Address, UriInvalid, parse
from canarium.render.errors import RuntimeInvalid

Manifest = dict[str, Any]

PIN_KEY = "digest"
#: The file of certificate authorities in the fetcher's container.
CA = "ca.crt"
_PREFIX = "CANARIUM_CREDENTIAL_"
_MODEL, _PIN, _CLAIM = "canarium-model", "canarium-pin", "canarium-claim"
_PIN_FOLDER = "/etc/canarium/pin"
_CLAIM_FOLDER = "/mnt/claim"
_CA, _CA_FOLDER = "canarium-ca", "/etc/canarium/ca"
_KEY, _KEY_FOLDER, _KEY_FILE = "canarium-key", "/etc/canarium/key", "key.pem"
_RESOURCES: Manifest = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}
_SECURITY_CONTEXT: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CLAIM_SEEN = {"mountPath": _CLAIM_FOLDER, "readOnly": True}


@dataclass(frozen=True, slots=True)
class FetcherConfig:
    """Configuration of the fetcher: its image, whether `oci://` models are mounted as image volumes
    (which the nodes must support) instead of pulled, and the percentage of a node's disk that a
    fetch keeps free (None: the fetcher's default).

    `security_context` has the fields that differ from the default. `ca` is a ConfigMap in the
    namespace of each model, and its key. Changes apply to new revisions: those that run keep the
    pods that their record describes.
    """

    image: str
    pull_policy: str = "IfNotPresent"
    image_volumes: bool = False
    reserve: int | None = None
    resources: Mapping[str, Any] | None = None
    security_context: Mapping[str, Any] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    ca: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Mounts:
    """The model's volume, its mounts in fetcher and server, and the fetcher's arguments; `claim`:
    the source of another volume, which only the fetcher mounts.
    """

    source: Manifest
    fetcher: Manifest
    server: Manifest
    words: list[str]
    claim: Manifest | None = None


def address(spec: Mapping[str, Any]) -> Address | None:
    """Returns the address to fetch the model from; None without a fetch. Raises RuntimeInvalid."""
    uri = (spec.get("model") or {}).get("uri")
    if not uri:
        return None
    try:
        parsed = parse(uri)
    except UriInvalid as error:
        reason = SpecReason.UNKNOWN_SCHEME if error.unknown else SpecReason.INVALID_URI
        raise RuntimeInvalid(reason, f"spec.model.uri: {error}") from error
    return parsed if parsed.fetched else None


def overlay(child: str, spec: Mapping[str, Any], kit: FetcherConfig | None) -> Manifest:
    """Returns the overlay that fetches the model before the server starts; {} for none.

    `child` is the name of the revision's objects. Raises RuntimeInvalid.
    """
    where = address(spec)
    if where is None:
        return {}
    if kit is None:
        raise RuntimeInvalid(
            SpecReason.NO_FETCHER,
            "spec.model.uri: this operator was started without --fetch-image, so it can only "
            "serve models inside the server's image (file:///path)",
        )
    model = spec["model"]
    mounts = _mounts(where, kit)
    words = ["fetch", model["uri"], *mounts.words, "--report", "/dev/termination-log"]
    if model.get("digest"):
        words += ["--digest", model["digest"]]
    else:
        words += ["--pin", f"{_PIN_FOLDER}/{PIN_KEY}"]
    if model.get("endpoint"):
        words += ["--endpoint", model["endpoint"]]
    if model.get("unpack") is False:
        words.append("--no-unpack")
    for option in ("allow", "ignore"):
        # One argument each: a pattern may begin with a dash.
        words += [f"--{option}={pattern}" for pattern in model.get(f"{option}Patterns") or ()]
    verify = model.get("verify")
    if verify:
        words += _trusted(verify)
        words += [f"--signature={verify['signature']}"] if verify.get("signature") else []
    if kit.reserve is not None:
        words += ["--reserve", str(kit.reserve)]
    # Without a network, there is nothing to trust.
    ca = kit.ca if "--in-place" not in words else None
    if ca:
        words += ["--ca", f"{_CA_FOLDER}/{CA}"]
    container: Manifest = {
        "name": FETCH_CONTAINER,
        "image": kit.image,
        "imagePullPolicy": kit.pull_policy,
        "args": words,
        "resources": _RESOURCES if kit.resources is None else dict(kit.resources),
        "securityContext": {**_SECURITY_CONTEXT, **(kit.security_context or {})},
        "volumeMounts": [
            {"name": _MODEL, **mounts.fetcher},
            *([{"name": _CLAIM, **_CLAIM_SEEN}] if mounts.claim else ()),
            {"name": _PIN, "mountPath": _PIN_FOLDER, "readOnly": True},
            *([{"name": _CA, "mountPath": _CA_FOLDER, "readOnly": True}] if ca else ()),
            *([{"name": _KEY, "mountPath": _KEY_FOLDER, "readOnly": True}] if verify else ()),
        ],
    }
    if kit.environment:
        container["env"] = [{"name": name, "value": value} for name, value in kit.environment]
    secret = (model.get("credentials") or {}).get("secretName")
    pulled_by_kubelet = "image" in mounts.source
    if pulled_by_kubelet and model.get("endpoint"):
        raise RuntimeInvalid(
            SpecReason.UNUSED_ENDPOINT,
            "spec.model.endpoint: this operator mounts oci:// as image volumes (--oci-volumes), "
            "which a kubelet pulls from the registry in spec.model.uri: name the other one there",
        )
    if secret and not pulled_by_kubelet:
        # The kubelet reports a missing Secret as an error of the pod.
        container["envFrom"] = [{"prefix": _PREFIX, "secretRef": {"name": secret}}]
    pull_secrets = [*kit.pull_secrets, *([secret] if secret and pulled_by_kubelet else ())]
    return {
        "spec": {
            **({"imagePullSecrets": [{"name": s} for s in pull_secrets]} if pull_secrets else {}),
            "initContainers": [container],
            "containers": [
                {
                    "name": SERVER_CONTAINER,
                    "volumeMounts": [
                        {"name": _MODEL, "mountPath": MOUNT, "readOnly": True, **mounts.server}
                    ],
                }
            ],
            "volumes": [
                {"name": _MODEL, **mounts.source},
                *([{"name": _CLAIM, **mounts.claim}] if mounts.claim else ()),
                # Optional: absent until the first pod of the revision has fetched.
                {"name": _PIN, "configMap": {"name": child, "optional": True}},
                *([_ca_volume(*ca)] if ca else ()),
                *([_key_volume(verify)] if verify else ()),
            ],
        }
    }


def _ca_volume(name: str, key: str) -> Manifest:
    # Required: a fetch that the platform's CA is missing for would fail with a misleading cause.
    source = {"name": name, "items": [{"key": key, "path": CA}]}
    return {"name": _CA, "configMap": source}


def _trusted(verify: Mapping[str, Any]) -> list[str]:
    """Returns the fetcher's arguments that name who may have signed."""
    file = f"{_KEY_FOLDER}/{_KEY_FILE}"
    if identity := verify.get("certificateIdentity"):
        return [f"--identity={identity}", f"--authorities={file}"]
    return [f"--key={file}"]


def _key_volume(verify: Mapping[str, Any]) -> Manifest:
    # Required: a model must not start without its verification.
    key = verify["certificateAuthorities" if verify.get("certificateIdentity") else "key"]
    source, kind, name = (
        (key["configMapKeyRef"], "configMap", "name")
        if "configMapKeyRef" in key
        else (key["secretKeyRef"], "secret", "secretName")
    )
    items = [{"key": source["key"], "path": _KEY_FILE}]
    return {"name": _KEY, kind: {name: source["name"], "items": items}}


def _mounts(where: Address, kit: FetcherConfig) -> _Mounts:
    root = PurePosixPath(MOUNT)
    own = _Mounts(
        source={"emptyDir": {}},
        fetcher={"mountPath": str(root.parent)},
        server={"subPath": root.name},
        words=[MOUNT],
    )
    if where.scheme == "pvc":
        claim = {"persistentVolumeClaim": {"claimName": where.place, "readOnly": True}}
        if where.copied:
            return replace(own, words=[MOUNT, "--claim", _CLAIM_FOLDER], claim=claim)
        folder = str(PurePosixPath(_CLAIM_FOLDER) / where.path)
        below = {"subPath": where.path} if where.path else {}
        return _Mounts(claim, _CLAIM_SEEN, below, [folder, "--in-place"])
    if where.scheme == "oci" and kit.image_volumes:
        reference = {"reference": f"{where.place}/{where.path}", "pullPolicy": "IfNotPresent"}
        seen = {"mountPath": MOUNT, "readOnly": True}
        return _Mounts({"image": reference}, seen, {}, [MOUNT, "--in-place"])
    return own
