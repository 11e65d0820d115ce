"""Expressions in strings: JSON paths, JSON Schemas, PromQL and the variables in queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser
import regex

from canarium.evaluation.documents import compiled, schema_fault
from canarium.evaluation.errors import EvaluationError
from canarium.signals.query_template import BadTemplate, filled
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

JSON_PATH, JSON_SCHEMA, PROMQL = "json-path", "json-schema", "promql"
TEMPLATE, REGEX = "query-template", "regex"
#: Values for the variables of a query, of the form that they have in a rollout.
VARIABLES = {
    "revision": "abcd2345",
    "namespace": "default",
    "model": "model",
    "service": "model",
    "window": "60s",
    "start": "1700000000",
    "end": "1700000060",
}


def json_path(document: Document, path: Path, text: Any) -> Iterator[Finding]:
    """Yields why `text` is not a JSON path."""
    if not isinstance(text, str) or not text.startswith("$"):
        return  # Reported by the schema.
    try:
        compiled(text)
    except EvaluationError as error:
        yield document.finding(path, f"{error}.", JSON_PATH)


def json_schema(document: Document, path: Path, schema: Any) -> Iterator[Finding]:
    """Yields what is wrong with a JSON Schema."""
    if isinstance(schema, dict) and (fault := schema_fault(schema)):
        yield document.finding(path, f"Not a valid JSON Schema: {fault.rstrip('.')}.", JSON_SCHEMA)


def label_patterns(document: Document, path: Path, labels: Any) -> Iterator[Finding]:
    """Yields the label patterns that are not regular expressions."""
    for name, pattern in (labels if isinstance(labels, dict) else {}).items():
        try:
            regex.compile(str(pattern))
        except (regex.error, RecursionError, OverflowError) as error:
            text = f"{pattern!r} is not a valid regular expression: {error}."
            yield document.finding((*path, name), text, REGEX)


def template(document: Document, path: Path, text: Any) -> Iterator[Finding]:
    """Yields what is wrong with the variables of a query."""
    if isinstance(text, str):
        try:
            filled(text, VARIABLES)
        except BadTemplate as error:
            yield document.finding(path, f"{_sentence(str(error))}", TEMPLATE)


def promql(document: Document, path: Path, text: Any) -> Iterator[Finding]:
    """Yields what is wrong with a PromQL query: its variables, its syntax, and its type."""
    if not isinstance(text, str):
        return
    try:
        query = filled(text, VARIABLES)
    except BadTemplate:
        yield from template(document, path, text)
        return
    try:
        parsed = promql_parser.parse(query)
    except ValueError as error:
        fault = str(error).strip().rstrip(".")
        if fault.startswith("unknown function"):
            # Other servers that speak PromQL, such as VictoriaMetrics, have additional functions.
            hint = f"{_sentence(fault)} Prometheus does not have it."
            yield document.finding(path, hint, PROMQL, Level.WARNING)
        else:
            yield document.finding(path, f"Not valid PromQL: {fault}.", PROMQL)
        return
    if isinstance(parsed, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        text = "The query returns a range of samples: apply a function such as rate() to it."
        yield document.finding(path, text, PROMQL)
    elif isinstance(parsed, promql_parser.StringLiteral):
        yield document.finding(path, "The query returns a text: it must return a number.", PROMQL)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
