"""Runtimes and pods against a real API server: what is chosen, refused, and left as it is."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.kube import resources
from canarium.render.runtime_catalog import built_in
from integration.conftest import Cluster
from render import golden
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
SHIPPED = sorted((Path(__file__).parents[2] / "operator" / "canarium" / "runtimes").glob("*.yaml"))
PLAIN = {"image": "served:1", "readiness": {"path": "/ready"}}


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps(
        {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((c for c in status["conditions"] if c["type"] == kind), {})


async def invalid(cluster: Cluster, reason: str) -> str:
    """Waits for the reason of what is wrong; its message."""
    status = await cluster.until(
        lambda s: condition(s, "Ready").get("reason") == reason if "conditions" in s else False
    )
    assert status["phase"] == "Invalid"
    message: str = condition(status, "Ready")["message"]
    return message


@pytest.fixture(scope="session")
def strict(plane: ControlPlane) -> str:
    """A namespace that takes only pods of Pod Security's strictest level."""
    name = "restricted"
    plane.kubectl("create", "namespace", name)
    plane.kubectl("label", "ns", name, "pod-security.kubernetes.io/enforce=restricted")
    return name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_runtime_is_a_valid_object(plane: ControlPlane, path: Path) -> None:
    said = plane.kubectl("apply", "--dry-run=server", "-f", str(path))
    assert "created (server dry run)" in said


@pytest.mark.parametrize("name", sorted(built_in()))
def test_pods_of_a_shipped_runtime_are_admitted_at_the_restricted_level(
    plane: ControlPlane, strict: str, name: str
) -> None:
    template = copy.deepcopy(golden.rendered(name))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        **template,
        "metadata": {**template["metadata"], "name": "a"},
    }
    for _ in range(20):
        # A new namespace has its default service account a moment later.
        if "default" in plane.kubectl("-n", strict, "get", "serviceaccounts", "-o", "name"):
            break
        time.sleep(0.2)
    said = plane.kubectl(
        "-n", strict, "create", "--dry-run=server", "--validate=strict", "-f", "-",
        stdin=json.dumps(pod),
    )  # fmt: skip
    assert "created (server dry run)" in said


@rule("R1")
async def test_edited_runtime_changes_no_pod_until_the_model_asks_for_it(cluster: Cluster) -> None:
    kubectl = cluster.plane.kubectl
    first = manifest("ModelRuntime", "mine", {**PLAIN, "args": ["--model={{ model.name }}"]})
    kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=first)
    cluster.apply("1", runtime={"name": "mine"})
    await cluster.phase("Ready", "1")
    [before] = await cluster.children(resources.DEPLOYMENTS)
    assert before["spec"]["template"]["spec"]["containers"][0]["args"] == ["--model=fraud"]
    [record] = await cluster.children(resources.RECORDS)
    assert record["data"]["runtime"]["name"] == "mine"
    assert record["data"]["runtime"]["kind"] == "ModelRuntime"
    assert record["data"]["runtime"]["server"]["args"] == ["--model=fraud"]

    second = manifest("ModelRuntime", "mine", {**PLAIN, "args": ["--faster"]})
    kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=second)
    status = await cluster.until(lambda s: bool(condition(s, "RuntimeOutdated")))
    assert "change spec.restartToken" in condition(status, "RuntimeOutdated")["message"]
    assert condition(status, "Ready")["status"] == "True"
    [after] = await cluster.children(resources.DEPLOYMENTS)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]

    cluster.apply("1", runtime={"name": "mine"}, restartToken="newer")
    status = await cluster.until(
        lambda s: s.get("phase") == "Ready" and not condition(s, "RuntimeOutdated")
    )
    newest = [
        d
        for d in await cluster.children(resources.DEPLOYMENTS)
        if d["metadata"]["labels"]["canarium.dev/revision"] == status["stable"]["revision"]
    ]
    assert newest[0]["spec"]["template"]["spec"]["containers"][0]["args"] == ["--faster"]


@rule("R21")
async def test_unusable_runtime_is_reported_until_it_is_corrected(
    cluster: Cluster,
) -> None:
    def write(spec: dict[str, Any]) -> None:
        body = manifest("ModelRuntime", "mine", spec)
        cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=body)

    cluster.apply("1", runtime={"name": "mine"})
    assert "spec.runtime.name: there is no runtime mine" in await invalid(cluster, "UnknownRuntime")
    write({"image": "a:1"})
    assert "spec.runtime.readiness: ModelRuntime mine" in await invalid(cluster, "NoReadinessProbe")
    write({**PLAIN, "args": ["a", "{{ model.nmae }}"]})
    said = await invalid(cluster, "TemplateInvalid")
    assert "ModelRuntime mine.args[1]: line 1: model.nmae is undefined; there is " in said
    write({**PLAIN, "args": ["{% for i in range(1000000000) %}x{% endfor %}"]})
    began = time.monotonic()
    assert "a loop is not allowed" in await invalid(cluster, "TemplateUnbounded")
    assert time.monotonic() - began < 10
    assert await cluster.children(resources.RECORDS) == []
    write(PLAIN)
    await cluster.phase("Ready", "1")


#: Reason → the spec that has it, and the advice of its message.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "UnknownFormat": ({"model": {"format": "vellum"}}, "known: bentoml"),
    "UnknownRuntime": ({"runtime": {"name": "nobody"}}, "known: bentoml"),
    "NoReadinessProbe": ({"runtime": {"name": "unprobed"}}, "spec.runtime.readiness"),
    "TemplateUnbounded": ({"runtime": {"name": "loops"}}, "a loop is not allowed"),
    "TemplateTooLarge": ({"runtime": {"name": "prints"}}, "renders to over 65536 characters"),
    "Forbidden": ({"pod": {"serviceAccountName": "missing"}}, "missing"),
}


