"""A world told step by step: what the adversary found, and what a policy refuses."""

from __future__ import annotations

from typing import Any

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.clock import VirtualLoop
from simulation.operators import Deciding
from simulation.witness import Witness
from simulation.world import World


class Story:
    """A world with the decisions in it, told step by step."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.world = World(self.loop)
        self.witness = Witness(self.world)
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

    def part(self, name: str) -> str:
        revision: str = self.world.status()[name]["revision"]
        return revision
