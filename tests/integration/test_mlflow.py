"""A real MLflow server, the operator and a real API server: from a run to the registry's tags."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from canarium.kube import resources
from fetch.mlflow_server import MlflowServer
from http_server import HttpServer
from integration import rights
from integration.cli.program import Program
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane
from sandbox.ports import free_ports

rule = pytest.mark.rule
ENVIRONMENTS = Path(__file__).parents[2] / "examples" / "environments"
SIGNATURE = 'signature:\n  inputs: \'[{"name": "amount", "type": "double"}]\'\n'
NOTE = "canarium.dev/training-run"


@dataclass
class Registry:
    """The server, and an experiment whose runs register versions of the model `fraud`."""

    server: MlflowServer
    experiment: str

    def train(self, commit: str, auc: float) -> tuple[str, str]:
        """Logs a run and registers its model; the run and the number of the version."""
        run, folder = self.server.run(self.experiment)
        metrics = [
            {"key": "auc", "value": auc, "timestamp": 1, "step": 0},
            {"key": "loss", "value": "NaN", "timestamp": 1, "step": 0},
        ]
        tags = [{"key": "mlflow.source.git.commit", "value": commit}]
        self.server.call("POST", "runs/log-batch", run_id=run, metrics=metrics, tags=tags)
        dataset = {"name": "transactions", "digest": "ab12", "source_type": "local", "source": "{}"}
        context = [{"key": "mlflow.data.context", "value": "training"}]
        datasets = [{"dataset": dataset, "tags": context}]
        self.server.call("POST", "runs/log-inputs", run_id=run, datasets=datasets)
        path = folder.partition(":/")[2].strip("/")
        self.server.put(f"{path}/model/MLmodel", SIGNATURE.encode())
        return run, self.server.register("fraud", f"{folder}/model", run, "champion")

    def log_example(self, columns: list[str], row: list[float]) -> str:
        """Logs a model with signature and input example, as `log_model` does; its version."""
        run, folder = self.server.run(self.experiment)
        path = folder.partition(":/")[2].strip("/")
        fields = [{"type": "double", "name": name, "required": True} for name in columns]
        stored = (
            f"signature:\n  inputs: '{json.dumps(fields)}'\n"
            '  outputs: \'[{"type": "long", "required": true}]\'\n'
            "saved_input_example_info:\n  artifact_path: input_example.json\n"
            "  pandas_orient: split\n  serving_input_path: serving_input_example.json\n"
            "  type: dataframe\n"
        )
        example = {"dataframe_split": {"columns": columns, "data": [row]}}
        self.server.put(f"{path}/model/MLmodel", stored.encode())
        name = f"{path}/model/serving_input_example.json"
        self.server.put(name, json.dumps(example).encode())
        return self.server.register("fraud", f"{folder}/model", run, "champion")

    def tags(self, version: str) -> dict[str, str]:
        return self.server.tags("fraud", version)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        server.start()
        yield Registry(server, server.experiment("fraud"))
    finally:
        server.kill()


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    """One with the chart's rights that may connect to loopback."""
    operator = Operator(
        granted,
        plane.folder.parent / "operator-mlflow.log",
        *("--fetch-image", "fetch:1", "--lease-namespace", "default"),
        *("--allow-address", "127.0.0.0/8", "--cluster-name", "prod-eu", *PATIENT_LEASE),
    )
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


def own_address() -> str:
    """An address of this machine that an EndpointSlice may have: loopback is refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it only asks the kernel which address it would send from.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def model(registry: Registry, version: str, **more: Any) -> dict[str, Any]:
    named = {"version": version, "uri": "mlflow://fraud@champion"}
    return {**named, "endpoint": registry.server.url, **more}


async def training_run(cluster: Cluster, revision: str, seconds: float = 30) -> dict[str, Any]:
    """The lineage on the record of a revision, once it is there."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        name = f"fraud-{revision}"
        record = await cluster.client.get(resources.RECORDS, cluster.namespace, name)
        stored = record["metadata"].get("annotations", {}).get(NOTE)
        if stored:
            found: dict[str, Any] = json.loads(stored)
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no lineage in {seconds} s: {cluster.operator.end()}")


@rule("R18", "R26")
async def test_record_has_the_lineage_of_the_version_that_an_alias_names(
    cluster: Cluster, registry: Registry
) -> None:
    run, number = await asyncio.to_thread(registry.train, "4f1c2d9", 0.93)
    cluster.apply("1", model=model(registry, "1"))
    status = await cluster.phase("Ready", "1")
    revision = status["stable"]["revision"]
    assert status["stable"]["resolved"] == f"mlflow://fraud/{number}"
    expected = {
        "runId": run,
        "gitCommit": "4f1c2d9",
        "datasets": [{"name": "transactions", "digest": "ab12", "context": "training"}],
        "metrics": {"auc": 0.93, "loss": "NaN"},
        "signature": {"inputs": [{"name": "amount", "type": "double"}]},
    }
    assert await training_run(cluster, revision) == expected

    program = Program(cluster.plane.kubeconfig, cluster.namespace)
    (entry,) = (await program.run("history", "fraud", "-o", "json")).json
    assert entry["trainingRun"] == expected
    assert f"{run[:8]} (git 4f1c2d9)" in (await program.run("history", "fraud")).out
    assert (await program.run("record", "fraud")).json["predicate"]["trainingRun"] == expected

    writes = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert len(cluster.writes()) == writes, "what is recorded is not read again"


