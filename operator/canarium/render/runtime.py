"""Renders the server of a new revision: a runtime for one model, overlaid by the model's fields.

Only the runtime's strings are templates, since administrators write them. A model's `spec.runtime`
is used as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.reasons import SpecReason
from canarium.api.uri import MOUNT, registered_version
from canarium.render.errors import RuntimeInvalid
from canarium.render.jinja import leaves
from canarium.render.runtime_catalog import SELECTION_FIELDS, RuntimeTemplate

_OF_THE_MODEL = frozenset({"name", "parameters"})


def server(
    name: str, namespace: str, spec: Mapping[str, Any], runtime: RuntimeTemplate | None
) -> dict[str, Any]:
    """Returns how the model `name` is served: the fields of `canarium.api.server.Server`, rendered.

    Includes the runtime's `podTemplate`, if any. Raises RuntimeInvalid.
    """
    own = {k: v for k, v in (spec.get("runtime") or {}).items() if k not in _OF_THE_MODEL}
    base: dict[str, Any] = {}
    if runtime:
        template = {k: v for k, v in runtime.spec.items() if k not in SELECTION_FIELDS}
        base = leaves(template, context(name, namespace, spec), str(runtime))
        for key in ("command", "args"):
            if base.get(key):
                # Arguments that a condition left empty are dropped.
                base[key] = [word for word in base[key] if word]
    merged = {**base, **own}
    for key in ("env", "ports"):
        named = {item["name"]: item for item in (*(base.get(key) or ()), *(own.get(key) or ()))}
        if named:
            merged[key] = list(named.values())
    if base.get("metrics") and own.get("metrics"):
        merged["metrics"] = {**base["metrics"], **own["metrics"]}
    return _complete(merged, str(runtime) if runtime else "an image without a runtime")


def context(name: str, namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the names that a runtime's templates may use."""
    model = spec.get("model") or {}
    return {
        "model": {
            "name": name,
            "namespace": namespace,
            "path": model_path(model.get("uri")),
            "uri": model.get("uri") or "",
            "format": model.get("format") or "",
            "formatVersion": model.get("formatVersion") or "",
            "version": str(model.get("version") or registered_version(model.get("uri")) or ""),
        },
        "parameters": dict((spec.get("runtime") or {}).get("parameters") or {}),
        "resources": {"gpus": _gpus(spec)},
    }


def model_path(uri: str | None) -> str:
    """Returns where the server finds the model: in its image with file://, else at the mount."""
    if uri and uri.startswith("file://"):
        return uri.removeprefix("file://").rstrip("/") or "/"
    return MOUNT


def _gpus(spec: Mapping[str, Any]) -> int:
    """Returns how many GPUs, of any vendor, the server gets: the parameter `gpus`, or what its
    container requests.

    The parameter is for devices that are claimed, since a claim does not state their number.
    """
    stated = ((spec.get("runtime") or {}).get("parameters") or {}).get("gpus", "")
    if stated.isdigit():
        return int(stated)
    resources = spec.get("resources") or {}
    wanted = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    counts = [str(v) for k, v in wanted.items() if k.split("/")[-1].startswith(("gpu", "mig-"))]
    return sum(int(count) for count in counts if count.isdigit())


def _complete(server: dict[str, Any], what: str) -> dict[str, Any]:
    if not server.get("image"):
        raise RuntimeInvalid(
            SpecReason.NO_IMAGE,
            f"spec.runtime.image: {what} names no image: set the one with your server",
        )
    if not server.get("readiness"):
        raise RuntimeInvalid(
            SpecReason.NO_READINESS_PROBE,
            f"spec.runtime.readiness: {what} has no readiness probe: set the path that returns "
            "200 once the model is loaded (or tcp: true, if an open port is the only signal)",
        )
    return server
