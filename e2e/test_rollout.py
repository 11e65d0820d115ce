"""The main job on real pods, with a client that asks the whole time."""

from __future__ import annotations

import time

import pytest

from support.model import World, restarts

rule = pytest.mark.rule
#: Seconds from a crash to the last answer of the candidate, endpoints and kube-proxy included.
OFF_WITHIN = 3.0


@rule("R3", "R5", "R6", "R14")
def test_good_version_is_promoted_step_by_step(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    world.apply("v2")
    status = world.until(lambda s: s.get("weight") == 25, "weight 25")
    revision = status["candidate"]["revision"]
    began = time.monotonic() + 1
    time.sleep(3)
    seen = client.since(began)
    assert 0.05 < seen["v2"] / seen.total() < 0.5, seen
    world.until(lambda s: s.get("weight") == 50, "weight 50")
    canary = {p["metadata"]["uid"] for p in world.pods(revision)}
    world.phase("Ready", "v2")
    pods = world.pods(revision)
    assert canary == {p["metadata"]["uid"] for p in pods}
    assert restarts(pods) == 0
    time.sleep(1)
    assert set(client.since(time.monotonic() - 1)) == {"v2"}
    assert client.failed() == 0, client.faults()


@rule("R4", "R7", "R9")
def test_version_that_cannot_load_never_gets_a_request(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    world.apply("v3")
    status = world.phase("RolledBack")
    assert status["failure"]["reason"] == "ServerExited"
    assert "code 0" in status["failure"]["message"]
    world.apply("v3")
    time.sleep(2)
    assert set(client.since(0)) == {"v1"}
    world.apply("v5")
    world.phase("Ready", "v5")
    assert client.failed() == 0, client.faults()


@rule("R7", "R8")
def test_version_that_crashes_under_traffic_is_rolled_back(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    steps = {"steps": [{"weight": 50, "pause": "60s"}], "bakeTime": "3s"}
    world.apply("v4", rollout=steps)
    status = world.until(lambda s: s.get("weight") == 50, "weight 50")
    time.sleep(1)
    crashed = world.crash(status["candidate"]["revision"])
    world.phase("RolledBack")
    # kube-proxy gathers changes for a second; the candidate answers until every rule is new.
    time.sleep(max(0.0, crashed + OFF_WITHIN + 1 - time.monotonic()))
    assert set(client.since(crashed + OFF_WITHIN)) == {"v1"}
    # Until every rule is new, a connection may be routed to the deleted pod; stable loses none.
    assert all(a.at - crashed < OFF_WITHIN for a in client.answers if a.version is None)


@rule("R19")
def test_serving_continues_while_the_operator_is_down(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    world.apply("v2")
    world.until(lambda s: s.get("weight") == 25, "weight 25")
    scale = ("-n", "canarium", "scale", "deployment/canarium", "--replicas")
    world.sandbox.kubectl(*scale, "0")
    # Longer than all the steps that are left: 25 and 50, four seconds each.
    time.sleep(12)
    world.sandbox.kubectl(*scale, "1")
    world.phase("Ready", "v2", seconds=90)
    assert client.failed() == 0, client.faults()
