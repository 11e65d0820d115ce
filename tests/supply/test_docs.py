"""Documentation is true: its links and the names of files in it exist.

test_documented_commands.py is about its commands, test_documented_yaml.py about its YAML.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.docs import documented

ROOT = Path(__file__).parents[2]


def test_undocumented_command_is_an_error() -> None:
    with pytest.raises(LookupError, match="has 0 commands"):
        documented("docs/guides/upgrading.md", "helm destroy")


def pages() -> list[str]:
    """Returns every page of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split() if (ROOT / name).exists()]


def modules() -> list[Path]:
    """Returns every module of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists()]


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", pages())
def test_links_of_every_page_are_valid(name: str) -> None:
    page = ROOT / name
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", page.read_text())
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            broken.append(target)
    assert broken == []


def test_modules_that_the_architecture_names_exist() -> None:
    page = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
    named = re.findall(r"`([a-z_]+/(?:[a-z_]+/)*(?:[a-z_]+\.py)?)`", page)
    assert named
    package = ROOT / "operator" / "canarium"
    assert [
        name
        for name in named
        if not (
            (package / name).exists()
            or (ROOT / name).exists()
            or (package / "core" / name).exists()
        )
    ] == []


@pytest.mark.parametrize("name", [n for n in pages() if not n.startswith("changes/")])
def test_files_that_a_page_names_exist(name: str) -> None:
    named = re.findall(
        r"`((?:operator|tests|e2e|dev|docs|sandbox|examples|charts|bench)/[\w./-]+)`",
        (ROOT / name).read_text(),
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", [n for n in pages() if n.startswith("docs/")])
def test_modules_that_a_page_names_exist(name: str) -> None:
    named = re.findall(r"`([\w./-]+\.py)`", (ROOT / name).read_text())
    files = [f"/{path.relative_to(ROOT).as_posix()}" for path in modules()]
    assert [one for one in named if not any(file.endswith(f"/{one}") for file in files)] == []


def test_every_decision_is_in_the_index_under_its_number_and_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    files = sorted(folder.glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in files]
    assert len(set(numbers)) == len(numbers)
    for path in files:
        heading = path.read_text().partition("\n")[0]
        number, title = heading.removeprefix("# ").split(": ", 1)
        assert path.name.startswith(f"{number}-")
        assert f"| [{number}]({path.name}) | {title} |" in index
    # Sorted, and without rows of decisions that were deleted.
    assert re.findall(r"(?m)^\| \[(\d+)\]", index) == numbers


def test_index_of_the_documentation_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    targets = re.findall(r"\]\(([^)#\s]+)", index.read_text())
    listed = {(index.parent / target).resolve() for target in targets if "://" not in target}
    pages_of_docs = {ROOT / name for name in pages() if name.startswith("docs/")}
    decisions = {page for page in pages_of_docs if page.parent.name == "decisions"}
    assert sorted(pages_of_docs - decisions - listed - {index}) == []


def test_testing_page_lists_every_folder_of_tests() -> None:
    page = (ROOT / "docs" / "contributing" / "testing.md").read_text()
    table = page.partition("## ")[0]
    folders = {
        path.parent.relative_to(ROOT).parts[1]
        for path in modules()
        if path.is_relative_to(ROOT / "tests") and path.parent != ROOT / "tests"
    }
    assert sorted(name for name in folders if f"`tests/{name}/`" not in table) == []


def test_page_for_users_links_each_rule_that_it_cites() -> None:
    bare = {}
    for name in pages():
        if name.startswith("docs/") and not name.startswith(
            ("docs/contributing/", "docs/decisions/")
        ):
            text = re.sub(r"\[R\d+\]\([^)]*rules\.md#[^)]*\)", "", (ROOT / name).read_text())
            # The command line names revisions R1 and R2.
            if cited := re.findall(r"\(R\d+[,)]|rule R\d+", text):
                bare[name] = cited
    assert bare == {}
