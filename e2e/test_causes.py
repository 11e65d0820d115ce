"""Causes of failure that Kubernetes itself shows, all at the same time on a real node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Sandbox
from story.client import Client
from story.model import World

_SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "no-such", "key": "k"}}}


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
def test_cause_is_named_and_serving_goes_on(
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
