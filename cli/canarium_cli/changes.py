"""Changes of a model's spec: as a manifest to commit, or as a patch of the live object."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from canarium import GROUP, KIND
from canarium.core.facts.revision import ALGORITHM, digest_v1, identity_v1
from canarium.view.objects import Raw, part, text

Spec = dict[str, Any]
#: Fields that decide which revision a spec asks for (R1), the model's lineage included.
_IDENTITY = ("model", "runtime", "resources", "pod", "podTemplate", "restartToken")
#: Annotations of tools, which do not belong into a file: those that end with `/` are prefixes.
_OF_TOOLS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "meta.helm.sh/",
    f"{GROUP}/",
)
#: Labels of tools, of the same form.
_LABELS_OF_TOOLS = (
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
)
#: Annotation or label → the tool that writes it.
_GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
#: Field manager → the tool.
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


def spec_of(model: Raw) -> Spec:
    """Returns a copy of the spec."""
    return copy.deepcopy(dict(part(model, "spec")))


def shipped(model: Raw, image: str = "", **fields: str) -> Spec:
    """Returns the spec with these fields of `spec.model`, and with the image of the server.

    The pinned digest of another URI is dropped.
    """
    spec = spec_of(model)
    wanted = dict(spec.get("model") or {})
    moved = bool(fields.get("uri")) and fields["uri"] != wanted.get("uri")
    if moved and not fields.get("digest"):
        wanted.pop("digest", None)
    wanted.update({name: value for name, value in fields.items() if value})
    spec["model"] = wanted
    if image:
        spec["runtime"] = {**(spec.get("runtime") or {}), "image": image}
    return spec


def restarted(model: Raw, token: str) -> Spec:
    """Returns the spec with another restart token: a new revision of the same model."""
    return {**spec_of(model), "restartToken": token}


def returned(model: Raw, record: Raw) -> Spec | None:
    """Returns the spec with the fields that decide the revision as they were in `record`, and all
    other fields as they are now; None if the record does not have them any more."""
    data = part(record, "data")
    identity = part(data, "identity")
    if not identity or text(data, "algorithm") != ALGORITHM:
        return None
    spec = {name: value for name, value in spec_of(model).items() if name not in _IDENTITY}
    served = dict(part(data, "model") or part(identity, "model"))
    write_back = part(model, "spec", "model").get("writeBack")
    if write_back is not None and text(served, "uri").startswith("mlflow://"):
        served["writeBack"] = write_back
    former = {**identity, "model": served}
    spec.update({name: copy.deepcopy(former[name]) for name in _IDENTITY if name in former})
    return spec if digest_v1(identity_v1(spec)) == text(data, "digest") else None


def manifest(model: Raw, spec: Spec) -> dict[str, Any]:
    """Returns the model with `spec` as a file of a user has it: without status, and without what
    the API server and tools added to the metadata."""
    meta = part(model, "metadata")
    metadata = {
        "name": meta.get("name"),
        "namespace": meta.get("namespace"),
        "labels": _without(part(meta, "labels"), _LABELS_OF_TOOLS),
        "annotations": _without(part(meta, "annotations"), _OF_TOOLS),
    }
    return {
        "apiVersion": model.get("apiVersion") or f"{GROUP}/v1alpha1",
        "kind": KIND,
        "metadata": {name: value for name, value in metadata.items() if value},
        "spec": spec,
    }


def _without(marks: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: value
        for name, value in marks.items()
        if not any(name == x or (x.endswith("/") and name.startswith(x)) for x in names)
    }


def patch(model: Raw, spec: Spec) -> str:
    """Returns the JSON patch (RFC 6902) that changes the live spec to `spec`: only fields of its
    first level that differ, and only if no other client has changed them meanwhile."""
    now: Mapping[str, Any] = part(model, "spec")
    steps: list[dict[str, Any]] = []
    for name in sorted({*now, *spec}):
        path = f"/spec/{name}"
        if now.get(name) == spec.get(name):
            continue
        if name in now:
            steps.append({"op": "test", "path": path, "value": now[name]})
        if name in spec:
            steps.append({"op": "add", "path": path, "value": spec[name]})
        else:
            steps.append({"op": "remove", "path": path})
    return json.dumps(steps)


def gitops_tool(model: Raw) -> str:
    """Returns the tool that applies the model from elsewhere, such as Argo CD; empty if there is no
    sign of one."""
    meta = part(model, "metadata")
    for marks in (part(meta, "annotations"), part(meta, "labels")):
        gitops = next((tool for mark, tool in _GITOPS.items() if marks.get(mark)), "")
        if gitops:
            return gitops
    fields = meta.get("managedFields")
    managers = [text(x, "manager") for x in fields] if isinstance(fields, list) else []
    return next((_MANAGERS[x] for x in managers if x in _MANAGERS), "")
