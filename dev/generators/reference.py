"""Generates `docs/reference/api.md`, the fields of every kind, from the CRDs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Schema = dict[str, Any]
_HEAD = """<!-- Made from operator/canarium/api by `make generate`: do not edit. -->
# Reference of the resources

`kubectl explain` shows the same in a cluster. A field that is not marked *required* may be absent.
The operator applies the default in its description and never writes it into your object.
"""


def page(crds: Sequence[Schema]) -> str:
    """Returns the page."""
    return _HEAD + "".join(part for crd in crds for part in _kind(crd))


def _kind(crd: Schema) -> Iterator[str]:
    spec = crd["spec"]
    names = spec["names"]
    version = spec["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    yield f"\n## {names['kind']}\n\n"
    yield f"`apiVersion: {spec['group']}/{version['name']}`, {spec['scope'].lower()}; "
    yield f"short name `{', '.join(names['shortNames'])}`.\n\n{root['description']}\n"
    for part in ("spec", "status"):
        node = root["properties"].get(part)
        if node:
            yield f"\n### {names['kind']} {part}\n\n{node['description']}\n\n"
            yield "| Field | Type | |\n|---|---|---|\n"
            yield from _rows(node, part)
            yield from _rules(node, part)


def _rows(node: Schema, at: str) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        path = f"{at}.{name}"
        required = "*required* " if name in node.get("required", ()) else ""
        text = child.get("description", "").replace("|", "\\|")
        yield f"| `{path}` | {_type(child)} | {required}{text}{_bounds(child)} |\n"
        inner = child
        while "items" in inner or isinstance(inner.get("additionalProperties"), dict):
            path += "[]" if "items" in inner else ".<key>"
            inner = inner.get("items") or inner["additionalProperties"]
        yield from _rows(inner, path)


def _type(node: Schema) -> str:
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}"
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind: str = node.get("type", "any")
    return f"{kind}, open" if node.get("x-kubernetes-preserve-unknown-fields") else kind


def _bounds(node: Schema) -> str:
    bounds = []
    if "enum" in node:
        bounds.append("one of " + ", ".join(f"`{word}`" for word in node["enum"]))
    if "minimum" in node or "maximum" in node:
        bounds.append(f"{node.get('minimum', '…')} to {node.get('maximum', '…')}")
    if "pattern" in node:
        bounds.append("pattern `" + node["pattern"].replace("|", "\\|") + "`")
    for key, what in (("maxLength", "characters"), ("maxItems", "items")):
        if key in node:
            bounds.append(f"at most {node[key]} {what}")
    return f" ({'; '.join(bounds)})" if bounds else ""


def _rules(node: Schema, at: str) -> Iterator[str]:
    rules = list(_declared(node, at))
    if rules:
        yield "\nRules that are checked when it is applied:\n\n"
    for path, message in rules:
        yield f"- `{path}`: {message}\n"


def _declared(node: Schema, at: str) -> Iterator[tuple[str, str]]:
    for rule in node.get("x-kubernetes-validations", ()):
        yield at + rule.get("fieldPath", ""), rule.get("message") or rule["messageExpression"]
    for name, child in node.get("properties", {}).items():
        yield from _declared(child, f"{at}.{name}")
    for child in (node.get("items"), node.get("additionalProperties")):
        if isinstance(child, dict):
            yield from _declared(child, f"{at}[]")
