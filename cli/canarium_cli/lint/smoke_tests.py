"""Smoke tests: expressions in what they expect, and whether they have a path and a body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canarium.signals.logged_example import protocol
from canarium_cli.lint import expressions
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding

RULE = "smoke-test"


def check(
    document: Document, server: Mapping[str, Any] | None, documents: Sequence[Document]
) -> Iterator[Finding]:
    """Yields what is wrong with the smoke tests of a model that is served by `server`."""
    root: Path = ("spec", "rollout", "smokeTests")
    tests = objects(document.spec, "rollout", "smokeTests")
    for index, test in tests:
        path = (*root, index)
        expected = test.get("expect")
        expected = expected if isinstance(expected, dict) else {}
        for number, value in objects(expected, "json"):
            at = (*path, "expect", "json", number, "path")
            yield from expressions.json_path(document, at, value.get("path"))
        yield from expressions.json_schema(
            document, (*path, "expect", "schema"), expected.get("schema")
        )
        if test.get("fromSignature") and server is not None:
            yield from _example(document, path, test, server)
        elif server is not None and not (
            test.get("path") or test.get("grpc") or server.get("predictPath")
        ):
            text = "The test has no path, and the runtime no predictPath: set path."
            yield document.finding((*path, "path"), text, RULE)
        source = (test.get("bodyFrom") or {}).get("configMap") if not test.get("body") else None
        if isinstance(source, dict):
            at = (*path, "bodyFrom", "configMap")
            yield from config_map(document, at, source, documents)
    names = [test.get("title") for _, test in tests]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            first = names.index(name)
            text = f"Test {first} has the same title: a failure would not identify the test."
            yield document.finding((*root, index, "title"), text, RULE)


def _example(
    document: Document, path: Path, test: Mapping[str, Any], server: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yields a path of the runtime that takes no logged input example."""
    sent = str(test.get("path") or server.get("predictPath") or "")
    if protocol(sent) is None:
        text = (
            f"The logged input example cannot be sent to {sent or 'a runtime without predictPath'}"
            ": set path to one of V1 (…:predict), V2 (…/infer) or MLflow (/invocations)."
        )
        yield document.finding((*path, "fromSignature"), text, RULE)


def config_map(
    document: Document, path: Path, source: Mapping[str, Any], documents: Sequence[Document]
) -> Iterator[Finding]:
    """Yields a key that a ConfigMap in the files does not have."""
    for other in documents:
        if other.kind == "ConfigMap" and other.name == source.get("name"):
            keys = [*(other.body.get("data") or ()), *(other.body.get("binaryData") or ())]
            if source.get("key") not in keys:
                listed = ", ".join(map(str, keys)) or "none"
                text = f"ConfigMap/{other.name} has no key {source.get('key')}; its keys: {listed}."
                yield document.finding((*path, "key"), text, RULE)


def objects(value: Any, *path: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Returns the objects in the list at `path` with their indexes; none if it is not a list."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]
