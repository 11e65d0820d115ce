"""How much is explored: derandomized and bounded by default, at random and long each night."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from simulation.adversary import Adversary
from simulation.story import Story


@pytest.fixture
def story() -> Iterator[Story]:
    """A story in which no rule may have been broken by its end."""
    story = Story()
    yield story
    story.operator.kill()
    story.loop.close()
    assert not story.witness.violations


#: Runs by size of the simulation and by test class, and the most steps of a run.
RUNS = {
    "test": {
        "TestDecisions": 150,
        "TestRoutedDecisions": 100,
        "TestWholeEngine": 40,
        "TestRoutedEngine": 20,
    },
    "nightly": {
        "TestDecisions": 20_000,
        "TestRoutedDecisions": 20_000,
        "TestWholeEngine": 5_000,
        "TestRoutedEngine": 5_000,
    },
}
STEPS = {"test": 25, "nightly": 60}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    size: str = config.getoption("--simulation")
    for item in items:
        parent = item.getparent(pytest.Class)
        if parent is None or parent.name not in RUNS[size]:
            continue
        case = parent.obj
        case.settings = settings(
            max_examples=RUNS[size][parent.name],
            stateful_step_count=STEPS[size],
            derandomize=size == "test",
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        if size == "nightly":
            seed = config.getoption("--hypothesis-seed") or str(secrets.randbits(32))
            case.runTest._hypothesis_internal_use_seed = int(seed)
            config.stash.setdefault(SEEDS, {})[parent.name] = seed


SEEDS = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its counts over to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["explored"] = dict(Adversary.explored)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    Adversary.explored.update(getattr(node, "workeroutput", {}).get("explored", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    explored = Adversary.explored
    if not explored:
        return
    seconds = sum(
        report.duration
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and "tests/simulation/" in report.nodeid
    )
    terminalreporter.section("simulation")
    for form in ("decisions", "engine"):
        words = ("runs", "states", "decisions", "writes", "virtual seconds")
        told = ", ".join(f"{explored[f'{form} {word}']:,} {word}" for word in words)
        terminalreporter.line(f"{form}: {told}")
    terminalreporter.line(f"{seconds:.1f} s in all")
    for case, seed in terminalreporter.config.stash.get(SEEDS, {}).items():
        terminalreporter.line(f"{case}: --hypothesis-seed={seed}")
