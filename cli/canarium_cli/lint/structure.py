"""What the schema of a CRD asks for besides types: CEL rules, keys of lists, and no nulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from canarium_cli.lint.cel import holds
from canarium_cli.lint.schema import Schema, schemas
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

RULE, LIST, NULL = "cel", "list-key", "null"


def check(document: Document) -> Iterator[Finding]:
    """Yields what the rules reject."""
    if "spec" in document.body:
        schema = schemas()[document.kind]["properties"]["spec"]
        yield from _walk(document, schema, document.body["spec"], ("spec",))


def _walk(document: Document, schema: Schema, value: Any, path: Path) -> Iterator[Finding]:
    if value is None:
        text = "null is not a value: remove the field, or set it."
        yield document.finding(path, text, NULL, Level.WARNING)
        return
    yield from _rules(document, schema, value, path)
    if isinstance(value, list):
        yield from _keys(document, schema, value, path)
        for index, item in enumerate(value):
            yield from _walk(document, schema.get("items") or {}, item, (*path, index))
    elif isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            yield from _required(document, schema, value, path)
        for name, child in value.items():
            below = properties.get(name, others)
            if isinstance(below, dict):
                yield from _walk(document, below, child, (*path, str(name)))


def _rules(document: Document, schema: Schema, value: Any, path: Path) -> Iterator[Finding]:
    for rule in schema.get("x-kubernetes-validations") or ():
        try:
            fulfilled = holds(rule["rule"], value)
        except Exception:
            # A value of another type, which the schema reports; celpy raises many kinds of errors.
            continue
        if not fulfilled:
            steps = tuple(step for step in rule.get("fieldPath", "").split(".") if step)
            message = f"{rule['message'].rstrip('.')}."
            yield document.finding((*path, *steps), message, RULE, key=True)


def _keys(document: Document, schema: Schema, value: list[Any], path: Path) -> Iterator[Finding]:
    """Items of a list with keys must differ in them."""
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    first_index: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(value):
        if not keys or not isinstance(item, dict):
            continue
        own = tuple(str(item.get(key)) for key in keys)
        if own in first_index:
            text = f"{', '.join(own)} is also the {keys[0]} of item {first_index[own]}: rename one."
            yield document.finding((*path, index, keys[0]), text, LIST)
        first_index.setdefault(own, index)


def _required(
    document: Document, schema: Schema, value: Mapping[str, Any], path: Path
) -> Iterator[Finding]:
    """Required fields of an object that is open to others, which the models do not check."""
    for name in schema.get("required") or ():
        if name not in value:
            yield document.finding((*path, name), "The field is required.", "schema")
