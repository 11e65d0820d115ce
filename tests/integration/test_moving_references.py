"""An alias of a registry on a real API server: resolved for each revision, and followed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from canarium.kube import resources
from integration import rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox import clients
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
TOKEN = "a-token"
PIPELINES = Path(__file__).parents[2] / "examples" / "pipelines"


class Registry:
    """A tracking server with one alias, which requires a token. `version` None: no such alias.

    `requests` are those for the alias.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.requests: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/api/2.0/mlflow/registered-models/alias?"):
                    registry.requests.append(self.path)
                allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                status, body = registry.answer() if allowed else (401, {"message": "who are you"})
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self) -> tuple[int, dict[str, Any]]:
        if self.version is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "alias not found"}
        return 200, {"model_version": {"version": self.version, "status": "READY"}}


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    made = Registry()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    """One with the chart's rights that may connect to loopback."""
    operator = Operator(
        granted,
        plane.folder.parent / "operator-references.log",
        *("--fetch-image", "fetch:1", "--lease-namespace", "default"),
        *("--allow-address", "127.0.0.0/8", *PATIENT_LEASE),
    )
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


def model(registry: Registry, version: str | None) -> dict[str, Any]:
    return {
        **({"version": version} if version else {}),
        "uri": "mlflow://fraud@champion",
        "endpoint": registry.url,
        "credentials": {"secretName": "mlflow-read"},
    }


