"""The pages about moving from other tools: their manifests are valid, their fields exist.

e2e/test_adopting.py runs the commands of docs/guides/adopting.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
#: Page → the kinds of its manifests before the move, with their versions.
BEFORE = {
    "adopting": {"apps/v1/Deployment", "autoscaling/v2/HorizontalPodAutoscaler", "v1/Service"},
    "from-deployment": {"apps/v1/Deployment"},
    "from-argo-rollouts": {
        "argoproj.io/v1alpha1/Rollout",
        "argoproj.io/v1alpha1/AnalysisTemplate",
    },
    "from-kserve": {"serving.kserve.io/v1beta1/InferenceService"},
}
OURS = "canarium.dev/v1alpha1/ModelDeployment"
every_page = pytest.mark.parametrize("page", BEFORE)


def manifests(page: str) -> list[dict[str, Any]]:
    """Returns the complete objects in the YAML blocks of a page."""
    text = (GUIDES / f"{page}.md").read_text()
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```", text)
    return [body for block in blocks for body in yaml.safe_load_all(block)]


def kind(body: dict[str, Any]) -> str:
    return f"{body['apiVersion']}/{body['kind']}"


@every_page
def test_page_has_the_manifests_before_and_after(page: str) -> None:
    kinds = {kind(body) for body in manifests(page)}
    assert kinds == {*BEFORE[page], OURS}


@pytest.mark.parametrize("page", ["adopting", "from-deployment", "from-argo-rollouts"])
def test_model_of_the_page_runs_the_same_server(page: str) -> None:
    found = manifests(page)
    [model] = [body["spec"] for body in found if kind(body) == OURS]
    [workload] = [body["spec"] for body in found if body["kind"] in ("Deployment", "Rollout")]
    [server] = workload["template"]["spec"]["containers"]
    assert model["runtime"]["image"] == server["image"]
    assert model["runtime"]["port"] == server["ports"][0]["containerPort"]
    assert model["runtime"]["readiness"]["path"] == server["readinessProbe"]["httpGet"]["path"]
    assert model["resources"] == server["resources"]
    scaling = model["scaling"]
    assert scaling.get("replicas", scaling.get("minReplicas")) == workload["replicas"]


def schema() -> dict[str, Any]:
    """Returns the schema of `spec` of a ModelDeployment."""
    crd = yaml.safe_load((ROOT / "crds" / "modeldeployments.yaml").read_text())
    [version] = crd["spec"]["versions"]
    spec: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def named_fields(page: str, known: dict[str, Any]) -> Iterator[str]:
    """Yields the fields in the last column of the tables of a page, without `spec`: what begins
    with the name of a field of `known`."""
    for row in re.findall(r"(?m)^\|.*\|$", (GUIDES / f"{page}.md").read_text()):
        for text in re.findall(r"`([\w.\[\]]+)`", row.split(" | ")[-1]):
            path = text.removeprefix("spec.").replace("[]", "")
            if path.split(".")[0] in known:
                yield path


def exists(path: str, node: dict[str, Any]) -> bool:
    """Returns whether a field exists; below an open object, any does."""
    for name in path.split("."):
        node = node.get("items", node)
        if name not in node.get("properties", {}):
            return bool(node.get("x-kubernetes-preserve-unknown-fields"))
        node = node["properties"][name]
    return True


@pytest.mark.parametrize("page", [page for page in BEFORE if page != "adopting"])
def test_fields_that_replace_others_exist(page: str) -> None:
    spec = schema()
    paths = list(named_fields(page, spec["properties"]))
    assert len(paths) > 15
    assert [path for path in paths if not exists(path, spec)] == []
    assert not exists("rollout.historyLimit", spec)
