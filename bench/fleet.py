"""Fills a real API server with models and their children, without an operator: they have the specs
and the statuses of the samples."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.cluster.client import Body, Client

_SAMPLES = Path(__file__).parents[1] / "tests" / "unit" / "view" / "objects"
MODELS = "/apis/canarium.dev/v1alpha1"
#: Kinds of children, with their place in the API.
_CHILDREN = {
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
}
NAMESPACES = 20
#: Requests in flight.
_SLOTS = 30


def place(index: int) -> tuple[str, str]:
    """The namespace and the name of a model by its number."""
    return f"team-{index % NAMESPACES}", f"m-{index}"


def samples() -> list[list[Body]]:
    """The objects of each sample, the model first."""
    listed = []
    for path in sorted(_SAMPLES.glob("*.json")):
        items = json.loads(path.read_text())["items"]
        listed.append(sorted(items, key=lambda one: one["kind"] != "ModelDeployment"))
    return listed


async def fill(client: Client, models: int, *, children: str = "") -> None:
    """Creates the models in 20 namespaces, with statuses; those in the namespace `children` also
    with records, Deployments, Services and pods, which no controller touches. Raises Refused."""
    sampled, slots = samples(), asyncio.Semaphore(_SLOTS)
    for number in range(NAMESPACES):
        await client.post("/api/v1/namespaces", {"metadata": {"name": f"team-{number}"}})

    async def one(index: int) -> None:
        model, *others = sampled[index % len(sampled)]
        namespace, name = place(index)
        head = {"metadata": {"name": name, "namespace": namespace}, "spec": model["spec"]}
        async with slots:
            body = {"apiVersion": model["apiVersion"], "kind": model["kind"], **head}
            await client.post(f"{MODELS}/namespaces/{namespace}/modeldeployments", body)
            await client.merge(status_path(index), {"status": model["status"]})
            for other in others if namespace == children else ():
                if other["kind"] in _CHILDREN:
                    group, plural = _CHILDREN[other["kind"]]
                    child = _child(other, model["metadata"]["name"], name)
                    await client.post(f"{group}/namespaces/{namespace}/{plural}", child)

    await asyncio.gather(*(one(index) for index in range(models)))


def status_path(index: int) -> str:
    """The path of the status of a model by its number."""
    namespace, name = place(index)
    return f"{MODELS}/namespaces/{namespace}/modeldeployments/{name}/status"


def _child(sample: Mapping[str, Any], of: str, name: str) -> Body:
    """A child of a sample as a child of the model `name`."""
    meta, spec = sample["metadata"], sample.get("spec")
    if spec and sample["kind"] == "Service":
        # Addresses of Services take the API server ten times as long, and nothing uses them here.
        spec = {"selector": spec["selector"], "ports": spec["ports"], "clusterIP": "None"}
    more = {key: sample[key] for key in ("data", "revision") if key in sample}
    return {
        "apiVersion": sample["apiVersion"],
        "kind": sample["kind"],
        "metadata": {
            "name": meta["name"].replace(of, name, 1),
            "labels": {**meta.get("labels", {}), "canarium.dev/model": name},
        },
        **({"spec": spec} if spec else {}),
        **more,
    }
