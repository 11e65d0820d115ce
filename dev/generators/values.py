"""`values.yaml` with its comments, read once: what the schema and the README's table are made of.

A key's text is the comment right above it; a line `@schema {…}` there is JSON Schema that is laid
over what the default value shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MARK = "@schema "


@dataclass(frozen=True, slots=True)
class Value:
    """A key: where it is, what it means, its default, its own schema, and the keys below it."""

    path: tuple[str, ...]
    text: str
    default: Any
    extra: dict[str, Any]
    children: tuple[Value, ...]

    @property
    def closed(self) -> bool:
        """Whether it is a group of described keys, not one value that happens to be an object."""
        return bool(self.children)

    def leaves(self) -> Iterator[Value]:
        """The keys that one sets, in the file's order."""
        if not self.closed:
            yield self
        for child in self.children:
            yield from child.leaves()


def read(path: Path) -> tuple[Value, ...]:
    """The keys of a values file. Raises ValueError for a key without a description."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return _children(root, yaml.safe_load(text), text.splitlines(), ())


def _children(
    node: yaml.MappingNode, values: dict[str, Any], lines: list[str], above: tuple[str, ...]
) -> tuple[Value, ...]:
    children = []
    for key, child in node.value:
        path = (*above, key.value)
        text, extra = _comment(lines, key.start_mark.line, path)
        default = values[key.value]
        # A described key is the sign of a group; an open object has none below it.
        inner: tuple[Value, ...] = ()
        if isinstance(child, yaml.MappingNode) and not text and not extra:
            inner = _children(child, default, lines, path)
        if not text and not inner:
            raise ValueError(f"{'.'.join(path)}: no description above it")
        children.append(Value(path, text, default, extra, inner))
    return tuple(children)


def _comment(lines: list[str], at: int, path: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    words: list[str] = []
    extra: dict[str, Any] = {}
    for line in reversed(lines[:at]):
        comment = line.strip()
        if not comment.startswith("#"):
            break
        comment = comment.removeprefix("#").strip()
        if comment.startswith(_MARK):
            try:
                extra = json.loads(comment.removeprefix(_MARK))
            except ValueError as error:
                raise ValueError(f"{'.'.join(path)}: @schema is not valid JSON: {error}") from error
        else:
            words.insert(0, comment)
    return " ".join(words), extra
