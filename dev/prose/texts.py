"""Extracts the prose of a file: what a person reads, without code, names and addresses."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Text(NamedTuple):
    """A piece of prose and the line of the file where it begins (from 1)."""

    line: int
    text: str


_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"``.+?``|`[^`]*`")
_LINK = re.compile(r"\]\([^)]*\)")
_ADDRESS = re.compile(r"https?://\S+")
#: Quotations keep their wording.
_QUOTED = re.compile(r'"[^"\n]*"|“[^”\n]*”')


def texts(path: Path) -> Iterator[Text]:
    """Yields the prose of a file by its kind. Raises ValueError for a kind that it cannot read."""
    content = path.read_text()
    if path.suffix == ".md":
        yield Text(1, markdown(content))
    elif path.suffix == ".txt":
        yield Text(1, _plain(re.sub(r"{{.*?}}", "…", content)))
    elif path.suffix in (".yaml", ".tpl"):
        yield from yaml_texts(content)
    elif path.suffix == ".py":
        yield from python(content)
    else:
        raise ValueError(f"{path}: no reader for files of this kind")


def markdown(content: str) -> str:
    """Returns a page without code, comments and addresses; its lines keep their numbers."""
    for pattern in (_FENCE, _COMMENT):
        content = pattern.sub(lambda m: "\n" * m[0].count("\n"), content)
    return _plain(_LINK.sub("]", content))


def yaml_texts(content: str) -> Iterator[Text]:
    """Yields the comments of a file, and its descriptions and summaries."""
    for number, line in enumerate(content.splitlines(), 1):
        comment = re.match(r"\s*#(?! @schema) ?(.*)", line)
        value = re.match(r"\s*(?:- )?(?:description|summary|message): *(.*)", line)
        found = comment or value
        if found:
            yield Text(number, _plain(found[1]))


def python(content: str) -> Iterator[Text]:
    """Yields the comments of a module, and its literals of three words or more.

    Literals are docstrings and messages. The name of a test is a sentence too.
    """
    yield from comments(content)
    tree = ast.parse(content)
    nested: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                yield Text(node.lineno, node.name.removeprefix("test_").replace("_", " "))
        elif isinstance(node, ast.JoinedStr):
            nested.update(node.values)
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield from _literal(node, "".join(map(str, parts)))
        elif node in nested:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _literal(node, node.value)


def comments(content: str) -> Iterator[Text]:
    """Yields the comments of a module; consecutive lines are one text."""
    block, last = "", 0
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.lstrip("#:! ")
        if block and line == last + 1:
            block += f"\n{text}"
        else:
            if block:
                yield Text(last - block.count("\n"), _plain(block))
            block = text
        last = line
    if block:
        yield Text(last - block.count("\n"), _plain(block))


def _literal(node: ast.expr, text: str) -> Iterator[Text]:
    if len(text.split()) >= 3:
        yield Text(node.lineno, _plain(text))


def _plain(text: str) -> str:
    for pattern in (_CODE, _ADDRESS, _QUOTED):
        text = pattern.sub(lambda m: "…" + "\n" * m[0].count("\n"), text)
    return text
