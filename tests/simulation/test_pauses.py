"""No weight rises past a pause or a hold of the analysis without a command or evidence, for any
edit, loss or outage at any time (R12, R18)."""

from __future__ import annotations

import pytest

from simulation.pause_adversary import PauseAdversary


class PauseStories(PauseAdversary):
    pass


TestPauses = pytest.mark.rule("R12", "R16", "R17", "R18")(PauseStories.TestCase)


@pytest.mark.rule("R12", "R13")
def test_version_that_took_over_waits_for_its_manual_pause() -> None:
    run = PauseAdversary()
    run.begin(
        steps=[{"weight": 50, "pause": "Manual"}],
        analysis=None,
        router="Service",
        scaling="three",
        underway=14.0,
    )
    run.stable_is_replaced("v2", 60.0)
    status, broken = run.world.status(), run.checks.violations
    run.close()
    assert not broken
    assert status["version"] == "v2"
    assert (status["phase"], status["waitingFor"]["reason"]) == ("Progressing", "Manual")


@pytest.mark.rule("R9", "R13")
def test_candidate_that_has_just_failed_does_not_start_to_serve_for_stable() -> None:
    """Found by a random run: after an outage of the operator, one decision sees stable without
    ready pods, and a candidate with ready pods and no traffic that has failed."""
    run = PauseAdversary()
    run.begin(
        steps=[{"weight": 25, "pause": "1s"}, {"weight": 50, "pause": "Manual"}],
        analysis=None,
        router="Gateway",
        scaling="one",
        underway=3.0,
    )
    run.model_is_scaled("five", 0.1)
    run.revision_is_struck("candidate", "never ready", 0.1)
    run.user_commands("promote-full")
    run.moments_pass(0.5)
    run.operator_is_killed(10.0)
    run.revision_is_struck("stable", "never ready", 90.0)
    run.record_is_edited("canarium.dev/stable")
    run.operator_starts()
    run.moments_pass(1.0)
    status, broken = run.world.status(), run.checks.violations
    run.close()
    assert not broken
    assert status["phase"] == "RolledBack"
