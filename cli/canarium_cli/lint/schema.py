"""Fields and types, by the models that the CRDs are generated from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from canarium.api import check_template
from canarium.api.crd import kinds
from canarium.api.model_deployment import Spec
from canarium.api.model_gate import MODEL_GATE, ModelGateSpec
from canarium.api.runtime import CLUSTER, NAMESPACED, RuntimeSpec
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

RULE = "schema"
Schema = Mapping[str, Any]
MODELS: Mapping[str, type[BaseModel]] = {
    "ModelDeployment": Spec,
    NAMESPACED: RuntimeSpec,
    CLUSTER: RuntimeSpec,
    MODEL_GATE: ModelGateSpec,
    check_template.NAMESPACED: check_template.CheckTemplateSpec,
    check_template.CLUSTER: check_template.CheckTemplateSpec,
}
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")


@cache
def schemas() -> Mapping[str, Schema]:
    """The OpenAPI schema of each kind, as in its CRD."""
    return {
        crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for crd in kinds()
    }


def check(document: Document) -> Iterator[Finding]:
    """Yields a finding for each field that the schema rejects."""
    schema = schemas()[document.kind]
    for name in document.body:
        if name not in _TOP:
            yield _unknown(document, (str(name),), _TOP)
    yield from _name(document, schema["properties"]["metadata"]["properties"]["name"])
    if "spec" not in document.body:
        yield document.finding(("spec",), "The field is required.", RULE)
        return
    if "status" in document.body:
        text = "The status is written by the operator and ignored here: remove it."
        yield document.finding(("status",), text, RULE, Level.WARNING, key=True)
    try:
        # As the API server does it: no conversion of types, and no snake_case.
        MODELS[document.kind].model_validate(
            document.body["spec"], strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False):
            path = ("spec", *(step for step in fault["loc"] if step != "[key]"))
            yield _finding(document, path, fault, schema)


def _finding(document: Document, path: Path, fault: Mapping[str, Any], schema: Schema) -> Finding:
    if fault["type"] == "extra_forbidden":
        parent = below(schema, path[:-1]) or {}
        return _unknown(document, path, tuple(parent.get("properties") or ()))
    node = below(schema, path) or {}
    meaning = _first_sentence(node.get("description"))
    if fault["type"] == "missing":
        return document.finding(path, f"The field is required. {meaning}".rstrip(), RULE)
    wrong = _short(fault["input"])
    text = f"{wrong}: {_expected(node, str(fault['msg']))}. {meaning}".rstrip()
    return document.finding(path, text, RULE)


def _unknown(document: Document, path: Path, names: tuple[str, ...]) -> Finding:
    close = get_close_matches(str(path[-1]), names, n=1, cutoff=0.6)
    listed = ", ".join(sorted(names))
    hint = f"Did you mean {close[0]}?" if close else f"Fields here: {listed}."
    return document.finding(path, f"Unknown field. {hint}", RULE, key=True)


def _name(document: Document, schema: Schema) -> Iterator[Finding]:
    import re

    name, path = document.metadata.get("name"), ("metadata", "name")
    if name is None:
        if not document.metadata.get("generateName"):
            yield document.finding(path, "The field is required.", RULE)
        return
    pattern, longest = schema.get("pattern"), schema["maxLength"]
    fits = isinstance(name, str) and 0 < len(name) <= longest
    if not fits or (pattern and not re.fullmatch(pattern, str(name))):
        text = f"{_short(name)} is not a valid name. {schema['description']}"
        yield document.finding(path, text, RULE)


def below(schema: Schema, path: Path) -> Schema | None:
    """The schema of the field at `path`; None where it has none."""
    node: Any = schema
    for step in path:
        if isinstance(step, int):
            node = node.get("items")
        elif step in node.get("properties", {}):
            node = node["properties"][step]
        else:
            node = node.get("additionalProperties")
        if not isinstance(node, dict):
            return None
    return node if isinstance(node, dict) else None


def _expected(node: Schema, message: str) -> str:
    if node.get("enum"):
        return f"must be one of {', '.join(map(str, node['enum']))}"
    if message.startswith("String should match pattern"):
        return f"must match the pattern {node.get('pattern', '')}"
    words = message.replace("Input should be", "must be").replace("should", "must")
    return words[0].lower() + words[1:]


def _first_sentence(description: Any) -> str:
    text = str(description or "")
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
