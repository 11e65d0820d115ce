"""Commands of the docs, as a reader runs them, beside models in the state that the page is about.

Those that need real pods are run by e2e/test_getting_started.py.
tests/supply/test_documented_commands.py checks that each command of the docs is run somewhere.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.kube import resources
from integration.conftest import Cluster
from integration.desk import Desk
from sandbox import binaries
from support.documented_yaml import of_page

_CRASHES = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
_MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50}], "bakeTime": "1s"}
_LINE = "docs/guides/command-line.md"
_TROUBLE = "docs/guides/troubleshooting.md"
_BACK = "docs/guides/rolled-back.md"
_AUDIT = "docs/guides/auditing.md"
_RUNS = "docs/guides/lineage.md"

#: Commands about a model whose version 2 crashed: page, command, and what it prints.
ROLLED_BACK = [
    (_BACK, "kubectl modeldeploy why fraud", "ServerExited"),
    (_BACK, "kubectl modeldeploy diff fraud", "+ 2"),
    (_LINE, "kubectl modeldeploy diff fraud", "(Failed)"),
    (_TROUBLE, "kubectl modeldeploy why fraud -n risk", "ServerExited"),
    ("README.md", "kubectl modeldeploy why fraud", "What you can do"),
    ("cli/README.md", "kubectl modeldeploy list -A", "ServerExited"),
    ("cli/README.md", "kubectl modeldeploy why fraud", "What you can do"),
    (_AUDIT, "kubectl get controllerrevisions", "fraud-"),
    (_AUDIT, "kubectl modeldeploy history fraud -n risk", "RolledBack (ServerExited)"),
    (_AUDIT, "kubectl modeldeploy record fraud -n risk", '"predicateType"'),
    (_RUNS, "kubectl modeldeploy history fraud", "RolledBack (ServerExited)"),
    (_RUNS, "kubectl modeldeploy history fraud -o wide", "RolledBack (ServerExited)"),
    (_RUNS, "kubectl modeldeploy history fraud -o json", '"outcome"'),
    (_RUNS, "kubectl modeldeploy record fraud", '"predicateType"'),
    ("docs/guides/draining.md", "kubectl get poddisruptionbudgets", "fraud"),
    ("docs/guides/ownership.md", "kubectl annotate service fraud", "annotated"),
    ("docs/guides/ownership.md", "kubectl annotate controllerrevisions", "annotated"),
    ("docs/guides/models.md", "kubectl annotate modeldeployment fraud", "annotated"),
    ("docs/guides/revisions.md", "kubectl modeldeploy history fraud", "Promoted (FirstVersion)"),
    ("docs/guides/revisions.md", "kubectl modeldeploy diff fraud", "(Failed)"),
    ("docs/guides/revisions.md", "kubectl modeldeploy plan -f model.yaml", "revision"),
    ("docs/reference/alerts.md", "kubectl get modeldeployments -A", "RolledBack"),
    ("docs/guides/report-a-bug.md", "kubectl modeldeploy report fraud", "canarium-report-fraud-"),
    ("docs/guides/report-a-bug.md", "tar -tzf", "model"),
    ("docs/guides/outages.md", "kubectl modeldeploy list -A --attention", "ServerExited"),
    ("docs/guides/backups.md", "kubectl get modeldeployments.canarium.dev -A -o yaml", ""),
]
#: Commands that need neither a model nor an order: page, command, and what it prints.
ALONE = [
    (_LINE, "kubectl modeldeploy doctor -n risk", "is managed"),
    (_TROUBLE, "kubectl modeldeploy doctor -n risk", "is managed"),
    ("docs/install.md", "kubectl modeldeploy doctor --wait", "leader"),
    ("cli/README.md", "kubectl modeldeploy doctor", "leader"),
    ("docs/install.md", "kubectl -n risk create secret docker-registry", "created"),
    ("docs/guides/models.md", "kubectl -n risk create secret generic s3-read", "created"),
    ("docs/guides/models.md", "kubectl -n risk create secret generic gcs-read", "created"),
    ("docs/guides/multi-tenancy.md", "kubectl -n risk create rolebinding", "created"),
    ("docs/guides/multi-tenancy.md", "kubectl -n risk create quota", "created"),
    ("docs/guides/air-gapped.md", "kubectl -n risk create configmap", "created"),
    (_LINE, "kubectl modeldeploy lint models/", "0 errors"),
    (_LINE, "kubectl modeldeploy simulate -f fraud.yaml --fail-at 50", "RolledBack"),
    (_LINE, "kubectl modeldeploy plan -f fraud.yaml --server", "new revision"),
]
#: Commands in namespaces that a page names: each creates what it names, in this order.
ELSEWHERE = [
    ("docs/guides/models.md", "kubectl -n models create secret generic", "created"),
    ("docs/guides/models.md", "kubectl apply -k examples/registry-webhook", "created"),
    ("docs/guides/notifications.md", "kubectl -n canarium create secret generic", "created"),
    ("docs/guides/environments.md", "kubectl create namespace staging", "created"),
    ("docs/guides/environments.md", "kubectl create namespace production", "created"),
    ("docs/guides/environments.md", "kubectl -n staging create secret generic", "created"),
    ("docs/guides/environments.md", "kubectl apply -k examples/environments", "created"),
]


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path) -> Desk:
    return Desk.of(cluster, tmp_path)


def model(page: str) -> dict[str, Any]:
    """The first manifest of a model on a page."""
    found = [one.body for one in of_page(page) if one.kind == "manifest"]
    return next(dict(body) for body in found if body["kind"] == "ModelDeployment")


async def test_commands_about_a_version_that_was_rolled_back(cluster: Cluster, desk: Desk) -> None:
    cluster.apply("1")
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", podTemplate=_CRASHES)
    await cluster.phase("RolledBack")
    (desk.folder / "model.yaml").write_text(yaml.safe_dump(model("docs/getting-started.md")))
    for page, command, text in ROLLED_BACK:
        done = await desk.run(page, command)
        assert (done.code, text in done.text) == (0, True), f"{page}: {command}\n{done.text}"
    done = await desk.run(_AUDIT, "kubectl modeldeploy diff fraud 6 7 -n risk", {"6 7": "1 2"})
    assert (done.code, "+ 2" in done.text) == (0, True), done.text
    done = await desk.run(_AUDIT, "kubectl modeldeploy record fraud -n risk --revision vkxf7wr8",
                          {"vkxf7wr8": first})  # fmt: skip
    assert done.code == 0, done.text
    [statement] = [json.loads(line) for line in done.text.splitlines()]
    assert first in json.dumps(statement)
    done = await desk.run("docs/guides/flux.md", "kubectl modeldeploy status fraud")
    assert (done.code, "ServerExited" in done.text.splitlines()[-1]) == (1, True), done.text
    backup = yaml.safe_load((desk.folder / "models.yaml").read_text())
    assert "fraud" in {one["metadata"]["name"] for one in backup["items"]}


async def test_commands_at_a_pause(cluster: Cluster, desk: Desk) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    await paused(cluster, "2")
    await desk.shows("README.md", "kubectl modeldeploy get fraud --watch", "25 % effective")
    done = await desk.run("README.md", "kubectl modeldeploy promote fraud")
    assert (done.code, "the current pause ends" in done.text) == (0, True), done.text
    await cluster.phase("Ready", "2")
    await paused(cluster, "3")
    done = await desk.run(_LINE, "kubectl modeldeploy promote fraud -n risk")
    assert (done.code, "the current pause ends" in done.text) == (0, True), done.text
    await cluster.phase("Ready", "3")
    await paused(cluster, "4")
    await desk.shows("cli/README.md", "kubectl modeldeploy get fraud --watch", "25 % effective")
    done = await desk.run("cli/README.md", "kubectl modeldeploy promote fraud")
    assert (done.code, "the current pause ends" in done.text) == (0, True), done.text
    done = await desk.run("cli/README.md", "kubectl modeldeploy status fraud")
    assert (done.code, "Ready: Version 4 " in done.text) == (0, True), done.text


async def paused(cluster: Cluster, version: str) -> str:
    """Rolls a version out until it waits at a pause; returns its revision."""
    cluster.apply(version, rollout=_MANUAL)
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    return str(status["candidate"]["revision"])


async def test_annotation_of_the_readme_ends_the_pause(cluster: Cluster, desk: Desk) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    revision = await paused(cluster, "2")
    done = await desk.run(
        "README.md", "kubectl annotate modeldeployment fraud", {"abc23456": revision}
    )
    assert done.code == 0, done.text
    await cluster.phase("Ready", "2")


async def test_commands_without_a_model(cluster: Cluster, desk: Desk) -> None:
    await cluster.leading()
    (desk.folder / "service-account.json").write_text("{}")
    (desk.folder / "ca.crt").write_text("a certificate")
    (desk.folder / "models").mkdir()
    for path in (desk.folder / "fraud.yaml", desk.folder / "models" / "fraud.yaml"):
        path.write_text(yaml.safe_dump(model("docs/getting-started.md")))
    for page, command, text in ALONE:
        done = await desk.run(page, command)
        assert (done.code, text in done.text) == (0, True), f"{page}: {command}\n{done.text}"
    cluster.plane.kubectl("-n", cluster.namespace, "create", "serviceaccount", "ann")
    secrets = ("-n", cluster.namespace, "delete", "secret", "registry-login")
    cluster.plane.kubectl(*secrets)
    done = await desk.run("docs/guides/air-gapped.md", "kubectl -n risk create secret")
    assert done.code == 0, done.text
    done = await desk.run("docs/guides/dashboard.md", "kubectl create token ann")
    assert (done.code, done.text.count(".")) == (0, 2), done.text


async def test_commands_in_namespaces_that_pages_name(cluster: Cluster, desk: Desk) -> None:
    namespaces = ("models", "canarium", "staging", "production")
    desk.environment["SECRET"] = "whsec_one"
    for name in namespaces[:2]:
        cluster.plane.kubectl("create", "namespace", name)
    try:
        for page, command, text in ELSEWHERE:
            done = await desk.run(page, command)
            assert (done.code, text in done.text) == (0, True), f"{page}: {command}\n{done.text}"
    finally:
        for name in namespaces:
            await emptied(cluster, name)
        cluster.plane.kubectl("delete", "namespace", "--wait=false", *namespaces)


async def emptied(cluster: Cluster, namespace: str) -> None:
    """Deletes what has pods in a namespace, and waits until these ended: the simulated node
    would else report pods that a namespace in deletion refuses."""
    words = ("-n", namespace, "delete", "modeldeployments,deployments", "--all")
    # In a thread, so that the simulated node keeps running.
    await asyncio.to_thread(cluster.plane.kubectl, *words)
    async with asyncio.timeout(30):
        while (await cluster.client.list(resources.PODS, namespace))["items"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_first_commands_of_the_readme_show_the_model(cluster: Cluster, desk: Desk) -> None:
    done = await desk.run("README.md", "kubectl apply -f examples/models/server.yaml")
    assert done.code == 0, done.text
    done = await desk.run("examples/README.md", "kubectl apply -f examples/models/server.yaml")
    assert (done.code, "unchanged" in done.text) == (0, True), done.text
    done = await desk.run("examples/README.md", "kubectl apply -f examples/models/fraud-v1.yaml")
    assert (done.code, "unchanged" in done.text) == (0, True), done.text
    # The smoke test needs a server, which e2e/test_getting_started.py has.
    await desk.shows("README.md", "kubectl get modeldeployments -w", "fraud")


async def test_model_that_replaces_an_inference_service_becomes_ready(
    cluster: Cluster, desk: Desk
) -> None:
    manifest = yaml.safe_dump(model("docs/guides/from-kserve.md"))
    (desk.folder / "model.yaml").write_text(manifest)
    done = await desk.run("docs/guides/from-kserve.md", "kubectl apply -f model.yaml")
    assert done.code == 0, done.text
    done = await desk.run("docs/guides/from-kserve.md", "kubectl wait modeldeployment/fraud-scores")
    assert done.code == 0, done.text


async def test_commands_about_the_prometheus_operator(cluster: Cluster, desk: Desk) -> None:
    folder = binaries.source("prometheus-operator") / "example" / "prometheus-operator-crd"
    kinds = ("prometheuses", "podmonitors")
    files = [f"{folder}/monitoring.coreos.com_{kind}.yaml" for kind in kinds]
    flags = [word for file in files for word in ("-f", file)]
    cluster.plane.kubectl("apply", "--server-side", *flags)
    try:
        cluster.plane.api.await_definitions(*(f"{kind}.monitoring.coreos.com" for kind in kinds))
        cluster.plane.kubectl("create", "namespace", "monitoring")
        selector = {"matchLabels": {"release": "kube-prometheus-stack"}}
        body = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "main", "namespace": "monitoring"},
            "spec": {"serviceMonitorSelector": selector, "ruleSelector": selector},
        }
        cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        done = await desk.run("docs/guides/monitoring.md", "kubectl get prometheus -A")
        assert (done.code, done.text.count("kube-prometheus-stack")) == (0, 2), done.text
        done = await desk.run("docs/guides/monitoring.md", "kubectl apply -n monitoring")
        assert (done.code, "created" in done.text) == (0, True), done.text
    finally:
        cluster.plane.kubectl("delete", "namespace", "monitoring", "--wait=false")
        cluster.plane.kubectl("delete", "--wait=false", *flags)
