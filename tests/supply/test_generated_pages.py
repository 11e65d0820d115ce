"""The generated references list all that there is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from canarium import GROUP
from canarium.api import reasons
from canarium.core.context.commands import ANNOTATIONS
from canarium_cli.exits import Exit
from canarium_cli.main import cli
from generators import commandline, labels
from generators import reasons as reference


def test_every_enum_of_reasons_has_a_section() -> None:
    """Also one that `canarium.api.reasons` does not export."""
    assert {enum for _, enum, _ in reference.SECTIONS} == {*reasons.Reason.__subclasses__()}
    page = reference.page()
    for _, enum, _ in reference.SECTIONS:
        assert all(f"\n| `{word.value}` | {word.meaning} |" in page for word in enum)


def test_every_exit_code_is_in_the_reference_and_those_of_results_in_the_help() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| (.+) \|$", commandline.page())
    expected = [(str(code.value), code.meaning.replace("|", r"\|")) for code in Exit]
    assert rows == expected
    stated = re.findall(r"\b(\d+) [a-z]", (cli.help or "").partition("Exit codes:")[2])
    assert stated == [str(code.value) for code in Exit if code < Exit.INTERRUPTED]


ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "labels.md"
#: Other names in the group than keys: the version, images, a kind, and a placeholder.
_OTHER = re.compile(r"v1alpha1|canarium(-\w+)*|ModelDeployment|COMMAND")
_NAMED = re.compile(rf"(?<![\w./]){re.escape(GROUP)}/([A-Za-z][\w.-]*\w)")
#: An instance of CLUSTER.NAMESPACE.NAME.
_TAG = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
#: Constants for keys without the group.
_CONSTANTS = re.compile(r"(\w+_)?ANNOTATION|NOTE")


def named(text: str) -> Iterator[str]:
    """The keys in a text, all tags of registries as their pattern."""
    for word in _NAMED.findall(text):
        if not _OTHER.fullmatch(word):
            yield "CLUSTER.NAMESPACE.NAME" if _TAG.fullmatch(word) else word


def of_code(path: Path) -> Iterator[str]:
    """The keys in a module: after GROUP in an f-string, written out, or a constant."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from named(node.value)
        if isinstance(node, ast.JoinedStr):
            yield from of_f_string(node)
    assigned = (
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    )
    for node in assigned:
        if all(_CONSTANTS.fullmatch(ast.unparse(target)) for target in node.targets):
            yield str(ast.literal_eval(node.value)).removeprefix(f"{GROUP}/")


def of_f_string(node: ast.JoinedStr) -> Iterator[str]:
    """Without what has a path before the group, such as `/apis/` or `https://`."""
    parts = [
        str(part.value)
        if isinstance(part, ast.Constant)
        else GROUP * (isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "GROUP")
        for part in node.values
    ]
    return named("".join(parts))


def used() -> dict[str, set[str]]:
    """The keys that the repository uses, each with the files."""
    found: dict[str, set[str]] = {f"{GROUP}/{word}": {"commands.py"} for word in ANNOTATIONS}
    texts = [path for folder in ("docs", "charts") for path in (ROOT / folder).rglob("*")]
    for path in texts:
        if path.suffix in (".md", ".yaml", ".tpl", ".txt") and path != PAGE:
            # A condition of the policy for approvals is on the beginning of keys.
            text = re.sub(r"startsWith\('[^']*'\)", "", path.read_text())
            for word in named(text):
                found.setdefault(f"{GROUP}/{word}", set()).add(str(path.relative_to(ROOT)))
    for path in (ROOT / "operator").rglob("*.py"):
        for word in of_code(path):
            found.setdefault(f"{GROUP}/{word}", set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_label_and_annotation_is_on_its_page_and_no_other() -> None:
    stated = [key for _, _, keys in labels.SECTIONS for key in keys]
    assert len(stated) == len({*stated})
    found = used()
    assert {key: files for key, files in found.items() if key not in stated} == {}
    assert {*stated} - found.keys() == set()
    assert all(f"| `{key}` |" in PAGE.read_text() for key in stated)


def schema_leaves(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the values of the chart's schema: all below groups of described values."""
    for name, child in node["properties"].items():
        # A group is closed; an object that users fill may have a schema for its parts.
        if child.get("additionalProperties") is False and "description" not in child:
            yield from schema_leaves(child, (*path, name))
        else:
            yield (*path, name)


def test_page_of_values_has_each_of_the_schema_with_its_default() -> None:
    chart = ROOT / "charts" / "canarium"
    schema = json.loads((chart / "values.schema.json").read_text())
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    rows = re.findall(
        r"(?m)^\| `([\w.]+)` \| [^`|]*(?:`[^`]*`[^`|]*)* \| `(.*?)` \| \S.* \|$",
        (ROOT / "docs" / "reference" / "values.md").read_text(),
    )
    # Parent charts set these; they have no default.
    apart = {("global",), ("enabled",)}
    leaves = {path for path in schema_leaves(schema) if path not in apart}
    assert sorted(".".join(path) for path in leaves) == sorted(name for name, _ in rows)
    for name, default in rows:
        value = defaults
        for part in name.split("."):
            value = value[part]
        assert json.loads(default.replace("\\|", "|")) == value, name
