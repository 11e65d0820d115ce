"""Extracts the prose of a file: what a person reads, without code, names and addresses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import inf
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


#: A comment of a template of Helm or Jinja.
_TEMPLATE_COMMENT = re.compile(r"{{-? ?/\*(.*?)\*/ ?-?}}|{#-?(.*?)-?#}", re.DOTALL)
_TEMPLATE_CODE = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
_TAG = re.compile(r"<(?:script|style).*?</(?:script|style)>|<[^>]*>", re.DOTALL)
#: Comments and literals of Lua, JavaScript and CSS.
_SCRIPT = re.compile(
    r"""(?P<comment>--[^\n]*|(?<!:)//[^\n]*|/\*.*?\*/)|"(?P<double>(?:\\.|[^"\\\n])*)"|"""
    r"""'(?P<single>(?:\\.|[^'\\\n])*)'|`(?P<back>(?:\\.|[^`\\])*)`""",
    re.DOTALL,
)
_HASH = re.compile(r"(?:^|\s)#(?! @schema)[#!:]? ?(\S.*)")
_SUFFIXES = frozenset(
    (
        *(".md", ".txt", ".html", ".py", ".lua", ".js", ".css"),
        *(".yaml", ".yml", ".tpl", ".toml"),
        ".sh",
    )
)


def is_readable(path: Path) -> bool:
    """Returns whether a file has prose that `texts` reads."""
    return path.suffix in _SUFFIXES and path.is_file()


def texts(path: Path) -> Iterator[Text]:
    """Yields the prose of a file by its kind."""
    content = path.read_text()
    match path.suffix:
        case ".md":
            yield Text(1, markdown(content))
        case ".txt":
            yield Text(1, _plain(_TEMPLATE_CODE.sub("…", content)))
        case ".html":
            yield from html(content)
        case ".yaml" | ".yml" | ".tpl":
            yield from yaml_texts(content)
        case ".py":
            yield from python(content)
        case ".lua" | ".js" | ".css":
            yield from script(content)
        case _:
            yield from hash_comments(content)


def markdown(content: str) -> str:
    """Returns a page without code, comments and addresses; its lines keep their numbers."""
    for pattern in (_FENCE, _COMMENT):
        content = pattern.sub(lambda m: "\n" * m[0].count("\n"), content)
    return _plain(_LINK.sub("]", content))


def html(content: str) -> Iterator[Text]:
    """Yields the comments and the text of a page or its template."""
    yield from _template_comments(content)
    for pattern in (_TEMPLATE_COMMENT, _TEMPLATE_CODE, _TAG):
        content = pattern.sub(lambda m: "\n" * m[0].count("\n") or " ", content)
    yield Text(1, _plain(content))


def script(content: str) -> Iterator[Text]:
    """Yields the comments of a script or a stylesheet, and its literals of three words or more."""
    for match in _SCRIPT.finditer(content):
        text = next(part for part in match.groups() if part is not None)
        if match["comment"] or len(text.split()) >= 3:
            yield Text(1 + content.count("\n", 0, match.start()), _plain(text))


def hash_comments(content: str) -> Iterator[Text]:
    """Yields the comments of a file in which they begin with `#`."""
    for number, line in enumerate(content.splitlines(), 1):
        if comment := _HASH.search(line):
            yield Text(number, _plain(comment[1]))


def yaml_texts(content: str) -> Iterator[Text]:
    """Yields the comments of a file or its template, and its descriptions and summaries."""
    yield from _template_comments(content)
    yield from hash_comments(content)
    indent: int | None = None
    for number, line in enumerate(content.splitlines(), 1):
        key = re.match(r"([ -]*)(?:description|summary|message): *[>|]?-? *(.*)", line)
        depth = len(line) - len(line.lstrip(" "))
        if key:
            indent = len(key[1])
            yield Text(number, _plain(key[2].strip("\"'")))
        elif indent is not None and (depth > indent or not line.strip()):
            yield Text(number, _plain(line))
        else:
            indent = None


def _template_comments(content: str) -> Iterator[Text]:
    for match in _TEMPLATE_COMMENT.finditer(content):
        text = match[1] or match[2] or ""
        yield Text(1 + content.count("\n", 0, match.start()), _plain(text))


def python(content: str) -> Iterator[Text]:
    """Yields the comments of a module and its literals of three words or more, by line.

    Literals are docstrings and messages. The name of a test is a sentence too.
    """
    texts: list[Text] = []
    nested: set[ast.AST] = set()
    strings: list[ast.expr] = []
    for node in ast.walk(parsed(content)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                words = node.name.removeprefix("test_").replace("_", " ")
                texts.append(Text(node.lineno, words))
        elif isinstance(node, ast.JoinedStr):
            nested.update(node.values)
            strings.append(node)
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            texts += _literal(node, "".join(map(str, parts)))
        elif node in nested:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            strings.append(node)
            if isinstance(node.value, str):
                texts += _literal(node, node.value)
    yield from sorted((*texts, *_comments(content, strings)))


@lru_cache(maxsize=1)
def parsed(content: str) -> ast.Module:
    """Returns the syntax tree of a module. The last one is kept, since two checks read it."""
    return ast.parse(content)


def _comments(content: str, strings: Iterable[ast.expr]) -> Iterator[Text]:
    """Yields the comments of a module; consecutive lines are one text.

    A comment starts at the first `#` of a line that is outside all `strings`. This takes a fifth
    of the time of `tokenize`.
    """
    spans: dict[int, list[tuple[int, float]]] = {}
    for node in strings:
        end = node.end_lineno or node.lineno
        for line in range(node.lineno, end + 1):
            left = node.col_offset if line == node.lineno else 0
            right = node.end_col_offset if line == end else None
            spans.setdefault(line, []).append((left, inf if right is None else right))
    block, last = "", 0
    for line, source in enumerate(content.split("\n"), 1):
        text = _comment(source, spans.get(line, ())) if "#" in source else None
        if text is None:
            continue
        if block and line == last + 1:
            block += f"\n{text}"
        else:
            if block:
                yield Text(last - block.count("\n"), _plain(block))
            block = text
        last = line
    if block:
        yield Text(last - block.count("\n"), _plain(block))


def _comment(line: str, spans: Iterable[tuple[int, float]]) -> str | None:
    """Returns the comment of a line whose strings are at `spans` (in bytes); None without one."""
    data = line.encode()
    at = data.find(b"#")
    while at >= 0:
        if not any(left <= at < right for left, right in spans):
            return data[at:].decode().lstrip("#:! ").rstrip()
        at = data.find(b"#", at + 1)
    return None


def _literal(node: ast.expr, text: str) -> Iterator[Text]:
    if len(text.split()) >= 3:
        yield Text(node.lineno, _plain(text))


def _plain(text: str) -> str:
    for pattern in (_CODE, _ADDRESS, _QUOTED):
        text = pattern.sub(lambda m: "…" + "\n" * m[0].count("\n"), text)
    return text
