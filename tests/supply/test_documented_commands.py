"""Every command of the docs is run by a test, or listed with the reason why it is not.

A test claims a command by a call or a tuple with the page and how the command begins, such as
`documented("docs/install.md", "kubectl apply")`, or it follows a whole page (`walk`, `blocks`).
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from support.docs import SHELLS, blocks, fences, uncommented
from support.not_run import NOT_RUN
from support.pages import FOR_READERS

ROOT = Path(__file__).parents[2]
KINDS = {*SHELLS, "yaml", "json", "python", "text", "mermaid", "dockerfile"}
#: Tests that run the commands of a page which begin so, by other means than `documented`.
OTHERWISE = {
    **{
        page: ("tests/integration/test_model_pages.py", ("kubectl ",))
        for page in FOR_READERS
        if page.startswith(tuple(f"docs/guides/{x}/" for x in ("sources", "frameworks", "checks")))
    },
    "docs/getting-started.md": ("e2e/test_getting_started.py", ("",)),
    "docs/guides/adopting.md": ("e2e/test_adopting.py", ("",)),
    "docs/guides/argocd.md": ("e2e/gitops/conftest.py", ("kubectl ",)),
    "docs/guides/environments.md": (
        "tests/supply/test_pipelines.py",
        ("sh environments.sh", "ALIAS=production"),
    ),
    "docs/guides/pipelines.md": ("tests/supply/test_pipelines.py", ("",)),
    "docs/guides/signatures.md": (
        "tests/unit/fetch/signatures/test_signatures.py",
        ("openssl ", "model_signing ", "sha256sum "),
    ),
    "docs/guides/upgrading.md": ("e2e/upgrade/test_upgrade.py", ("kubectl delete ",)),
}
#: The chart is rendered with all options of these commands, on every page.
RENDERED = re.compile(r"helm (upgrade --install|template) canarium charts/canarium ")


def lines(page: str) -> list[str]:
    """The commands of a page, without comments."""
    return [uncommented(line) for line in blocks(page)]


def claims() -> Iterator[tuple[str, str]]:
    """Yields a page and the beginning of a command for each that a test names together."""
    for folder in ("e2e", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if path == Path(__file__) or ".md" not in text or path.name == "not_run.py":
                continue
            yield from _named_together(ast.parse(text))


def _named_together(tree: ast.Module) -> Iterator[tuple[str, str]]:
    pages = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", ())
        words = [
            part.value if isinstance(part, ast.Constant) else pages.get(getattr(part, "id", ""))
            for part in parts
        ]
        for page, beginning in pairwise(words):
            if page in FOR_READERS and isinstance(beginning, str):
                yield str(page), beginning


@cache
def claimed() -> dict[str, set[str]]:
    """Page → how the commands begin that a test runs."""
    found = defaultdict(set)
    for page, beginning in claims():
        found[page].add(beginning)
    return dict(found)


def is_run(page: str, line: str) -> bool:
    """Whether a test runs this command of a page: it names all of it, or a beginning that no
    other command of the page has."""
    beginnings = claimed().get(page, set())
    others = {one for one in lines(page) if one != line}
    by_name = line in beginnings or any(
        line.startswith(one) and not any(other.startswith(one) for other in others)
        for one in beginnings
    )
    _, begun = OTHERWISE.get(page, ("", ()))
    return by_name or line.startswith(begun) or bool(RENDERED.match(line))


@pytest.mark.parametrize("page", FOR_READERS)
def test_every_command_of_the_page_is_run_or_the_reason_is_stated(page: str) -> None:
    reasons = tuple(NOT_RUN.get(page, ()))
    assert [x for x in lines(page) if not x.startswith(reasons) and not is_run(page, x)] == []


@pytest.mark.parametrize("page", NOT_RUN)
def test_reason_why_a_command_is_not_run_is_about_a_command_of_the_page(page: str) -> None:
    for beginning, reason in NOT_RUN[page].items():
        assert reason
        assert any(line.startswith(beginning) for line in lines(page)), beginning
        for path in re.findall(r"(?:e2e|tests)/[\w/.]+", reason):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", OTHERWISE)
def test_test_that_follows_a_page_names_it(page: str) -> None:
    path, begun = OTHERWISE[page]
    assert Path(page).name in (ROOT / path).read_text()
    assert all(any(line.startswith(one) for line in lines(page)) for one in begun)


@pytest.mark.parametrize("page", FOR_READERS)
def test_every_block_is_read_and_states_its_kind(page: str) -> None:
    found = fences(page)
    assert {fence.kind for fence in found} <= KINDS
    marks = re.findall(r"(?m)^[ >]*(?:`{3,}|~{3,})", (ROOT / page).read_text())
    assert len(marks) == 2 * len(found)


def test_command_that_no_test_names_is_not_run() -> None:
    assert not is_run("docs/install.md", "kubectl get nodes")
    assert not is_run("docs/guides/auditing.md", "kubectl modeldeploy record fraud -n risk -o json")
    assert is_run("docs/guides/auditing.md", "kubectl modeldeploy record fraud -n risk")
