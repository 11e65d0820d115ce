"""A followed alias that moves at random moments, against everything that may happen (R26)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.adversary import Adversary
from simulation.frame import SHORT
from simulation.kubelet import FAULTS, PodBehavior
from simulation.operators import Deciding, Operator
from simulation.registry import Registry, result

RESULTS = st.sampled_from((1, 2, 3))


class FollowedDecisions(Adversary):
    """The decisions alone, with a registry whose alias moves, flaps, and cannot be reached."""

    form = "decisions"

    def make(self) -> Operator:
        self.registry = Registry()
        return Deciding(self.loop, self.world, registry=self.registry)

    @initialize(
        scaling=st.sampled_from(sorted(specs.SCALINGS)),
        strategy=st.sampled_from(specs.STRATEGIES),
        steps=st.sampled_from(sorted(specs.STEPS)),
        underway=st.sampled_from((None, 40.0, 50.0, 80.0)),
    )
    def begin(  # type: ignore[override]
        self, scaling: str, strategy: str, steps: str, underway: float | None
    ) -> None:
        """A first version and, except for runs that begin from nothing, a second result."""
        self.wanted = {"scaling": scaling, "strategy": strategy, "steps": steps, "alias": True}
        self.world.apply(specs.spec(**self.wanted))
        self.operator.start()
        if underway:
            self.let(12.0)
            self.registry.version = 2
            self.let(underway)

    @rule(version=RESULTS, after=st.sampled_from((1.0, 8.0, 40.0, 70.0)))
    def alias_moves(self, version: int, after: float) -> None:
        self.registry.version = version
        self.let(after)

    @rule(versions=st.lists(RESULTS, min_size=2, max_size=6))
    def alias_flaps(self, versions: list[int]) -> None:
        for version in versions:
            self.registry.version = version
            self.let(2.0)

    @rule(version=RESULTS, after=SHORT)
    def webhook_reports_a_move(self, version: int, after: float) -> None:
        self.registry.version = version
        self.tokens += 1
        self.world.command("resolve", str(self.tokens))
        self.let(after)

    @rule(away=st.booleans(), latency=st.sampled_from((0.05, 3.0)), after=SHORT)
    def registry_is_away(self, away: bool, latency: float, after: float) -> None:
        self.registry.away, self.registry.latency = away, latency
        self.let(after)

    @rule(version=RESULTS, fault=st.sampled_from((None, *FAULTS)))
    def result_behaves(self, version: int, fault: str | None) -> None:
        self.world.kubelet.behaviors[result(version)] = PodBehavior(2.0, fault)
        self.world.nudge()

    @invariant()
    def only_results_of_the_registry_run(self) -> None:
        for deployment in self.world.server.all(resources.DEPLOYMENTS, labels.MODEL):
            assert _resolved(deployment["spec"]["template"]) in self.registry.answered

    def calm(self) -> None:
        self.registry.away, self.registry.latency = False, 0.05
        super().calm()

    def arrived(self) -> None:
        """No result is skipped: what the alias names now is stable, or has failed."""
        super().arrived()
        target = self.target()
        (record,) = (
            r
            for r in self.world.server.all(resources.RECORDS)
            if r["metadata"]["labels"][labels.REVISION] == target
        )
        assert record["data"]["identity"]["resolved"] == self.registry.uri


def _resolved(template: dict[str, Any]) -> str | None:
    found: str | None = template["metadata"].get("annotations", {}).get(labels.RESOLVED)
    return found


TestFollowedDecisions = pytest.mark.rule("R9", "R10", "R11", "R18", "R26")(
    FollowedDecisions.TestCase
)
