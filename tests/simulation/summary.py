"""What a session's simulations explored, printed at its end, also where workers of pytest-xdist did
it: a separate plugin, since the process that prints collects no tests and so reads no conftest
beside them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

#: States checked, decisions, writes and more, by form of the operator, over all runs.
EXPLORED: Counter[str] = Counter()
#: By class of test, what repeats a random run.
SEEDS = pytest.StashKey[dict[str, str]]()
_WORDS = (
    "runs",
    "states",
    "decisions",
    "writes",
    "virtual seconds",
    "outages beside a ready version",
)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its counts over to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["explored"] = dict(EXPLORED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    EXPLORED.update(getattr(node, "workeroutput", {}).get("explored", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not EXPLORED:
        return
    seconds = sum(
        report.duration
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and "tests/simulation/" in report.nodeid
    )
    terminalreporter.section("simulation")
    for form in ("decisions", "engine", "pauses", "gates", "job gates", "templates"):
        explored = ", ".join(f"{EXPLORED[f'{form} {word}']:,} {word}" for word in _WORDS)
        terminalreporter.line(f"{form}: {explored}")
    raised = EXPLORED["rises past pauses"]
    terminalreporter.line(f"{raised:,} weights raised, each by an order or on evidence")
    compared = EXPLORED["statuses compared"]
    terminalreporter.line(f"{compared:,} statuses compared with who answers")
    moves, questions = EXPLORED["moves past gates"], EXPLORED["questions of gates"]
    terminalreporter.line(
        f"{moves:,} moves past gates, {questions:,} questions to systems at gates"
    )
    freed, passed = EXPLORED["releases past pauses"], EXPLORED["releases past gates"]
    terminalreporter.line(f"{freed + passed:,} versions released that had taken over")
    jobs, ended = EXPLORED["jobs of gates"], EXPLORED["jobs of gates ended"]
    terminalreporter.line(f"{jobs:,} Jobs of gates created, {ended:,} ended")
    recorded = EXPLORED["templates recorded"]
    terminalreporter.line(f"{recorded:,} records with the checks of templates written")
    terminalreporter.line(f"{seconds:.1f} s in all")
    for case, seed in terminalreporter.config.stash.get(SEEDS, {}).items():
        terminalreporter.line(f"{case}: --hypothesis-seed={seed}")
