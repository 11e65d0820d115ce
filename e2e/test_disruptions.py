"""What happens to pods without being a fault of their version, on a real node."""

from __future__ import annotations

import time

import pytest

from story.model import World

rule = pytest.mark.rule


@rule("R7", "R25")
def test_readiness_that_flaps_is_borne_and_one_that_stays_bad_is_not(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    world.apply("v2", rollout={"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "3s"})
    revision = world.until(lambda s: s.get("weight") == 50, "weight 50")["candidate"]["revision"]
    for _ in range(3):
        world.unready(revision, 3)
        time.sleep(5)
    assert world.model()["status"]["weight"] == 50, "flaps within the grace change nothing"
    world.unready(revision, 60)
    failure = world.phase("RolledBack")["failure"]
    assert failure["reason"] == "ProbeFailed"
    assert failure["threshold"] == "10s"
    assert client.failed() == 0, client.faults()


@rule("R16", "R25")
def test_drained_node_mid_rollout_quarantines_nothing(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    world.apply("v2", rollout={"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "3s"})
    revision = world.until(lambda s: s.get("weight") == 50, "weight 50")["candidate"]["revision"]
    node = world.sandbox.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    chosen = f"canarium.dev/revision={revision}"
    try:
        # There is one node: the candidate's pods are drained from it, stable's stay.
        world.kubectl("drain", node, "--pod-selector", chosen, "--ignore-daemonsets")
        world.until(lambda s: s["candidate"]["readyReplicas"] == 0, "no ready pod of the candidate")
        time.sleep(12)
        assert world.model()["status"]["phase"] == "Progressing"
    finally:
        world.sandbox.kubectl("uncordon", node)
    world.until(lambda s: s["candidate"]["readyReplicas"] == 3, "the candidate's pods back")
    world.order("promote", revision, "after-the-drain")
    world.phase("Ready", "v2")
    assert client.failed() == 0, client.faults()
