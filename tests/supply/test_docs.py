"""Every command that these pages tell users to run is run by a test, as it stands there."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from story.docs import commands, documented

ROOT = Path(__file__).parents[2]
PAGES = ("docs/argocd.md", "docs/flux.md", "docs/upgrading.md", "charts/canarium/README.md")
_ONE = re.compile(r'documented\(\s*"([^"]+)",\s*"([^"]+)"')
_ALL = re.compile(r'commands\(\s*"([^"]+)"\)[^"]+startswith\("([^"]+)"\)')


def run_by_tests() -> dict[str, set[str]]:
    """Page → how the commands begin that some test takes from it."""
    found = defaultdict(set)
    for path in (*(ROOT / "e2e").rglob("*.py"), *(ROOT / "tests" / "integration").glob("*.py")):
        text = path.read_text()
        for pattern in (_ONE, _ALL):
            for page, beginning in pattern.findall(text):
                found[page].add(beginning)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_is_run(page: str) -> None:
    beginnings = tuple(run_by_tests()[page])
    lines = commands(page)
    assert lines
    assert [line for line in lines if not line.startswith(beginnings)] == []


def test_command_that_no_page_has_is_an_error() -> None:
    with pytest.raises(LookupError, match="has 0 commands"):
        documented("docs/upgrading.md", "helm destroy")
