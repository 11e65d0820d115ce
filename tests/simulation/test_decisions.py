"""The decisions alone against everything that may happen (R0 to R25 where no I/O is needed)."""

from __future__ import annotations

import pytest

from simulation.adversary import Adversary
from simulation.gateway_adversary import GatewayAdversary
from simulation.operators import Deciding, Operator


class Decisions(Adversary):
    form = "decisions"

    def make(self) -> Operator:
        return Deciding(self.loop, self.world)


TestDecisions = pytest.mark.rule("R0", "R4", "R5", "R8", "R9", "R10", "R14", "R18", "R23", "R24")(
    Decisions.TestCase
)


class RoutedDecisions(GatewayAdversary):
    form = "decisions"

    def make(self) -> Operator:
        return Deciding(self.loop, self.world)


TestRoutedDecisions = pytest.mark.rule(
    "R0", "R4", "R5", "R6", "R8", "R9", "R10", "R12", "R14", "R18", "R23", "R24"
)(RoutedDecisions.TestCase)
