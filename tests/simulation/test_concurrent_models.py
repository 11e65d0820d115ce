"""Several models at once: what one of them needs must not wait for what another one does not."""

from __future__ import annotations

from typing import Any

import pytest

from canarium import API_VERSION, KIND
from canarium.kube import resources
from simulation import specs
from simulation.clock import VirtualLoop
from simulation.operators import Deciding
from simulation.server import OPERATOR, PERSON, Write
from simulation.world import NAMESPACE, World

MODELS = ("a", "b", "c")


@pytest.mark.rule("R8", "R9")
def test_all_failed_candidates_lose_their_traffic_before_the_first_status_write() -> None:
    loop = VirtualLoop()
    world = World(loop)
    operator = Deciding(loop, world)
    for name in MODELS:
        meta = {"namespace": NAMESPACE, "name": name}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": specs.spec()}
        world.server.create(resources.MODELS, body, PERSON)
    operator.start()
    operator.advance(12.0)
    for name in MODELS:
        model = world.server.get(resources.MODELS, (NAMESPACE, name))
        spec = specs.spec("v2", steps="manual")
        world.server.replace(resources.MODELS, (NAMESPACE, name), {**model, "spec": spec}, PERSON)
    operator.advance(12.0)
    for name in MODELS:
        candidate = _status(world, name)["candidate"]["revision"]
        for pod in world.pods(candidate):
            world.kubelet.strike(pod, "crashes")

    written: list[tuple[str, str]] = []

    def see(write: Write) -> None:
        if write.resource in (resources.SERVICES, resources.MODELS) and write.actor != PERSON:
            written.append((write.resource.plural, write.key[1]))

    world.server.observers.append(see)
    operator.advance(0.5)
    assert {kind for kind, _ in written[:3]} == {"services"}
    assert {name for _, name in written[:3]} == set(MODELS)
    for name in MODELS:
        status = _status(world, name)
        assert status["phase"] in ("RollingBack", "RolledBack")
        assert status["failure"]["reason"] == "ServerExited"
        assert status["failure"]["pod"]
    operator.advance(30.0)
    verdicts = [
        record["metadata"]["annotations"].get("canarium.dev/verdict")
        for record in world.server.all(resources.RECORDS)
        if record["data"]["model"]["version"] == "v2"
    ]
    assert verdicts == ["Quarantined"] * len(MODELS)
    operator.kill()
    loop.close()


def test_all_models_have_their_deployments_before_the_first_status_write() -> None:
    loop = VirtualLoop()
    world = World(loop)
    operator = Deciding(loop, world)
    written: list[tuple[str, str]] = []

    def see(write: Write) -> None:
        if write.actor == OPERATOR:
            written.append((write.resource.plural, write.key[1].split("-")[0]))

    world.server.observers.append(see)
    for name in MODELS:
        meta = {"namespace": NAMESPACE, "name": name}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": specs.spec()}
        world.server.create(resources.MODELS, body, PERSON)
    operator.start()
    operator.advance(30.0)
    kinds_of = [kind for kind, _ in written]
    first = kinds_of.index("modeldeployments")
    assert kinds_of[:first].count("deployments") == len(MODELS)
    assert kinds_of.count("modeldeployments") <= 2 * len(MODELS)
    assert kinds_of.count("events") == len(MODELS)
    assert [_status(world, name)["phase"] for name in MODELS] == ["Ready"] * len(MODELS)
    operator.kill()
    loop.close()


@pytest.mark.rule("R16")
def test_command_is_in_the_status_before_the_record_marks_it_as_used() -> None:
    loop = VirtualLoop()
    world = World(loop)
    operator = Deciding(loop, world)
    for name in MODELS:
        meta = {"namespace": NAMESPACE, "name": name}
        spec = specs.spec(steps="manual")
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec}
        world.server.create(resources.MODELS, body, PERSON)
    operator.start()
    operator.advance(12.0)
    used: list[str] = []

    def see(write: Write) -> None:
        after = write.after or {}
        notes = after.get("metadata", {}).get("annotations") or {}
        if write.resource is resources.RECORDS and notes.get("canarium.dev/commands"):
            name = after["metadata"]["ownerReferences"][0]["name"]
            assert _status(world, name)["commands"], "used, and not reported"
            used.append(name)

    world.server.observers.append(see)
    for name in MODELS:
        revision = _status(world, name)["stable"]["revision"]
        patch = {"metadata": {"annotations": {"canarium.dev/pause": f"{revision}/1"}}}
        world.server.merge(resources.MODELS, (NAMESPACE, name), patch, PERSON)
    operator.advance(5.0)
    assert sorted(set(used)) == list(MODELS)
    operator.kill()
    loop.close()


def _status(world: World, name: str) -> dict[str, Any]:
    return world.server.get(resources.MODELS, (NAMESPACE, name))["status"]
