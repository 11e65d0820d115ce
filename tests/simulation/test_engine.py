"""The whole engine against everything that may happen, with a network between (R18, R19)."""

from __future__ import annotations

import pytest

from simulation.adversary import Adversary
from simulation.gateway_adversary import GatewayAdversary
from simulation.network import Network


class WholeEngine(Network, Adversary):
    pass


class RoutedEngine(Network, GatewayAdversary):
    pass


TestWholeEngine = pytest.mark.rule(
    "R0", "R4", "R5", "R8", "R9", "R10", "R14", "R18", "R19", "R23", "R24"
)(WholeEngine.TestCase)

TestRoutedEngine = pytest.mark.rule(
    "R0", "R4", "R5", "R6", "R8", "R9", "R10", "R12", "R14", "R18", "R19", "R23", "R24"
)(RoutedEngine.TestCase)
