"""A GRPCRoute on a real gateway: a server that speaks gRPC, asked over one kept connection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.gateway import EnvoyGateway, Gateway
from support.gateway_models import condition, marked
from support.grpc_client import HOST, Speaker, spoken
from support.grpc_wire import PORT
from support.models import Models

rule = pytest.mark.rule
pytestmark = pytest.mark.needs("gateway")
#: Calls at each weight.
COUNT = 1000
#: Standard deviations of a binomial count that chance exceeds once in 16,000 tests.
WITHIN = 4.0
STEPS = [{"weight": weight, "pause": "Manual"} for weight in (0, 10, 50)]


@pytest.fixture(scope="module")
def models(node: Sandbox) -> Iterator[Models]:
    models = Models(node, "spoken")
    try:
        models.apply({"spoken": spoken("v1")})
        yield models
    finally:
        models.end()


@pytest.fixture(scope="module")
def speaker(models: Models, gateway: Callable[[], Gateway | EnvoyGateway]) -> Iterator[Speaker]:
    """A caller of version 1, which is live."""
    target = gateway().target
    models.until(
        "spoken",
        lambda s: s["phase"] == "Ready" and condition(s)[0] == "True",
        "accepted route",
        seconds=120,
    )
    port = models.forward(target).rpartition(":")[2]
    speaker = Speaker(HOST, int(port))
    try:
        models.eventually(speaker.answers, True)
        yield speaker
    finally:
        speaker.stop()


@rule("R4", "R5", "R6", "R14")
def test_calls_of_one_connection_are_split_one_by_one_and_none_fails(
    models: Models, speaker: Speaker, figures: Any
) -> None:
    speaker.keep_calling(rate=50)
    health = {"title": "health", "grpc": {"port": PORT}}
    models.apply({"spoken": spoken("v2", steps=STEPS, smokeTests=[health])})

    held = models.until(
        "spoken", lambda s: s.get("waitingFor", {}).get("reason") == "Manual", "weight 0"
    )
    candidate = held.status["candidate"]["revision"]
    # Envoy Gateway reports a route as accepted some milliseconds before Envoy applies it.
    header = {"x_canarium_revision": "candidate"}
    models.eventually(lambda: set(speaker.burst(1, **header).versions), {"v2"})
    direct = speaker.burst(100, x_story="asked", **header)
    assert (direct.versions, direct.faults) == ({"v2": 100}, [])
    others = speaker.burst(100, x_story="others")
    assert (others.versions, others.faults) == ({"v1": 100}, [])
    assert marked(models, "spoken", candidate) == {"asked": 100}

    models.order("spoken", "promote", candidate, "on")
    for weight in (10, 50):
        models.effective("spoken", weight)
        calls = speaker.burst(COUNT)
        share = weight / 100
        chance = math.sqrt(COUNT * share * (1 - share))
        figures(
            "split by requests",
            wanted=f"{weight} %",
            candidate=calls.versions["v2"],
            requests=f"{calls.total} by gRPC",
            chance=f"± {chance:.1f}",
        )
        assert calls.faults == []
        assert abs(calls.versions["v2"] - COUNT * share) <= WITHIN * chance, calls.versions
        # The header names the same version as the server itself.
        assert calls.header_versions == calls.versions
        models.order("spoken", "promote", candidate, f"at-{weight}")

    models.phase("spoken", "Ready", "v2")
    last = speaker.burst(50)
    assert (last.versions, last.faults) == ({"v2": 50}, [])
    assert speaker.failed() == []
    sent = len(speaker.replies) + 2 * COUNT + 250
    figures("failed requests", what="canary and promotion by gRPC", requests=sent, failed=0)
