"""`docs/reference/values.md`: every value of the chart with its type, default and meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from generators.values import Value

_HEAD = """<!-- Made from charts/canarium/values.yaml by `make generate`: do not edit. -->
# Values of the chart

Every value of the chart, from its schema: `helm upgrade` refuses a name or a type that is not
listed here. Set them in a file (`-f values.yaml`) or with `--set`.
[Install](../install.md#choose-values) starts with the questions that they answer.

| Section | Values |
|---|---|
"""
_OWN = "At the top"


def page(values: Sequence[Value], schema: Mapping[str, Any]) -> str:
    """Returns the page's text for the values of the chart and their JSON Schema."""
    sections: dict[str, list[Value]] = {_OWN: []}
    for value in values:
        if value.closed:
            sections[value.path[0]] = list(value.leaves())
        else:
            sections[_OWN].append(value)
    index = "".join(
        f"| [{name}](#{name.lower().replace(' ', '-')}) | {len(leaves)} |\n"
        for name, leaves in sections.items()
    )
    return f"{_HEAD}{index}" + "".join(
        f"\n## {name}\n\n{_table(leaves, schema)}" for name, leaves in sections.items()
    )


def _table(leaves: Sequence[Value], schema: Mapping[str, Any]) -> str:
    rows = ["| Value | Type | Default | Meaning |", "|---|---|---|---|"]
    for leaf in leaves:
        default = json.dumps(leaf.default, ensure_ascii=False)
        cells = (f"`{'.'.join(leaf.path)}`", _type(leaf, schema), f"`{default}`", leaf.text)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _type(leaf: Value, schema: Mapping[str, Any]) -> str:
    node: Mapping[str, Any] = schema
    for name in leaf.path:
        node = node["properties"][name]
    if "enum" in node:
        return ", ".join(f"`{json.dumps(one)}`" for one in node["enum"])
    types = node.get("type", "any")
    return " or ".join(types) if isinstance(types, list) else str(types)
