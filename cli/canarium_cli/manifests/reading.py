"""Reads objects from files, folders and standard input; what cannot be read is a finding.

A stream is split at its document markers before it is parsed, so that an error in one document
does not hide the others.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from canarium_cli.manifests.documents import Document
from canarium_cli.manifests.finding import Finding, Level

#: The name for standard input.
STDIN = "-"
_SUFFIXES = {".yaml", ".yml", ".json"}
_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
#: Larger files are not manifests: etcd takes objects of 1.5 MiB.
_LARGEST = 16 << 20
#: Levels of nesting. Objects have about 20, and a parser written in C would crash at thousands.
_DEEPEST = 200


def read(names: Sequence[str]) -> tuple[list[Document], list[Finding]]:
    """Returns the objects in `names` (files, folders or "-"), in order, and what is unreadable.

    Lists are replaced by their items. A folder is searched for .yaml, .yml and .json files.
    """
    documents: list[Document] = []
    findings: list[Finding] = []
    for name in names:
        for file, where in _files(name, findings):
            text = _text(file, where, findings)
            if text is None:
                continue
            objects = list(_documents(file, text, findings))
            if not objects and not any(finding.file == file for finding in findings):
                findings.append(_unreadable(file, "The file contains no objects."))
            documents += objects
    return documents, findings


def parsed(file: str, text: str) -> tuple[list[Document], list[Finding]]:
    """Returns the objects in `text`, and what is not valid YAML; `file` names it in findings."""
    findings: list[Finding] = []
    return list(_documents(file, text, findings)), findings


def _files(name: str, findings: list[Finding]) -> Iterator[tuple[str, Path | None]]:
    if name == STDIN:
        yield "<stdin>", None
        return
    where = Path(name)
    if not where.is_dir():
        yield name, where
        return
    files = sorted(p for p in where.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
    if not files:
        findings.append(_unreadable(name, "The folder has no .yaml, .yml or .json files."))
    for path in files:
        yield str(path), path


def _text(file: str, where: Path | None, findings: list[Finding]) -> str | None:
    try:
        if where is None:
            content = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with where.open("rb") as stream:
                content = stream.read(_LARGEST + 1)
    except OSError as error:
        findings.append(_unreadable(file, f"Cannot be read: {error.strerror or error}."))
        return None
    if len(content) > _LARGEST:
        findings.append(_unreadable(file, f"The file is larger than {_LARGEST >> 20} MiB."))
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "The file is not UTF-8 text."
        findings.append(Finding(file, line, 1, Level.ERROR, "yaml", message))
        return None
    # JSON may be indented with tabs, which YAML does not accept.
    return text.replace("\t", " ") if text.lstrip()[:1] in ("{", "[") else text


def _documents(file: str, text: str, findings: list[Finding]) -> Iterator[Document]:
    starts = [0, *(match.start() for match in _MARKER.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        first_line = text.count("\n", 0, start)
        try:
            loaded = _loaded(text[start:end])
        except yaml.YAMLError as error:
            findings.append(_invalid(file, error, first_line))
            continue
        if loaded is None:
            continue
        value, node = loaded
        whole = Document(file, value, node, first_line)
        findings += whole.repeated_keys()
        for document in whole.items():
            if document.kind and document.body.get("apiVersion"):
                yield document
            else:
                message = "Not a Kubernetes object: apiVersion and kind are required."
                findings.append(document.finding((), message, "yaml"))


def _loaded(text: str) -> tuple[Any, yaml.Node] | None:
    """The value and the node of one document; None if it is empty. Raises yaml.YAMLError."""
    _check_depth(text)
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        try:
            value = loader.construct_document(node)
        except (ValueError, ArithmeticError, TypeError, LookupError, AttributeError) as error:
            # Of a scalar such as `!!int 0x`, or a number with thousands of digits.
            problem = "a value does not have the form of its type, or is too long"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error
        return None if value is None else (value, node)
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    """Raises yaml.YAMLError for a document that is nested too deeply, or invalid."""
    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            problem = f"more than {_DEEPEST} levels of nesting"
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


@cache
def _loader() -> Any:
    """A safe loader that reads dates as text, as Kubernetes does."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    loader: Any = type("Loader", (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    return loader


def _invalid(file: str, error: yaml.YAMLError, first_line: int) -> Finding:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    message = f"Not valid YAML: {problem}."
    return Finding(file, first_line + line, column, Level.ERROR, "yaml", message)


def _unreadable(file: str, message: str) -> Finding:
    return Finding(file, 1, 1, Level.ERROR, "file", message)
