"""Causes of failure that Kubernetes itself shows, all at the same time on a real node."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Sandbox
from support.client import Client
from support.clusters.needs import unoffered
from support.model import World

_SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "no-such", "key": "k"}}}

_VOLUME = {"name": "s", "mountPath": "/s", "source": {"secret": {"secretName": "no-such"}}}


@dataclass(frozen=True)
class Bad:
    """A version that fails, with the words that its failure must hold."""

    reason: str
    tag: str
    spec: dict[str, Any]
    words: str = ""


BAD = {
    "memory": Bad("OOMKilled", "hungry", {"resources": {"limits": {"memory": "64Mi"}}}),
    "gpu": Bad(
        "Unschedulable",
        "v2",
        {
            "resources": {"limits": {"example.com/gpu": 1}},
            "rollout": {"unschedulableDeadline": "3s"},
        },
        "example.com/gpu",
    ),
    "secret": Bad(
        "ConfigError",
        "v2",
        {"podTemplate": {"spec": {"containers": [{"name": "server", "env": [_SECRET]}]}}},
        "no-such",
    ),
    # I8: only the pod's Events show it.
    "volume": Bad(
        "ConfigError",
        "v2",
        {"pod": {"volumes": [_VOLUME]}},
        'secret "no-such" not found',
    ),
    "image": Bad("ImagePullFailed", "no-such", {}, "canarium.dev/story:no-such"),
}


@pytest.fixture(scope="module")
def begun(node: Sandbox) -> Iterator[dict[str, tuple[World, Client]]]:
    """By name, a world whose first version serves and is asked, and whose second one fails."""
    worlds = {name: World(node, f"cause-{name}") for name in BAD}
    try:
        for world in worlds.values():
            world.apply("v1")
        clients = {}
        for name, world in worlds.items():
            world.phase("Ready", "v1")
            clients[name] = world.ask_all_the_time()
        for name, bad in BAD.items():
            worlds[name].apply(bad.tag, **bad.spec)
        yield {name: (world, clients[name]) for name, world in worlds.items()}
    finally:
        for world in worlds.values():
            world.end()


@pytest.mark.rule("R7", "R21")
@pytest.mark.parametrize("name", BAD)
def test_cause_is_named_and_serving_continues(
    begun: dict[str, tuple[World, Client]], name: str, figures: Callable[..., None]
) -> None:
    world, client = begun[name]
    # An image that cannot be pulled has a minute of grace.
    failure = world.phase("RolledBack", seconds=120)["failure"]
    assert failure["reason"] == BAD[name].reason
    assert BAD[name].words in failure["message"]
    assert set(client.since(0)) == {"v1"}
    assert client.failed() == 0, client.faults()
    figures("requests on real pods", case=BAD[name].reason, sent=len(client.answers), failed=0)


_ENDS_ONCE = """
import os, sys, time
if not os.path.exists("/m/x"):
    open("/m/x", "w").close()
    time.sleep(2)
    sys.exit(1)
time.sleep(1e6)
"""


# I5
@pytest.mark.rule("R7", "R15")
def test_sidecar_that_exits_once_fails_nothing(node: Sandbox) -> None:
    world = World(node, "cause-sidecar")
    try:
        world.apply("v1", scaling={"replicas": 1})
        world.phase("Ready", "v1")
        proxy = {
            "name": "proxy",
            "image": "canarium.dev/story:v1",
            "command": ["python3", "-c", _ENDS_ONCE],
            "volumeMounts": [{"name": "m", "mountPath": "/m"}],
        }
        pod = {"containers": [proxy], "volumes": [{"name": "m", "emptyDir": {}}]}
        world.apply("v2", scaling={"replicas": 1}, podTemplate={"spec": pod})
        status = world.phase("Ready", "v2", seconds=90)
        revision = status["stable"]["revision"]
        statuses = world.pods(revision)[0]["status"]["containerStatuses"]
        assert {c["name"]: c["restartCount"] for c in statuses} == {"server": 0, "proxy": 1}
    finally:
        world.end()


# C4, I8
@pytest.mark.rule("R7", "R29")
def test_full_quota_is_named_within_seconds_and_the_rollout_continues_when_it_grows(
    node: Sandbox, figures: Callable[..., None]
) -> None:
    world = World(node, "cause-quota")
    try:
        # The first version has the default deadline: on a busy machine its pods need more than 5 s.
        world.apply("v1", rollout={"bakeTime": "1s"})
        world.phase("Ready", "v1")
        world.kubectl("create", "quota", "q", "--hard=pods=3")
        world.apply("v2", rollout={"progressDeadline": "5s", "bakeTime": "1s"})
        words, began = "exceeded quota: q", time.monotonic()
        status = world.until(lambda s: words in s["message"], "word of the quota", seconds=10)
        named = time.monotonic() - began
        assert status["waitingFor"]["reason"] == "PodCreationFailed"
        (blocked,) = (c for c in status["conditions"] if c["type"] == "PodsBlocked")
        assert words in blocked["message"]
        seen = world.kubectl(
            "get", "events", "--field-selector=reason=PodCreationFailed", "-o", "json"
        )
        assert words in seen
        # Twice the progress deadline: it stands still.
        time.sleep(10)
        assert world.model()["status"]["phase"] == "Progressing"
        # The default deadline: on a busy machine pods that may start need more than 5 s.
        world.apply("v2", rollout={"bakeTime": "1s"})
        world.kubectl("patch", "quota", "q", "--type=merge", "-p", '{"spec":{"hard":{"pods":"9"}}}')
        grown = time.monotonic()
        world.until(
            lambda s: s.get("waitingFor", {}).get("reason") != "PodCreationFailed",
            "pods",
            seconds=60,
        )
        resumed = time.monotonic() - grown
        world.phase("Ready", "v2", seconds=60)
        figures("a full quota", named=f"{named:.1f} s", resumed=f"{resumed:.1f} s")
    finally:
        world.end()


# I10
@pytest.mark.rule("R29")
def test_autoscaler_without_a_metric_is_named_and_the_version_stays_ready(node: Sandbox) -> None:
    if node.get("/apis/metrics.k8s.io") is not None:
        unoffered("the test has an autoscaler without metrics, and this cluster serves them")
    world = World(node, "cause-autoscaler")
    try:
        world.apply("v1", scaling={"minReplicas": 1, "maxReplicas": 4})
        world.phase("Ready", "v1")

        def faults(status: dict[str, Any]) -> list[dict[str, Any]]:
            return [
                c
                for c in status["conditions"]
                if c["type"] == "AutoscalerReady" and c["status"] == "False"
            ]

        status = world.until(lambda s: bool(faults(s)), "word of the autoscaler", seconds=60)
        (fault,) = faults(status)
        assert fault["reason"] == "FailedGetResourceMetric"
        assert fault["message"] in status["message"]
        assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
        events = world.kubectl("get", "events", "--field-selector=type=Warning", "-o", "json")
        own = [e for e in json.loads(events)["items"] if e["involvedObject"]["name"] == "story"]
        assert "FailedGetResourceMetric" in {e["reason"] for e in own}
    finally:
        world.end()