def store_token(cluster: Cluster) -> None:
    """Creates the Secret with the credentials of the registry."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mlflow-read", "namespace": cluster.namespace},
        "stringData": {"MLFLOW_TRACKING_TOKEN": TOKEN},
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))


def condition(status: dict[str, Any]) -> tuple[str, str]:
    found = next(c for c in status["conditions"] if c["type"] == "SourceResolved")
    return found["status"], found["reason"]


async def fetched(cluster: Cluster) -> set[str]:
    """The URIs that the fetchers of all pods download."""
    pods = await cluster.client.list(resources.PODS, cluster.namespace)
    return {pod["spec"]["initContainers"][0]["args"][1] for pod in pods["items"]}


@rule("R1", "R18", "R21", "R26")
async def test_alias_is_resolved_for_each_revision_and_never_between(
    cluster: Cluster, registry: Registry
) -> None:
    cluster.apply("1", model=model(registry, "1"))
    status = await cluster.phase("Invalid")
    assert "mlflow-read" in status["message"], "the Secret is missing"
    store_token(cluster)
    status = await cluster.until(lambda s: "alias not found" in s["message"])
    assert condition(status) == ("False", "SourceNotFound")

    registry.version = "7"
    status = await cluster.phase("Ready", "1")
    assert status["stable"]["resolved"] == "mlflow://fraud/7"
    assert await fetched(cluster) == {"mlflow://fraud/7"}

    registry.version = "8"
    asked, pods = len(registry.requests), await cluster._pods()
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    cluster.apply("1", model=model(registry, "1"), scaling={"replicas": 4})
    await cluster.until(lambda s: s["stable"]["readyReplicas"] == 4)
    assert len(registry.requests) == asked, "the record has the version"
    assert set(pods) < set(await cluster._pods())
    assert await fetched(cluster) == {"mlflow://fraud/7"}

    registry.version = None
    cluster.apply("2", model=model(registry, "2"))
    status = await cluster.phase("Invalid")
    assert status["stable"]["version"] == "1"
    registry.version = "8"
    status = await cluster.phase("Ready", "2", seconds=60)
    assert status["stable"]["resolved"] == "mlflow://fraud/8"
    records = await cluster.children(resources.RECORDS)
    assert {record["data"]["identity"]["resolved"] for record in records} == {
        "mlflow://fraud/7",
        "mlflow://fraud/8",
    }


@rule("R9", "R16", "R18", "R26")
async def test_followed_alias_is_rolled_out_whenever_it_moves(
    cluster: Cluster, registry: Registry
) -> None:
    """The annotation stands for the interval, which is the shortest one that is allowed."""
    registry.version = "7"
    store_token(cluster)
    followed = {**model(registry, None), "follow": {"interval": "30s"}}
    quick = {"steps": [{"weight": 50}], "bakeTime": "0s"}
    cluster.apply("1", model=followed, rollout=quick)
    await cluster.phase("Ready", "7")
    asked = len(registry.requests)

    def ask(token: str) -> None:
        note = f"canarium.dev/resolve={token}"
        words = ("annotate", "--overwrite", "modeldeployment", "fraud", note)
        cluster.plane.kubectl("-n", cluster.namespace, *words)

    async def resolved(uri: str, phase: str) -> dict[str, Any]:
        return await cluster.until(
            lambda s: (s["stable"].get("resolved"), s["phase"]) == (uri, phase)
        )

    registry.version = "8"
    ask("one")
    status = await resolved("mlflow://fraud/8", "Ready")
    assert [(x.get("version"), x["outcome"]) for x in status["history"][:2]] == [
        ("8", "Promoted"),
        ("7", "Promoted"),
    ]
    assert len(registry.requests) - asked <= 4, "two, unless the interval has passed as well"
    assert "mlflow://fraud/8" in await fetched(cluster)

    registry.version = None
    ask("two")
    status = await cluster.until(lambda s: condition(s) == ("False", "SourceNotFound"))
    assert (status["phase"], status["stable"]["resolved"]) == ("Ready", "mlflow://fraud/8")

    # It returns to the first result, while no operator runs.
    cluster.operator.stop()
    registry.version = "7"
    cluster.operator.start()
    await cluster.leading()
    asked = len(registry.requests)
    for number in range(30):
        # The first value that an operator reads is not a change.
        ask(f"three-{number}")
        await asyncio.sleep(0.5)
        if len(registry.requests) > asked:
            break
    await resolved("mlflow://fraud/7", "Ready")
    records = await cluster.children(resources.RECORDS)
    ordered = sorted(records, key=lambda record: record["revision"])
    assert [record["data"]["identity"]["resolved"] for record in ordered] == [
        "mlflow://fraud/8",
        "mlflow://fraud/7",
    ]
    assert all("follow" not in record["data"]["model"] for record in records)


@rule("R7", "R8", "R26")
async def test_pipeline_ends_with_the_result_of_the_version_that_it_released(
    cluster: Cluster, registry: Registry, tmp_path: Path
) -> None:
    """Its script and its wait, with the rights of examples/pipelines/rbac.yaml and no others."""
    registry.version = "7"
    store_token(cluster)
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", str(PIPELINES / "rbac.yaml"))
    followed = {**model(registry, "1"), "follow": {"interval": "1h"}}
    slow = {"steps": [{"weight": 50, "pause": "60s"}], "bakeTime": "0s"}
    cluster.apply("1", model=followed, rollout=slow)

    kubectl = tmp_path / "kubectl"
    user = f"system:serviceaccount:{cluster.namespace}:model-release"
    words = (clients.find("kubectl"), "--kubeconfig", cluster.plane.kubeconfig, "--as", user)
    kubectl.write_text(f'#!/bin/sh\nexec {" ".join(map(str, words))} "$@"\n')
    kubectl.chmod(0o755)
    settings = {"MODEL": "fraud", "DEPLOYMENT": "fraud", "NAMESPACE": cluster.namespace}
    environment = {**os.environ, **settings, "KUBECTL": str(kubectl), "PATIENCE": "60"}

    async def run(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode().strip()

    async def revision(version: str) -> str:
        registry.version = version
        code, name = await run(str(PIPELINES / "release.py"), "revision", version)
        assert code == 0
        return name

    async def waited(name: str) -> int | None:
        options = ("--revision", name, "--until", "gate", "--timeout", "60s")
        verb = ("-m", "canarium_cli.main", "status", "fraud", "-n", cluster.namespace)
        return (await run(*verb, *options))[0]

    seven = await revision("7")
    assert await waited(seven) == 0
    assert (await cluster.model())["status"]["stable"]["revision"] == seven

    eight = await revision("8")
    assert eight != seven
    await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    await cluster.kubelet.crash(cluster.namespace, eight)
    assert await waited(eight) == 1
    status = (await cluster.model())["status"]
    assert (status["phase"], status["stable"]["revision"]) == ("RolledBack", seven)