@rule("R4", "R21")
async def test_logged_input_example_has_to_be_answered_as_the_signature_states(
    cluster: Cluster, registry: Registry
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    prediction: list[Any] = [1]

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append((request.path, json.loads(await request.read() or b"{}")))
        return web.json_response({"predictions": prediction})

    def tests_ready(status: dict[str, Any]) -> tuple[str, str, str] | None:
        found = [c for c in status.get("conditions", ()) if c["type"] == "SmokeTestsReady"]
        return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else None

    host = own_address()
    cluster.kubelet.bind_to(host)
    async with HttpServer(answer, host) as server:
        test = {"fromSignature": True, "path": "/v1/models/fraud:predict", "port": server.port}
        rollout = {"smokeTests": [test], "bakeTime": "0s"}
        await asyncio.to_thread(registry.log_example, ["amount", "hour"], [0.5, 23.0])
        cluster.apply("1", model=model(registry, "1"), rollout=rollout)
        await cluster.phase("Ready", "1")
        assert asked[0] == ("/v1/models/fraud:predict", {"instances": [[0.5, 23.0]]})

        await asyncio.to_thread(registry.log_example, ["amount"], [2.5])
        prediction[:] = [0.7]
        cluster.apply("2", model=model(registry, "2"), rollout=rollout)
        status = await cluster.phase("RolledBack", "1")
        assert status["failure"]["reason"] == "SmokeTestFailed"
        wrong = "does not match the signature of the model: predictions[0] is 0.7, expected long"
        assert wrong in status["failure"]["message"]
        assert asked[-1][1] == {"instances": [[2.5]]}

        await asyncio.to_thread(registry.train, "d4", 0.9)
        count = len(asked)
        cluster.apply("3", model=model(registry, "3"), rollout=rollout)
        status = await cluster.until(lambda s: (tests_ready(s) or ("",))[0] == "False")
        _, reason, message = tests_ready(status) or ("", "", "")
        assert reason == "NoInputExample"
        assert "smokeTests[0].fromSignature" in message
        assert "logged without input example" in message
        assert len(asked) == count, "the candidate was not asked, and waits"
        own = {"path": "/score", "port": server.port}
        cluster.apply("3", model=model(registry, "3"), rollout={**rollout, "smokeTests": [own]})
        await cluster.phase("Ready", "3")


@rule("R8", "R18", "R26")
async def test_registry_shows_how_each_version_stands_also_after_it_was_away(
    cluster: Cluster, registry: Registry
) -> None:
    tag = f"canarium.dev/prod-eu.{cluster.namespace}.fraud"

    async def shown(**states: str) -> dict[str, dict[str, str]]:
        """The tags of versions, once they have these states."""
        tags: dict[str, dict[str, str]] = {}
        for _ in range(300):
            cluster.operator.must_run()
            tags = {n: await asyncio.to_thread(registry.tags, n[1:]) for n in states}
            if {n: found.get(tag) for n, found in tags.items()} == states:
                return tags
            await asyncio.sleep(0.2)
        raise AssertionError(f"{tags}: {cluster.operator.end()}")

    def tagged(status: dict[str, Any]) -> tuple[str, str] | None:
        conditions = status.get("conditions", ())
        return next(
            ((c["status"], c["reason"]) for c in conditions if c["type"] == "RegistryTagged"), None
        )

    one, two, three = [
        (await asyncio.to_thread(registry.train, commit, 0.9))[1] for commit in ("a1", "b2", "c3")
    ]
    await asyncio.to_thread(registry.server.point, "fraud", "champion", one)
    cluster.apply("1", model=model(registry, "1", writeBack={}))
    status = await cluster.phase("Ready", "1")
    tags = await shown(**{f"v{one}": "Promoted"})
    assert status["stable"]["revision"] in tags[f"v{one}"][f"{tag}/reason"]

    await asyncio.to_thread(registry.server.point, "fraud", "champion", two)
    cluster.apply("2", model=model(registry, "2", writeBack={}))
    await cluster.phase("Ready", "2")
    await shown(**{f"v{one}": "Replaced", f"v{two}": "Promoted"})
    await cluster.until(lambda s: tagged(s) == ("True", "TagsWritten"))
    serving = await asyncio.to_thread(
        registry.server.call, "GET", "model-versions/search", filter=f"tags.`{tag}` = 'Promoted'"
    )
    assert [found["version"] for found in serving["model_versions"]] == [two]

    await asyncio.to_thread(registry.server.point, "fraud", "champion", three)
    slow = {"steps": [{"weight": 50, "pause": "60s"}], "bakeTime": "0s"}
    cluster.apply("3", model=model(registry, "3", writeBack={}), rollout=slow)
    status = await cluster.until(lambda s: s.get("weight") == 50)
    await cluster.kubelet.crash(cluster.namespace, status["candidate"]["revision"])
    await cluster.phase("RolledBack", "2")
    tags = await shown(**{f"v{two}": "Promoted", f"v{three}": "RolledBack"})
    assert tags[f"v{three}"][f"{tag}/reason"].startswith("ServerExited: ")

    await asyncio.to_thread(registry.server.kill)
    pinned = model(registry, "4", uri=f"mlflow://fraud/{one}", writeBack={})
    cluster.apply("4", model=pinned)
    await cluster.phase("Ready", "4")
    await cluster.until(lambda s: tagged(s) == ("False", "SourceUnavailable"))
    cluster.operator.stop(signal.SIGKILL)
    await asyncio.to_thread(registry.server.start)
    cluster.operator.start()
    await shown(**{f"v{one}": "Promoted", f"v{two}": "Replaced", f"v{three}": "RolledBack"})
    status = await cluster.until(lambda s: tagged(s) == ("True", "TagsWritten"))
    # Its run could not be read while the registry was away.
    await training_run(cluster, status["stable"]["revision"])

    writes = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    later = [(e["verb"], e["objectRef"]) for e in cluster.writes()[writes:]]
    assert later == [], "what is recorded is not written again"


@contextmanager
def promoter(registry: Registry, token: str) -> Iterator[str]:
    """The program of examples/environments as a process; its address."""
    port = free_ports(1)[0]
    settings = {"MLFLOW_TRACKING_URI": registry.server.url, "MODEL": "fraud", "ALIAS": "production"}
    environment = {**os.environ, **settings, "TOKEN": token, "PORT": str(port)}
    program = [sys.executable, str(ENVIRONMENTS / "promoter.py")]
    with subprocess.Popen(program, env=environment) as process:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def quick(body: dict[str, Any], cluster: Cluster, registry: Registry) -> dict[str, Any]:
    """A model of the example in the namespace of `cluster`, with short times and one pod."""
    body["metadata"]["namespace"] = cluster.namespace
    spec = body["spec"]
    del spec["model"]["format"]
    spec["model"] |= {"endpoint": registry.server.url, "follow": {"interval": "30s"}}
    spec["runtime"] = {"image": "model:1", "readiness": {"path": "/ready"}}
    spec["scaling"] = {"replicas": 1}
    spec["rollout"] |= {"steps": [{"weight": 50}], "bakeTime": "1s"}
    return body


@rule("R26", "R27")
async def test_version_that_holds_in_staging_is_rolled_out_in_production(
    cluster: Cluster, registry: Registry
) -> None:
    """The alias of staging moves three times within seconds: only where it stays is rolled out."""
    production = Cluster(
        cluster.plane, cluster.client, cluster.kubelet, cluster.operator, f"{cluster.namespace}-p"
    )
    cluster.plane.kubectl("create", "namespace", production.namespace)
    secret = ("create", "secret", "generic", "promoter", "--from-literal=token=t0p")
    cluster.plane.kubectl("-n", cluster.namespace, *secret)
    one, two, three = [
        (await asyncio.to_thread(registry.train, commit, 0.9))[1] for commit in ("a1", "b2", "c3")
    ]

    async def point(alias: str, version: str) -> None:
        await asyncio.to_thread(registry.server.point, "fraud", alias, version)

    def ask_now(where: Cluster, token: str) -> None:
        note = f"canarium.dev/resolve={token}"
        words = ("annotate", "--overwrite", "modeldeployment", "fraud", note)
        cluster.plane.kubectl("-n", where.namespace, *words)

    for alias in ("staging", "production"):
        await point(alias, one)
    with promoter(registry, "t0p") as address:
        first, second = yaml.safe_load_all((ENVIRONMENTS / "models.yaml").read_text())
        first["spec"]["rollout"]["gates"][0]["web"]["url"] = address
        items = [quick(first, cluster, registry), quick(second, production, registry)]
        whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        cluster.plane.kubectl("apply", "-f", "-", stdin=whole)
        for where in (cluster, production):
            await where.phase("Ready", one)
        for version in (two, one, three):
            await point("staging", version)
            ask_now(cluster, version)
        status = await cluster.phase("Ready", three, seconds=60)
        outcomes = [(one.get("version"), one["outcome"]) for one in status["history"]]
        assert outcomes == [(three, "Promoted"), (one, "Promoted")]
        named = await asyncio.to_thread(registry.server.pointed, "fraud", "production")
        assert named == three
        ask_now(production, "one")
        await production.phase("Ready", three, seconds=60)
        [gate] = [one for one in status["gates"] if one["name"] == "to-production"]
        assert f"production names version {three}" in gate["message"], gate
