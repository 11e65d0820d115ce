"""Runtimes: which one serves a model, and whether its templates can be rendered for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import UndefinedError

from canarium.api.reasons import SpecReason
from canarium.api.runtime import CLUSTER, NAMESPACED
from canarium.render import jinja, pod, runtime
from canarium.render.errors import RuntimeInvalid
from canarium.render.fetch_container import FetcherConfig
from canarium.render.runtime_catalog import SELECTION_FIELDS, Catalog, RuntimeTemplate
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

RULE, UNKNOWN = "template", "runtime"
_DEFAULT_NAMESPACE = "default"
#: The fetcher's image is the operator's setting; a manifest renders with any.
FETCHER = FetcherConfig("canarium-fetch")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def catalog(documents: Sequence[Document], namespace: str) -> Catalog:
    """The built-in runtimes and those in `documents` that a model of `namespace` may use."""
    by_kind: dict[str, dict[str, RuntimeTemplate]] = {NAMESPACED: {}, CLUSTER: {}}
    for document in documents:
        own = document.metadata.get("namespace") or namespace
        if document.kind in by_kind and (document.kind == CLUSTER or own == namespace):
            template = RuntimeTemplate(document.kind, document.name, document.spec)
            by_kind[document.kind][document.name] = template
    return Catalog(by_kind[NAMESPACED], by_kind[CLUSTER])


def namespace_of(document: Document) -> str:
    """The namespace of an object; `default` where its file names none."""
    return str(document.metadata.get("namespace") or _DEFAULT_NAMESPACE)


def check_templates(document: Document) -> Iterator[Finding]:
    """Yields the templates of a runtime that can be rendered for no model.

    Parameters and values are the model's, so a template that only lacks those is right.
    """
    sample = runtime.context("model", _DEFAULT_NAMESPACE, {})
    for path, text in _texts(document.spec, ("spec",)):
        if path[1] in SELECTION_FIELDS:
            continue
        try:
            jinja.render(text, sample, "")
        except RuntimeInvalid as error:
            cause, message = error.__cause__, str(error).removeprefix(": ")
            if cause is None or (
                isinstance(cause, UndefinedError) and "parameters." not in message
            ):
                yield document.finding(path, _sentence(message), RULE)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from _texts(child, (*path, str(name)))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _texts(child, (*path, index))


def server(
    document: Document, documents: Sequence[Document]
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The server that a model is rendered with, and what prevents it."""
    namespace, chosen = namespace_of(document), None
    try:
        chosen = catalog(documents, namespace).choose(document.spec)
        rendered = runtime.server(document.name, namespace, document.spec, chosen)
        pod.pod_template(document.name, "revision", document.spec, rendered, FETCHER)
    except RuntimeInvalid as error:
        return None, [_finding(document, documents, chosen, error)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None, []  # An overlay of a wrong type, which the schema reports.
    return rendered, []


def _finding(
    document: Document,
    documents: Sequence[Document],
    chosen: RuntimeTemplate | None,
    error: RuntimeInvalid,
) -> Finding:
    where, _, text = str(error).partition(": ")
    if error.reason in (SpecReason.UNKNOWN_RUNTIME, SpecReason.UNKNOWN_FORMAT):
        text = f"{_sentence(text)} A runtime of the cluster is not visible here."
        return document.finding(_path(where), text, UNKNOWN, Level.WARNING)
    if where.startswith("spec"):
        return document.finding(_path(where), _sentence(text), RULE)
    # A template of the runtime: if that is in a file, its line is what has to change.
    for other in documents:
        if chosen and other.kind == chosen.kind and other.name == chosen.name:
            field = where.removeprefix(str(chosen))
            message = f"{_sentence(text)} Rendered for {document.title}."
            return other.finding(("spec", *_path(field)), message, RULE)
    return document.finding(("spec", "runtime"), f"{where}: {_sentence(text)}", RULE)


def _path(text: str) -> Path:
    return tuple(int(n) if n else name for name, n in _STEP.findall(text))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
