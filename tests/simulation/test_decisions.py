"""The decisions alone against everything that may happen (R0 to R25 where no I/O is needed)."""

from __future__ import annotations

from simulation.adversary import Adversary
from simulation.operators import Deciding, Operator


class Decisions(Adversary):
    form = "decisions"

    def make(self) -> Operator:
        return Deciding(self.loop, self.world)


TestDecisions = Decisions.TestCase
