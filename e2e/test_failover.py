"""Who answers while stable has no ready pod: real pods and endpoints, and callers all the time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from support.account import Account
from support.model import World

rule = pytest.mark.rule
BAKE = {"steps": [], "bakeTime": "300s"}
PAUSED = {"steps": [{"weight": 25, "pause": "Manual"}], "bakeTime": "3s"}


def slowly(tag: str) -> dict[str, Any]:
    """A server that takes twelve seconds to load."""
    return {
        "image": f"canarium.dev/story:{tag}",
        "readiness": {"path": "/ready", "periodSeconds": 1, "timeoutSeconds": 5},
        "env": [{"name": "STORY_LOADS", "value": "12"}],
    }


def recovered(world: World, seconds: float = 60) -> dict[str, Any]:
    return world.until(
        lambda s: s.get("standby") is None and s["stable"]["readyReplicas"] == 3,
        "recovery",
        seconds,
    )


@rule("R13", "R15", "R29")
def test_warm_version_serves_through_every_outage_of_the_bake(  # B1, B2, I2
    world: World, figures: Any
) -> None:
    world.apply("v1", rollout=BAKE)
    world.phase("Ready", "v1")
    account = Account(world.ask_all_the_time(), figures, "Service")
    world.apply("v2", rollout=BAKE, runtime=slowly("v2"))
    stable = world.phase("Baking", "v2")["stable"]["revision"]

    began = time.monotonic()
    world.kubectl("delete", "pods", "-l", f"canarium.dev/revision={stable}")
    status = world.until(lambda s: s.get("standby"), "standby")
    assert status["waitingFor"]["reason"] == "StableUnavailable"
    assert status["version"] == "v2"
    recovered(world)
    account.of("bake: all pods deleted, model loads 12 s", began)

    began = time.monotonic()
    world.kubectl("delete", "deployment", f"story-{stable}")
    world.until(lambda s: s.get("standby"), "standby")
    assert recovered(world)["phase"] == "Baking"
    account.of("bake: Deployment deleted", began)

    began = time.monotonic()
    for outage in (1, 2, 3):
        world.unready(stable, 5)
        if outage < 3:
            world.until(lambda s, n=outage: s.get("outages") == n, f"outage {outage}", 15)
            world.until(lambda s: s["stable"]["readyReplicas"] == 3, "readiness", 15)
    failure = world.phase("RolledBack", "v1", 30)["failure"]
    assert failure["reason"] == "RepeatedOutages"
    account.of("bake: readiness flaps until the promotion is undone", began, outages=3)


@rule("R8", "R11", "R13", "R15")
def test_candidate_serves_when_stable_fails(  # B3
    world: World, figures: Any
) -> None:
    world.apply("v1", rollout=PAUSED, runtime=slowly("v1"))
    world.phase("Ready", "v1")
    account = Account(world.ask_all_the_time(), figures, "Service")
    world.apply("v2", rollout=PAUSED)
    status = world.until(lambda s: s.get("weight") == 25, "weight 25")
    first, second = status["stable"]["revision"], status["candidate"]["revision"]

    began = time.monotonic()
    world.kubectl("delete", "pods", "-l", f"canarium.dev/revision={first}")
    world.until(lambda s: s.get("standby") == second, "standby")
    status = recovered(world)
    assert (status["version"], status["weight"]) == ("v1", 25)
    account.of("pause: all pods of stable deleted", began)

    began = time.monotonic()
    world.order("abort", second, "now")
    world.phase("RolledBack", "v1")
    account.of("rollback by abort", began)

    began = time.monotonic()
    world.apply("v4", rollout={**BAKE, "bakeTime": "60s"})
    third = world.phase("Baking", "v4")["stable"]["revision"]
    world.order("undo", third, "back")
    world.phase("RolledBack", "v1")
    account.of("undo", began)

    began = time.monotonic()
    world.apply("v5", rollout={**BAKE, "bakeTime": "2s"})
    world.phase("Ready", "v5")
    world.apply("v1", rollout={**BAKE, "bakeTime": "2s"}, runtime=slowly("v1"))
    world.phase("Ready", "v1")
    account.of("return to an older version", began)


@rule("R5", "R6")
def test_model_scaled_to_zero_at_a_pause_continues_at_the_pause(world: World) -> None:  # I4
    world.apply("v1", rollout=PAUSED, runtime=slowly("v1"))
    world.phase("Ready", "v1")
    world.apply("v2", rollout=PAUSED)
    world.until(lambda s: s.get("weight") == 25, "weight 25")
    world.kubectl("scale", "modeldeployment/story", "--replicas=0")
    world.until(
        lambda s: s["waitingFor"]["reason"] == "ScaledToZero" and not s["replicas"], "sleep"
    )
    world.kubectl("scale", "modeldeployment/story", "--replicas=3")
    woken = world.until(lambda s: s["waitingFor"]["reason"] == "Manual", "the pause")
    assert (woken["version"], woken["weight"]) == ("v1", 25)
