"""How much is explored: derandomized and bounded by default, at random and long each night."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from simulation.scenario import Scenario
from simulation.summary import SEEDS


@pytest.fixture
def scenario() -> Iterator[Scenario]:
    """A scenario in which no rule may have been broken by its end."""
    scenario = Scenario()
    yield scenario
    scenario.operator.kill()
    scenario.loop.close()
    assert not scenario.checks.violations


@pytest.fixture(autouse=True)
def same_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes derandomized runs independent of the tests that ran before in the same process.

    Hypothesis also draws constants of every module that is loaded, and has no setting for that.
    """
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()


#: Runs by size of the simulation and by test class, and the most steps of a run.
RUNS = {
    "test": {
        "TestDecisions": 150,
        "TestRoutedDecisions": 100,
        "TestWholeEngine": 40,
        "TestRoutedEngine": 20,
        "TestPauses": 60,
        "TestExternalGates": 20,
        "TestJobGates": 30,
        "TestFollowedDecisions": 50,
    },
    "nightly": {
        "TestDecisions": 20_000,
        "TestRoutedDecisions": 20_000,
        "TestWholeEngine": 5_000,
        "TestRoutedEngine": 5_000,
        "TestPauses": 20_000,
        "TestExternalGates": 20_000,
        "TestJobGates": 20_000,
        "TestFollowedDecisions": 10_000,
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
