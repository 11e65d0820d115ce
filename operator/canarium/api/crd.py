"""Builds the CustomResourceDefinitions from the models; `make generate` writes them to files."""

from __future__ import annotations

from typing import Any

from canarium import GROUP, KIND
from canarium.api import check_template
from canarium.api.columns import MODEL_COLUMNS
from canarium.api.model_deployment import Spec
from canarium.api.model_gate import MODEL_GATE, ModelGateSpec
from canarium.api.runtime import CLUSTER, NAMESPACED, RuntimeSpec
from canarium.api.schema import structural, with_rules
from canarium.api.status import Status


def kinds() -> list[dict[str, Any]]:
    """Returns the CustomResourceDefinitions, in the order in which they are documented."""
    return [
        _deployment(),
        *(_runtime(kind) for kind in (NAMESPACED, CLUSTER)),
        _model_gate(),
        *(_check_template(kind) for kind in (check_template.NAMESPACED, check_template.CLUSTER)),
    ]


def _deployment() -> dict[str, Any]:
    status = structural(Status)
    conditions = status["properties"]["conditions"]
    conditions["x-kubernetes-list-type"] = "map"
    conditions["x-kubernetes-list-map-keys"] = ["type"]
    # 45 leaves room for "-" and the revision in a 63-character label (R24).
    name = {
        "type": "string",
        "description": "A DNS label of at most 45 characters. Names of children and of the "
        "Service start with it.",
        "maxLength": 45,
        "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
    }
    schema = {
        "type": "object",
        "description": "A model whose new versions are rolled out step by step, judged, and "
        "rolled back if they fail.",
        "required": ["spec"],
        "properties": {
            **_head(name),
            "spec": {**structural(Spec), "description": "Desired state of the model."},
            "status": {
                **status,
                "description": "Observed state of the model, as of the last status update.",
                # kstatus treats an object without this as done; -1 marks it as not observed yet.
                "default": {"observedGeneration": -1},
            },
        },
    }
    scale = {
        "specReplicasPath": ".spec.scaling.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    columns = [_column(x.name, x.path, x.type, int(x.wide)) for x in MODEL_COLUMNS]
    return _definition(
        KIND, "Namespaced", ["mdl"], with_rules(schema), columns, {"status": {}, "scale": scale}
    )


def _runtime(kind: str) -> dict[str, Any]:
    name = {
        "type": "string",
        "description": "At most 63 characters: models name it in spec.runtime.name.",
        "maxLength": 63,
    }
    where = "of its namespace" if kind == NAMESPACED else "of the whole cluster"
    schema = {
        "type": "object",
        "description": f"How a kind of model server is run, for the models {where}. String leaves "
        "are Jinja2 templates over the model at hand.",
        "required": ["spec"],
        "properties": {
            **_head(name),
            "spec": {**structural(RuntimeSpec), "description": "How the server is run."},
        },
    }
    columns = [
        _column("Protocol", ".spec.protocol"),
        _column("Image", ".spec.image"),
        _column("Description", ".spec.description", priority=1),
        _column("Age", ".metadata.creationTimestamp", "date"),
    ]
    scope, short = ("Namespaced", "mrt") if kind == NAMESPACED else ("Cluster", "cmrt")
    return _definition(kind, scope, [short], schema, columns, {})


def _model_gate() -> dict[str, Any]:
    name = {
        "type": "string",
        "description": "At most 63 characters: gates name it in job.modelGate.",
        "maxLength": 63,
    }
    schema = {
        "type": "object",
        "description": "The Job of a gate, for the models of its namespace.",
        "required": ["spec"],
        "properties": {
            **_head(name),
            "spec": {**structural(ModelGateSpec), "description": "What the gate runs."},
        },
    }
    columns = [
        _column("Image", ".spec.job.image"),
        _column("Description", ".spec.description", priority=1),
        _column("Age", ".metadata.creationTimestamp", "date"),
    ]
    return _definition(MODEL_GATE, "Namespaced", ["mgate"], schema, columns, {})


def _check_template(kind: str) -> dict[str, Any]:
    name = {
        "type": "string",
        "description": "At most 63 characters: models name it in spec.rollout.analysis.templates.",
        "maxLength": 63,
    }
    is_namespaced = kind == check_template.NAMESPACED
    where = "of its namespace" if is_namespaced else "of the whole cluster"
    schema = {
        "type": "object",
        "description": f"Checks of new versions, for the models {where}.",
        "required": ["spec"],
        "properties": {
            **_head(name),
            "spec": {
                **structural(check_template.CheckTemplateSpec),
                "description": "Arguments and checks.",
            },
        },
    }
    columns = [
        _column("Description", ".spec.description"),
        _column("Age", ".metadata.creationTimestamp", "date"),
    ]
    scope, short = ("Namespaced", "ctmpl") if is_namespaced else ("Cluster", "cctmpl")
    return _definition(kind, scope, [short], schema, columns, {})


def _definition(
    kind: str,
    scope: str,
    short: list[str],
    schema: dict[str, Any],
    columns: list[dict[str, Any]],
    subresources: dict[str, Any],
) -> dict[str, Any]:
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        **({"subresources": subresources} if subresources else {}),
        "additionalPrinterColumns": columns,
    }
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": f"{kind.lower()}s",
        "singular": kind.lower(),
        "shortNames": short,
        # `kubectl get all` is about what serves in a namespace.
        "categories": ["all", "canarium"] if kind == KIND else ["canarium"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": [version]},
    }


def _head(name: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of the fields of every object; `name` is the schema of its name."""
    return {
        "apiVersion": {"type": "string", "description": "The API group and version."},
        "kind": {"type": "string", "description": "The kind."},
        # The API server describes it itself and takes no other description.
        "metadata": {"type": "object", "properties": {"name": name}},
    }


def _column(name: str, path: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if priority:
        column["priority"] = priority
    return column
