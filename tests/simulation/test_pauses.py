"""No weight rises past a pause or a hold of the analysis without an order or evidence, whatever is
edited, lost or down, and whenever (R12, R18)."""

from __future__ import annotations

import pytest

from simulation.pause_adversary import PauseAdversary


class PauseInvariant(PauseAdversary):
    pass


TestGates = pytest.mark.rule("R12", "R16", "R17", "R18")(PauseInvariant.TestCase)
