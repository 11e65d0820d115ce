"""Selection of tests by the rules that they prove, the table of both, and what runs beside what.

`pytest --rule R13` runs the tests of one rule, `-k R13` too (but R1 also finds R13 there), and
`pytest --rules --collect-only -q` prints which tests prove which rule.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent

RULES = {
    "R0": "Above all: no write moves traffic from ready pods to none",
    "R1": "Identity of a revision",
    "R2": "Children",
    "R3": "First version",
    "R4": "Gate before traffic",
    "R5": "Capacity before weight",
    "R6": "Honest weights",
    "R7": "What fails a candidate",
    "R8": "Rolling back: traffic first",
    "R9": "The latch",
    "R10": "New spec mid-rollout",
    "R11": "Back to stable mid-rollout",
    "R12": "Editing the rollout settings mid-rollout",
    "R13": "A broken stable does not block its fix",
    "R14": "Promote in place",
    "R15": "Bake",
    "R16": "Commands",
    "R17": "Verdicts",
    "R18": "Crash-safe",
    "R19": "While the operator is down",
    "R20": "Deletion",
    "R21": "Invalid input",
    "R22": "Strategies",
    "R23": "Drift",
    "R24": "Names",
    "R25": "Disruption is not failure",
    "R29": "Truth: status, conditions and Events agree with what serves",
    "R31": "Fairness: nobody delays the rollback of another",
}


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
        items.sort(key=lambda item: _place(item.path.relative_to(HERE).as_posix()))


def _place(file: str) -> int:
    """Where in the order a file stands: real pods, the API server, all else."""
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
