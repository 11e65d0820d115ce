"""No weight rises past a pause or a hold of the analysis without a command or evidence, for any
edit, loss or outage at any time (R12, R18)."""

from __future__ import annotations

import pytest

from simulation.pause_adversary import PauseAdversary


class PauseInvariant(PauseAdversary):
    pass


TestPauses = pytest.mark.rule("R12", "R16", "R17", "R18")(PauseInvariant.TestCase)