@rule("R21")
async def test_invalid_input_has_its_own_reason_and_keeps_serving(
    cluster: Cluster,
) -> None:
    runtimes = {
        "unprobed": {"image": "a:1"},
        "loops": {**PLAIN, "args": ["{% for i in range(1000000000) %}x{% endfor %}"]},
        "prints": {**PLAIN, "args": ["{{ parameters.a }}" * 80]},
    }
    for name, spec in runtimes.items():
        body = manifest("ModelRuntime", name, spec)
        cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=body)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    [before] = await cluster.children(resources.DEPLOYMENTS)
    [record] = await cluster.children(resources.RECORDS)
    for reason, (spec, said) in BAD.items():
        model = {"version": reason, **spec.get("model", {})}
        own = {"runtime": None} if "format" in model else {}
        if reason == "TemplateTooLarge":
            own = {"runtime": {"name": "prints", "parameters": {"a": "x" * 1000}}}
        cluster.apply("1", **{**spec, **own, "model": model})
        assert said in await invalid(cluster, reason)
        status = (await cluster.model())["status"]
        assert condition(status, "Available")["status"] == "True"
        assert status["stable"]["readyReplicas"] == 3
    [after] = await cluster.children(resources.DEPLOYMENTS)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert [r["metadata"]["uid"] for r in await cluster.children(resources.RECORDS)] == [
        record["metadata"]["uid"]
    ]


@rule("R21")
async def test_format_without_a_unique_runtime_is_refused(cluster: Cluster) -> None:
    kubectl = cluster.plane.kubectl
    cluster.apply("1", model={"version": "1", "format": "vellum"}, runtime=None)
    said = await invalid(cluster, "UnknownFormat")
    assert "no runtime serves vellum; known: bentoml" in said
    for name in ("scroll", "sheet"):
        body = manifest("ModelRuntime", name, {**PLAIN, "formats": [{"name": "papyrus"}]})
        kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=body)
    cluster.apply("1", model={"version": "1", "format": "papyrus"}, runtime=None)
    said = await invalid(cluster, "AmbiguousFormat")
    assert "ModelRuntime scroll and ModelRuntime sheet" in said
    kubectl("-n", cluster.namespace, "delete", "modelruntime", "sheet")
    await cluster.phase("Ready", "1")


@rule("R21")
@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"podTemplate": {"spec": {"contaners": []}}},
            'unknown field "spec.podTemplate.spec.contaners"',
        ),
        (
            {"podTemplate": {"spec": {"containers": [{"name": "side", "image": ""}]}}},
            "spec.podTemplate.spec.containers[1].image: Required value",
        ),
        ({"resources": {"limits": {"cpu": "much"}}}, "quantities must match"),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            "must be less than or equal to cpu limit",
        ),
        ({"pod": {"serviceAccountName": "nobody"}}, 'serviceaccount "nobody" not found'),
        ({"pod": {"priorityClassName": "no-such"}}, "no PriorityClass with name no-such"),
    ],
    ids=["unknown", "required", "quantity", "limit", "account", "priority"],
)
async def test_invalid_overlay_is_refused_before_anything_is_stored(
    cluster: Cluster, extra: dict[str, Any], said: str
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", **extra)
    # What admission refuses is answered by another code than what validation does.
    assert said in await invalid(cluster, "Forbidden" if "pod" in extra else "InvalidSpec")
    assert len(await cluster.children(resources.RECORDS)) == 1
    assert len(await cluster.children(resources.DEPLOYMENTS)) == 1
    status = (await cluster.model())["status"]
    assert condition(status, "Available")["status"] == "True"
    assert status["version"] == "1"


async def test_pod_that_a_namespace_forbids_is_refused(cluster: Cluster) -> None:
    cluster.plane.kubectl(
        "label", "ns", cluster.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", podTemplate={"spec": {"securityContext": {"runAsNonRoot": False}}})
    said = await invalid(cluster, "Forbidden")
    assert 'violates PodSecurity "restricted:latest": runAsNonRoot != true' in said


async def test_full_quota_does_not_make_a_spec_invalid(cluster: Cluster) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=yaml.safe_dump(quota))
    await asyncio.sleep(0.5)
    cluster.apply("1")
    for _ in range(100):
        if await cluster.children(resources.DEPLOYMENTS):
            break
        await asyncio.sleep(0.1)
    status = await cluster.until(lambda s: s.get("phase") == "Starting")
    assert condition(status, "Ready")["reason"] != "InvalidSpec"
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "resourcequota", "none")


@rule("R21")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"image": "a", "readiness": {}}, ["spec.readiness", "set exactly one of path, exec"]),
        (
            {"image": "a", "readiness": {"path": "/a", "tcp": True}},
            ["spec.readiness", "set exactly one of path, exec"],
        ),
        ({"image": "a", "startupBudget": "long"}, ["spec.startupBudget", "should match"]),
        ({"metrics": {"errors": {}}}, ["spec.metrics.errors.names", "or unavailable: true"]),
        ({"imag": "a"}, ['unknown field "spec.imag"']),
        ({"sharedMemory": "2 GB"}, ["spec.sharedMemory", "should match"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_runtime_is_refused_with_the_fields_path(
    plane: ControlPlane, spec: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        plane.kubectl("apply", "-f", "-", stdin=manifest("ClusterModelRuntime", "a", spec))
    for words in said:
        assert words in refused.value.stderr
