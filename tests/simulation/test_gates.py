"""No weight rises past a gate without an approval, for any edit, loss or outage at any time
(R27)."""

from __future__ import annotations

import pytest

from simulation.gate_adversary import GateAdversary


class GateStories(GateAdversary):
    pass


TestExternalGates = pytest.mark.rule("R12", "R18", "R27")(GateStories.TestCase)
