"""From a pydantic model to a structural OpenAPI v3 schema that the API server takes.

Pydantic writes JSON Schema 2020-12; a CRD wants a subset: no `$ref`, no `anyOf` with null, no
`const`, no `additionalProperties: false`, no titles. Each difference is one small step here.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from pydantic import BaseModel

from canarium.api.cel_rules import CROSS_FIELD

Schema = dict[str, Any]

_DROPPED = ("title", "default", "additionalProperties")


def structural(model: type[BaseModel]) -> Schema:
    """Returns the structural schema of `model`, by alias; the caller may change it.

    Raises ValueError for a model that refers to itself or for a union that is not optional.
    """
    return copy.deepcopy(_structural(model))


@cache
def _structural(model: type[BaseModel]) -> Schema:
    raw = model.model_json_schema(by_alias=True)
    return _walk(raw, raw.get("$defs", {}), ())


def _walk(node: Schema, defs: dict[str, Schema], seen: tuple[str, ...]) -> Schema:
    node = dict(node)
    while "$ref" in node:
        name = node.pop("$ref").rsplit("/", 1)[-1]
        if name in seen:
            raise ValueError(f"{name} refers to itself: a structural schema cannot")
        seen = (*seen, name)
        node = {**defs[name], **node}
    if "anyOf" in node:
        options = [option for option in node.pop("anyOf") if option.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a union of {len(options)} types has no structural schema")
        own = {key: value for key, value in node.items() if key not in _DROPPED}
        return {**_walk(options[0], defs, seen), **own}
    if node.get("type") == "object" and isinstance(node.get("additionalProperties"), dict):
        values = node.pop("additionalProperties")
        node["additionalProperties"] = _walk(values, defs, seen)
    else:
        node.pop("additionalProperties", None)
    node.pop("title", None)
    node.pop("default", None)
    node.pop("$defs", None)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "properties" in node:
        node["properties"] = {
            name: _walk(child, defs, seen) for name, child in node["properties"].items()
        }
    if "items" in node:
        node["items"] = _walk(node["items"], defs, seen)
    if node.get("x-kubernetes-preserve-unknown-fields"):
        node.pop("additionalProperties", None)
    return node


def with_rules(root: Schema) -> Schema:
    """Returns `root` with the cross-field rules at their paths. Raises KeyError for an unknown
    path."""
    for path, rules in CROSS_FIELD.items():
        node = root
        for name in path:
            node = node["items"] if name == "[]" else node["properties"][name]
        node["x-kubernetes-validations"] = [*node.get("x-kubernetes-validations", []), *rules]
    return root
