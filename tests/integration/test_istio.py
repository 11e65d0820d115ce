"""Router `Istio` with the CRD of Istio's own, from its Go module (Apache-2.0)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.kube import resources
from integration.conftest import ROOT, Cluster
from sandbox import golang
from sandbox.progress import Progress

rule = pytest.mark.rule
MODULE = Path(__file__).parent / "istio"
FAST = {"steps": [{"weight": 0}, {"weight": 30}], "bakeTime": "500ms", "scaleDownDelay": "500ms"}
TRAFFIC = {
    "router": "Istio",
    "istio": {
        "gateways": ["istio-system/public", "mesh"],
        "hosts": ["models.example.org"],
        "pathPrefix": "/fraud",
        "rewritePrefix": "/",
        "timeout": "1m30.5s",
        "mirror": {"percent": 20},
    },
}


def install(cluster: Cluster, *plurals: str) -> None:
    """Kinds of Istio's, with the schemas that it ships."""
    command = [golang.go(MODULE, Progress()), "mod", "download", "-json", "istio.io/api"]
    found = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=True)
    folder = Path(json.loads(found.stdout)["Dir"]) / "kubernetes"
    text = (folder / "customresourcedefinitions.gen.yaml").read_text()
    names = [f"{plural}.networking.istio.io" for plural in plurals]
    crds = [d for d in yaml.safe_load_all(text) if d and d["metadata"]["name"] in names]
    listed = {"apiVersion": "v1", "kind": "List", "items": crds}
    cluster.plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))
    cluster.plane.api.await_definitions(*names)


@rule("R5", "R14")
async def test_version_goes_through_by_a_virtual_service_that_istios_schema_takes(
    cluster: Cluster,
) -> None:
    install(cluster, "virtualservices")
    cluster.apply("1", traffic=TRAFFIC, rollout=FAST)
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    live = await cluster.client.get(resources.VIRTUAL_SERVICES, cluster.namespace, "fraud")
    (only,) = live["spec"]["http"]
    assert _weights(only) == {f"fraud-{first}": 100}
    cluster.apply("2", traffic=TRAFFIC, rollout=FAST)
    second = (await cluster.phase("Ready", "2"))["stable"]["revision"]
    live = await cluster.client.get(resources.VIRTUAL_SERVICES, cluster.namespace, "fraud")
    assert _weights(live["spec"]["http"][-1])[f"fraud-{second}"] == 100
    assert live["metadata"]["annotations"]["canarium.dev/stable"] == second
    assert live["spec"]["http"][-1]["timeout"] == "90.5s"


async def test_rule_for_connections_that_the_docs_show_is_taken_and_left_alone(
    cluster: Cluster,
) -> None:
    install(cluster, "virtualservices", "destinationrules")
    page = (ROOT / "docs" / "guides" / "traffic.md").read_text()
    (rule,) = (b for b in re.findall(r"(?ms)^```yaml\n(.*?)^```", page) if "DestinationRule" in b)
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "--server-side", "-f", "-", stdin=rule)
    ask = ("-n", cluster.namespace, "get", "destinationrule", "models", "-o", "json")
    before = json.loads(cluster.plane.kubectl(*ask))
    cluster.apply("1", traffic=TRAFFIC, rollout=FAST)
    await cluster.phase("Ready", "1")
    cluster.apply("2", traffic=TRAFFIC, rollout=FAST)
    await cluster.phase("Ready", "2")
    assert json.loads(cluster.plane.kubectl(*ask)) == before


def _weights(route: dict[str, Any]) -> dict[str, int]:
    return {to["destination"]["host"]: to.get("weight", 0) for to in route["route"]}
