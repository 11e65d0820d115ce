"""Applies the checks to objects: which ones, by kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from pydantic import ValidationError

from canarium import GROUP
from canarium.api.base import seconds
from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.model_gate import MODEL_GATE
from canarium.api.runtime import CLUSTER, NAMESPACED
from canarium_cli.lint import (
    analysis,
    check_templates,
    expressions,
    notifications,
    runtimes,
    samples,
    schema,
    smoke_tests,
    structure,
)
from canarium_cli.manifests.documents import Document
from canarium_cli.manifests.finding import Finding, Level

MODEL, VERSION = "ModelDeployment", "v1alpha1"
KIND = "kind"


def is_ours(document: Document) -> bool:
    """Whether an object is of Canarium's API group."""
    return document.group == GROUP


def lint(documents: Sequence[Document], rps: float | None = None) -> list[Finding]:
    """Returns what is wrong with Canarium's objects among `documents`.

    Other objects are not checked; ConfigMaps are consulted for what refers to them. `rps` is the
    number of requests per second that each model receives, if known.
    """
    findings = [f for d in documents if is_ours(d) for f in _findings(d, documents, rps)]
    findings += _repeated(documents)
    # A URI that the API server rejects cannot be rendered either.
    rejected = {(f.file, f.object, f.path) for f in findings if f.rule == structure.RULE}
    findings = [
        f for f in findings if f.rule != runtimes.RULE or (f.file, f.object, f.path) not in rejected
    ]
    # A template of a runtime may fail on its own and for each model: only the first is reported.
    once = {
        (f.file, f.line, f.column, f.rule, "" if f.rule == runtimes.RULE else f.message): f
        for f in reversed(findings)
    }
    return list(once.values())


def _findings(
    document: Document, documents: Sequence[Document], rps: float | None
) -> Iterator[Finding]:
    kinds = tuple(schema.MODELS)
    if document.kind not in kinds:
        close = get_close_matches(document.kind, kinds, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Kinds: {', '.join(kinds)}."
        yield document.finding(("kind",), f"Unknown kind {document.kind}. {hint}", KIND)
        return
    version = str(document.body.get("apiVersion")).rpartition("/")[2]
    if version != VERSION:
        text = f"Unknown version {version}: write {GROUP}/{VERSION}."
        yield document.finding(("apiVersion",), text, KIND)
    yield from schema.check(document)
    yield from structure.check(document)
    if document.kind == MODEL_GATE:
        return
    if check_templates.is_template(document.kind):
        yield from check_templates.check_template(document, documents)
        return
    if document.kind in (NAMESPACED, CLUSTER):
        yield from runtimes.check_templates(document)
        metrics = document.spec.get("metrics")
        for name, part in (metrics if isinstance(metrics, dict) else {}).items():
            if isinstance(part, dict):
                path = ("spec", "metrics", name, "labels")
                yield from expressions.label_patterns(document, path, part.get("labels"))
        return
    yield from _model(document, documents, rps)


def _model(
    document: Document, documents: Sequence[Document], rps: float | None
) -> Iterator[Finding]:
    spec = _valid(document)
    server, faults = (None, []) if spec is None else runtimes.server(document, documents)
    yield from faults
    yield from smoke_tests.check(document, server, documents)
    yield from analysis.check_expressions(document, documents)
    yield from notifications.check(document)
    if spec is None:
        return
    budget = (server or {}).get("startupBudget")
    settings = effective_spec(spec, seconds(budget) if budget else None)
    yield from check_templates.check_uses(document, settings.analysis, documents)
    shared = check_templates.checks_of(document, settings.analysis, documents)
    yield from analysis.check_measures(document, [*analysis.own_checks(spec), *shared], server)
    if rps is not None:
        complete = check_templates.completed(document, settings, documents)
        yield from samples.check(document, complete, rps)


def _valid(document: Document) -> Spec | None:
    try:
        return Spec.model_validate(document.spec)
    except ValidationError:
        return None


def _repeated(documents: Sequence[Document]) -> Iterator[Finding]:
    """Objects that a file overwrites with a later one of the same name."""
    first_by_key: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        if not is_ours(document) or not document.metadata.get("name"):
            continue
        key = (document.kind, str(document.metadata.get("namespace", "")), document.name)
        first = first_by_key.setdefault(key, document)
        if first is not document and first.file == document.file:
            line, _ = first.position(("metadata", "name"))
            text = f"{document.title} is also at line {line}: the later one replaces it."
            yield document.finding(("metadata", "name"), text, KIND, Level.WARNING)
