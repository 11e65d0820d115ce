"""What happens to pods without being a fault of their version, on a real node."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from support.account import Account
from support.clusters.needs import unoffered
from support.model import World

rule = pytest.mark.rule
PAUSED = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "300s"}
#: On the only node nothing could be started in place of an evicted pod, so a drain would wait.
UNPROTECTED = {"enabled": False}


@rule("R7", "R25")
def test_flapping_readiness_is_tolerated_and_failed_readiness_is_not(world: World) -> None:
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
def test_drained_node_during_a_rollout_quarantines_nothing(world: World) -> None:
    world.apply("v1", podDisruptionBudget=UNPROTECTED)
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()
    rollout = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "3s"}
    world.apply("v2", rollout=rollout, podDisruptionBudget=UNPROTECTED)
    revision = world.until(lambda s: s.get("weight") == 50, "weight 50")["candidate"]["revision"]
    with drained(world, revision):
        world.until(lambda s: s["candidate"]["readyReplicas"] == 0, "no ready pod of the candidate")
        time.sleep(12)
        assert world.model()["status"]["phase"] == "Progressing"
    world.until(lambda s: s["candidate"]["readyReplicas"] == 3, "the candidate's pods back")
    world.order("promote", revision, "after-the-drain")
    world.phase("Ready", "v2")
    assert client.failed() == 0, client.faults()


def only_node(world: World) -> str:
    """The name of the node; skips the test on a cluster that has several."""
    nodes = world.sandbox.kubectl("get", "nodes", "-o", "name").split()
    if len(nodes) > 1:
        unoffered(f"the test drains the only node, and this cluster has {len(nodes)}")
    return nodes[0].removeprefix("node/")


@contextlib.contextmanager
def drained(world: World, revision: str) -> Iterator[None]:
    """The node is drained of a revision's pods and takes no new ones meanwhile. There is one node:
    the pods of other revisions stay."""
    node = only_node(world)
    chosen = f"canarium.dev/revision={revision}"
    try:
        world.kubectl("drain", node, "--pod-selector", chosen, "--ignore-daemonsets")
        yield
    finally:
        world.sandbox.kubectl("uncordon", node)


@rule("R13", "R15", "R25")
def test_other_version_answers_while_the_node_of_stable_is_drained(
    world: World, figures: Callable[..., None]
) -> None:
    world.apply("v1", rollout=PAUSED, podDisruptionBudget=UNPROTECTED)
    world.phase("Ready", "v1")
    account = Account(world.ask_all_the_time(), figures, "Service")
    world.apply("v2", rollout=PAUSED, podDisruptionBudget=UNPROTECTED)
    status = world.until(lambda s: s.get("weight") == 50, "weight 50")
    first, second = status["stable"]["revision"], status["candidate"]["revision"]

    began = time.monotonic()
    with drained(world, first):
        status = world.until(lambda s: s.get("standby") == second, "standby")
        assert status["version"] == "v1", "who answers is not promoted by it"
    status = world.until(
        lambda s: s.get("standby") is None and s["stable"]["readyReplicas"] == 3, "v1 back"
    )
    assert (status["version"], status["weight"]) == ("v1", 50)
    account.of("pause: node of stable drained", began)

    world.order("promote", second, "after-the-drain")
    world.phase("Baking", "v2")
    began = time.monotonic()
    with drained(world, second):
        world.until(lambda s: s.get("standby") == first, "standby")
    status = world.until(
        lambda s: s.get("standby") is None and s["stable"]["readyReplicas"] == 3, "v2 back"
    )
    assert (status["phase"], status["version"]) == ("Baking", "v2")
    assert "failure" not in status
    account.of("bake: node of the new version drained", began)


@rule("R32")
def test_drain_evicts_one_pod_of_stable_at_a_time(world: World) -> None:
    world.apply("v1")
    revision = world.phase("Ready", "v1")["stable"]["revision"]
    client = world.ask_all_the_time()
    world.kubectl("rollout", "status", "deployment", f"story-{revision}", "--timeout=60s")
    node = only_node(world)
    chosen = f"canarium.dev/revision={revision}"
    words = ("drain", node, "--pod-selector", chosen, "--ignore-daemonsets", "--timeout=10s")
    try:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            world.kubectl(*words)
        # There is no second node for the pod that replaces the first one, so the drain waits.
        assert "disruption budget" in refused.value.stderr
        world.until(lambda s: s["stable"]["readyReplicas"] == 2, "two pods of stable")
        time.sleep(2)
        assert world.model()["status"]["stable"]["readyReplicas"] == 2
    finally:
        world.sandbox.kubectl("uncordon", node)
    world.until(lambda s: s["stable"]["readyReplicas"] == 3, "all pods of stable")
    assert client.failed() == 0, client.faults()
