"""No weight rises past a gate without an approval, for any edit, loss or outage at any time
(R27)."""

from __future__ import annotations

import pytest

from simulation.gate_adversary import GateAdversary, JobAdversary, _web


class GateStories(GateAdversary):
    pass


TestExternalGates = pytest.mark.rule("R12", "R18", "R27")(GateStories.TestCase)


class JobStories(JobAdversary):
    pass


TestJobGates = pytest.mark.rule("R18", "R25", "R27")(JobStories.TestCase)


@pytest.mark.rule("R27", "R29")
def test_pending_answer_is_published_within_seconds() -> None:
    run = GateAdversary()
    run.begin(
        gates=[_web("weight", "Weight", weight=50)],
        steps=[{"weight": 25, "pause": "1s"}, {"weight": 50, "pause": "1s"}],
        router="Service",
        scaling="three",
        underway=5.0,
    )
    status = run.world.status()
    run.close()
    assert (status["weight"], status["waitingFor"]["reason"]) == (25, "WaitingForGate")
    assert "https://risk.example answered that its decision is pending" in status["message"]


@pytest.mark.rule("R12", "R13", "R27")
def test_status_lost_while_the_candidate_serves_for_stable_passes_no_gate() -> None:
    """Found by the simulation: the traffic that it had in place of stable became its weight."""
    story = JobStories()
    gate = {"name": "weight", "before": "Weight", "job": {"image": "eval:1"}, "weight": 50}
    story.begin(gates=[gate], mode="passes", router="Gateway", underway=2.0)
    story.version_is_edited(after=0.1, version="v3")
    story.version_is_edited(after=0.1, version="v1")
    story.jobs_end(after=0.1, mode="passes", seconds=0.5)
    story.stable_is_replaced(after=0.5, back="v2")
    story.status_is_lost(part=None)
    story.jobs_end(after=0.1, mode="passes", seconds=0.5)
    story.no_rule_is_broken()
    assert story.world.status()["progress"]["granted"] == 0
    story.teardown()
