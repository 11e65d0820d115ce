"""A simulated cluster whose events a test states step by step."""

from __future__ import annotations

from typing import Any

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.clock import VirtualLoop
from simulation.invariants import Invariants
from simulation.operators import Deciding
from simulation.world import World


class Scenario:
    """A world and the decisions about it; a test states what happens next."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.world = World(self.loop)
        self.checks = Invariants(self.world)
        self.operator = Deciding(self.loop, self.world)

    def apply(self, seconds: float, **settings: Any) -> None:
        self.world.apply(specs.spec(**settings))
        self.operator.start()
        self.operator.advance(seconds)

    def floors(self) -> dict[str, int]:
        """The autoscalers' minimum by revision."""
        return {
            a["metadata"]["labels"][labels.REVISION]: a["spec"]["minReplicas"]
            for a in self.world.server.all(resources.AUTOSCALERS)
        }

    def revision(self, name: str) -> str:
        revision: str = self.world.status()[name]["revision"]
        return revision
