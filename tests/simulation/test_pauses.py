"""No weight rises past a pause or a hold of the analysis without a command or evidence, for any
edit, loss or outage at any time (R12, R18)."""

from __future__ import annotations

import pytest

from simulation.pause_adversary import PauseAdversary


class PauseInvariant(PauseAdversary):
    pass


TestPauses = pytest.mark.rule("R12", "R16", "R17", "R18")(PauseInvariant.TestCase)


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
