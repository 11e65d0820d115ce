"""`values.schema.json`: helm refuses an unknown key, a wrong type and a wrong word by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from generators.values import Value

_TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
#: Not ours to set, but put there by helm when the chart is a dependency of another.
_FROM_PARENT = {
    "global": {"type": "object", "description": "Values that a parent chart shares."},
    "enabled": {"type": "boolean", "description": "The condition of a parent chart."},
}


def schema(values: Sequence[Value]) -> str:
    """The file's text."""
    root = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart canarium",
        **_group(values),
    }
    root["properties"].update(_FROM_PARENT)
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def _group(values: Sequence[Value]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {value.path[-1]: _one(value) for value in values},
    }


def _one(value: Value) -> dict[str, Any]:
    if value.closed:
        return _group(value.children)
    schema = {"type": _TYPES[type(value.default)], "description": value.text, **value.extra}
    if schema["type"] == "object" and not {"additionalProperties", "properties"} & schema.keys():
        raise ValueError(f"{'.'.join(value.path)}: describe its content by @schema")
    return schema
