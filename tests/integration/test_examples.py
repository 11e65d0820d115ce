"""The API server accepts every example unchanged, and each has the described result."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.api.uri import FORMS
from canarium.kube import resources
from canarium.render.runtime_catalog import built_in
from integration.conftest import Cluster
from sandbox.controlplane import ControlPlane

FOLDER = Path(__file__).parents[2] / "examples"
#: Examples with separate tests, some of them in e2e/gitops and tests/supply.
_SEPARATE = ("argocd", "environments", "monitoring", "pipelines", "registry-webhook")
_OTHERS = {FOLDER / name for name in _SEPARATE}
#: Their references move: nothing is deployed until a registry has resolved them. The server of the
#: first is started by e2e/test_demo.py.
_MOVING = {"fraud-registry", "fetch-oci"}
EXAMPLES = sorted(p for p in FOLDER.rglob("*.yaml") if not _OTHERS & {*p.parents})


@pytest.mark.parametrize("example", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_example_states_what_it_needs(example: Path) -> None:
    header = re.match(r"(#.*\n)+", example.read_text())
    assert header
    assert re.search(r"(?m)^# Needs: \w", header[0])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_applies(plane: ControlPlane, example: Path) -> None:
    said = plane.kubectl("apply", "--dry-run=server", "-f", str(example))
    assert "created (server dry run)" in said


def test_there_is_an_example_for_every_scheme_and_every_runtime() -> None:
    schemes = {path.stem.removeprefix("fetch-") for path in FOLDER.glob("fetch-*.yaml")}
    assert set(FORMS) - {"https"} <= schemes
    assert set(built_in()) <= {path.stem for path in FOLDER.glob("runtimes/*.yaml")}


def documents(example: Path) -> list[dict[str, Any]]:
    """Objects of an example under a unique name, since several examples use the same one."""
    found = list(yaml.safe_load_all(example.read_text()))
    for body in found:
        if body["kind"] == "ModelDeployment":
            body["metadata"] = {"name": example.stem}
    return found


@pytest.mark.rule("R2")
async def test_every_example_is_carried_out(cluster: Cluster) -> None:
    """Each in one cluster: from the runtime that it names to a Deployment, whose pods start."""
    items = [body for example in EXAMPLES for body in documents(example)]
    whole = {"apiVersion": "v1", "kind": "List", "items": items}
    words = ("-n", cluster.namespace, "apply", "-f", "-")
    # In a thread, so that the simulated node keeps running.
    await asyncio.to_thread(cluster.plane.kubectl, *words, stdin=json.dumps(whole))
    there = {i["metadata"]["name"] for i in items if i["kind"] == "ModelDeployment"}
    # The web server of the demo models, and their client, have none.
    assert len(there) == len(EXAMPLES) - 2
    try:
        await deployed(cluster, there - _MOVING)
    finally:
        words = ("-n", cluster.namespace, "delete", "modeldeployment", "--all", "--wait=false")
        cluster.plane.kubectl(*words)


async def deployed(cluster: Cluster, there: set[str]) -> None:
    """Waits until each model has a Deployment."""
    for _ in range(300):
        made = {
            one["metadata"]["labels"]["canarium.dev/model"]
            for one in await cluster.children(resources.DEPLOYMENTS)
        }
        if made == there:
            return
        await asyncio.sleep(0.1)
    said = {n: (await cluster.model(n)).get("status", {}).get("message") for n in there - made}
    raise AssertionError(json.dumps(said, indent=1))
