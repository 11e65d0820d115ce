"""Schemas of the objects of other operators, from their CustomResourceDefinitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def closed(node: Any) -> Any:
    """An OpenAPI schema as JSON Schema that refuses unknown fields, as strict validation does."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    if "properties" in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if node.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def definition(path: Path) -> dict[str, Any]:
    """The JSON Schema of the kind that is defined in a file."""
    [crd] = [one for one in yaml.load_all(path.read_text(), _LOADER) if one]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["metadata"]
    made: dict[str, Any] = closed(schema)
    made["properties"]["metadata"] = {"type": "object"}
    return made
