"""Selection of tests by the rules that they prove, the table of both, and what runs beside what.

`pytest --rule R13` runs the tests of one rule, `-k R13` too (but R1 also finds R13 there), and
`pytest --rules --collect-only -q` prints which tests prove which rule. The rules themselves are the
headings of docs/contributing/rules.md.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: `## R7: What fails a candidate`: the number and the title of a rule, and whether it is planned.
_HEADING = re.compile(r"(?m)^## (R\d+): (.+?)( \(planned\))?$")


def _rules(page: str) -> dict[str, str]:
    """Returns the rules that a page defines, number → title, without those that are planned."""
    return {number: title for number, title, planned in _HEADING.findall(page) if not planned}


RULES = _rules((HERE / "docs" / "contributing" / "rules.md").read_text())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rule", action="append", default=[], choices=RULES, help="tests of a rule")
    parser.addoption("--rules", action="store_true", help="print which tests prove which rule")


def rules_of(item: pytest.Item) -> set[str]:
    """The rules that a test is marked with."""
    return {name for mark in item.iter_markers("rule") for name in mark.args}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        unknown = rules_of(item) - RULES.keys()
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no rule {', '.join(sorted(unknown))}")
        item.extra_keyword_matches.update(rules_of(item))
    wanted = set(config.getoption("--rule"))
    if wanted:
        dropped = [item for item in items if not rules_of(item) & wanted]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if rules_of(item) & wanted]
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Those on real pods take longest and mostly wait: beside others, they begin first.
        items.sort(key=lambda item: _place(item.path))


@cache
def _place(path: Path) -> int:
    """Where in the order a file stands: real pods, the API server, all else."""
    file = path.relative_to(HERE).as_posix()
    starts = ("e2e/", "tests/integration/", "tests/simulation/")
    return next(
        (place for place, start in enumerate(starts) if file.startswith(start)), len(starts)
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.getoption("--rules"):
        return
    proofs: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for item in session.items:
        place = item.nodeid.split("[")[0]
        for name in rules_of(item):
            proofs[name][place] += 1
    for name, title in RULES.items():
        print(f"\n{name}  {title}: {sum(proofs[name].values())} tests")
        for place, count in sorted(proofs[name].items()):
            print(f"    {place}" + (f"  ({count} cases)" if count > 1 else ""))
    missing = [name for name in RULES if name not in proofs]
    if missing:
        raise pytest.UsageError(f"no test proves {', '.join(missing)}")
    print()
