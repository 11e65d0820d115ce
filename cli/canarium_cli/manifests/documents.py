"""One object of a YAML stream, with the position of each of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from canarium_cli.manifests.finding import Finding, Level

#: Keys and indexes from the root of an object to a field.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """An object as it stands in a file. `first_line` is the line before its text in the file."""

    file: str
    value: Any
    node: yaml.Node
    first_line: int = 0

    @property
    def body(self) -> Mapping[str, Any]:
        """The object; empty if it is not an object."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def kind(self) -> str:
        return str(self.body.get("kind") or "")

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        version = str(self.body.get("apiVersion") or "")
        return version.rpartition("/")[0]

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata = self.body.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or self.metadata.get("generateName") or "")

    @property
    def title(self) -> str:
        """Kind and name for people, such as ModelDeployment/fraud."""
        return f"{self.kind}/{self.name}" if self.name else self.kind

    @property
    def spec(self) -> Mapping[str, Any]:
        spec = self.body.get("spec")
        return spec if isinstance(spec, dict) else {}

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """The line and column of a field, or of the nearest object around it that exists.

        `key` asks for the position of its name instead of its value.
        """
        node, mark = self.node, self.node.start_mark
        for index, step in enumerate(path):
            entry = _entry(node, step)
            if entry is None:
                break
            name, node = entry
            mark = name.start_mark if key and index == len(path) - 1 else node.start_mark
        return self.first_line + mark.line + 1, mark.column + 1

    def finding(
        self,
        path: Path,
        message: str,
        rule: str,
        level: Level = Level.ERROR,
        *,
        key: bool = False,
    ) -> Finding:
        """A finding at a field of this object."""
        line, column = self.position(path, key=key)
        return Finding(self.file, line, column, level, rule, message, text_of(path), self.title)

    def items(self) -> Iterator[Document]:
        """The objects of a List, or this object itself."""
        listed = self.body.get("items")
        if not self.kind.endswith("List") or not isinstance(listed, list):
            yield self
            return
        entry = _entry(self.node, "items")
        nodes: Sequence[yaml.Node] = entry[1].value if entry else ()
        for value, node in zip(listed, nodes, strict=False):
            yield Document(self.file, value, node, self.first_line)

    def repeated_keys(self) -> Iterator[Finding]:
        """A finding for each key that an object has twice: YAML parsers keep one of the two."""
        pending: list[tuple[Path, yaml.Node]] = [((), self.node)]
        visited: set[int] = set()
        while pending:
            path, node = pending.pop()
            if id(node) in visited:
                continue
            visited.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                pending += [((*path, n), item) for n, item in enumerate(node.value)]
            elif isinstance(node, yaml.MappingNode):
                names: set[str] = set()
                for name, value in node.value:
                    word = str(name.value)
                    if word in names and word != "<<":
                        at = self.first_line + name.start_mark.line + 1
                        yield Finding(
                            self.file,
                            at,
                            name.start_mark.column + 1,
                            Level.ERROR,
                            "yaml",
                            f"The key {word} is repeated: remove one of the two.",
                            text_of((*path, word)),
                            self.title,
                        )
                    names.add(word)
                    pending.append(((*path, word), value))


def _entry(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The nodes of a key and its value, or of an item twice."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if str(name.value) == str(step):
                return name, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def text_of(path: Path) -> str:
    """A path as Kubernetes writes it: spec.rollout.steps[0].weight."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
