"""Models of an MLflow registry: a real server, with artifacts on its disk and in a bucket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from canarium.api.states import RegistryState
from canarium.api.uri import parse
from canarium.core.facts.write_back import TagRequest
from canarium.kube.client import Api
from canarium.signals.access import SharedResources
from canarium.signals.addresses import AddressPolicy
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import HttpClient
from canarium.sources import mlflow_alias, training_run
from canarium.sources.errors import Unresolved
from canarium.sources.registries import Registries
from canarium.sources.tags import TagWriter
from canarium.sources.tracking_server import TrackingServer
from fetch.conftest import KEYS, S3, Fetcher
from fetch.mlflow_server import MlflowServer

rule = pytest.mark.rule
TREE = {
    "MLmodel": b"flavors: {}\n",
    "data/model.pkl": os.urandom(1 << 20),
    "code/a b/__init__.py": b"",
}


@dataclass
class Registry:
    """The server, and a model `fraud`: version 1 on its disk, version 2 in a bucket."""

    server: MlflowServer
    run: str
    in_bucket: str


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, s3: S3) -> Iterator[Registry]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    try:
        run, uri = server.run(server.experiment("proxied"))
        s3.put("mlflow")
        bucket = server.experiment("direct", artifact_location="s3://mlflow/direct")
        other, place = server.run(bucket)
        for name, content in TREE.items():
            server.put(f"{uri.partition(':/')[2]}/model/{name}", content)
            s3.put(f"{place.removeprefix('s3://')}/model/{name.replace(' ', '%20')}", content)
        server.register("fraud", f"{uri}/model", run, alias="champion")
        server.register("fraud", f"{place}/model", other, alias="challenger")
        yield Registry(server, run, other)
    finally:
        server.kill()


@pytest.mark.parametrize("name", ["fraud@champion", "fraud/1", "runs/{run}/model"])
def test_model_is_fetched_through_the_server(
    fetcher: Fetcher, registry: Registry, name: str
) -> None:
    uri = f"mlflow://{name.format(run=registry.run)}"
    done = fetcher.run(uri, "--endpoint", registry.server.url)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE


def test_model_is_fetched_from_the_bucket_of_its_run(
    fetcher: Fetcher, registry: Registry, s3: S3
) -> None:
    secret = {**KEYS, "AWS_ENDPOINT_URL": s3.url, "AWS_REGION": "us-east-1"}
    secret["MLFLOW_TRACKING_TOKEN"] = "not-asked-for"
    endpoint = ("--endpoint", registry.server.url)
    done = fetcher.run("mlflow://fraud@challenger", *endpoint, secret=secret)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE
    shutil.rmtree(fetcher.target)
    # One file of it, and its own digest.
    uri = f"mlflow://runs/{registry.in_bucket}/model/MLmodel"
    assert fetcher.run(uri, *endpoint, secret=secret).code == 0
    assert fetcher.files() == {"MLmodel": TREE["MLmodel"]}


def test_file_and_patterns_select_artifacts(fetcher: Fetcher, registry: Registry) -> None:
    endpoint = ("--endpoint", registry.server.url)
    uri = f"mlflow://runs/{registry.run}/model/data/model.pkl"
    done = fetcher.run(uri, *endpoint)
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.pkl": TREE["data/model.pkl"]}
    shutil.rmtree(fetcher.target)
    done = fetcher.run("mlflow://fraud/1", *endpoint, "--ignore=data/", "--ignore=code/")
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": TREE["MLmodel"]}


def test_model_that_a_run_only_refers_to_is_found(fetcher: Fetcher, registry: Registry) -> None:
    """Since version 3, `log_model` stores a model beside the artifacts of its run."""
    server = registry.server
    run, _ = server.run("1")
    info = server.call("POST", "logged-models", experiment_id="1", name="clf", source_run_id=run)
    model = info["model"]["info"]["model_id"]
    server.put(f"1/models/{model}/artifacts/MLmodel", b"three")
    server.call("PATCH", f"logged-models/{model}", model_id=model, status="LOGGED_MODEL_READY")
    output = {"model_id": model, "step": 0}
    server.call("POST", "runs/outputs", run_id=run, models=[output])
    version = server.register("three", f"models:/{model}", run, model_id=model)
    for uri in (f"mlflow://runs/{run}/clf", f"mlflow://three/{version}"):
        done = fetcher.run(uri, "--endpoint", server.url)
        assert done.code == 0, done.output
        assert fetcher.files() == {"MLmodel": b"three"}
        shutil.rmtree(fetcher.target)


@rule("R7")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fraud@none", "alias 'none' of model 'fraud'"),
        ("nothing@champion", "alias 'champion' of model 'nothing'"),
        ("fraud/9", "version 9 of model 'fraud'"),
        ("runs/0000/model", "run '0000'"),
        ("runs/{run}/none", "has no files"),
    ],
)
def test_what_the_registry_does_not_have_is_named(
    fetcher: Fetcher, registry: Registry, name: str, words: str
) -> None:
    uri = f"mlflow://{name.format(run=registry.run)}"
    done = fetcher.run(uri, "--endpoint", registry.server.url)
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    assert words in done.report["message"]


def test_bucket_that_needs_a_key_is_reported(fetcher: Fetcher, registry: Registry, s3: S3) -> None:
    done = fetcher.run(
        "mlflow://fraud@challenger", "--endpoint", registry.server.url,
        secret={"AWS_ENDPOINT_URL": s3.url, "AWS_ACCESS_KEY_ID": "half"},
    )  # fmt: skip
    assert (done.code, done.reason) == (10, "InvalidCredentials"), done.output
    assert "AWS_SECRET_ACCESS_KEY" in done.report["message"]


def test_alias_that_has_moved_names_another_version(fetcher: Fetcher, registry: Registry) -> None:
    server = registry.server
    run, uri = server.run("1")
    for name in ("MLmodel", "extra"):
        server.put(f"{uri.partition(':/')[2]}/model/{name}", b"moved")
    first = server.register("moving", f"{uri}/model", run, alias="champion")
    second = server.register("moving", f"{uri}/model/MLmodel", run)
    for version, files in ((first, {"MLmodel", "extra"}), (second, {"MLmodel"})):
        server.point("moving", "champion", version)
        done = fetcher.run("mlflow://moving@champion", "--endpoint", server.url)
        assert done.code == 0, done.output
        assert set(fetcher.files()) == files
        shutil.rmtree(fetcher.folder)
        fetcher.folder.mkdir()


@rule("R26")
async def test_operator_resolves_an_alias_that_moves_and_one_that_does_not_exist(
    registry: Registry,
) -> None:
    shared = SharedResources(HttpClient(AddressPolicy.of(("127.0.0.0/8",))))
    server = TrackingServer(shared.of("a"), Endpoint(registry.server.url, 10))

    async def stands_for(name: str) -> str:
        return await mlflow_alias.resolved(server, parse(f"mlflow://{name}"))

    try:
        registry.server.point("fraud", "moving", "1")
        assert await stands_for("fraud@moving") == "mlflow://fraud/1"
        registry.server.point("fraud", "moving", "2")
        assert await stands_for("fraud@moving") == "mlflow://fraud/2"
        for missing in ("fraud@no-such", "no-such@moving"):
            with pytest.raises(Unresolved) as refused:
                await stands_for(missing)
            assert refused.value.reason == "SourceNotFound"
    finally:
        await shared.close()


async def test_operator_reads_the_lineage_of_versions_wherever_their_files_are(
    registry: Registry,
) -> None:
    server = registry.server
    metrics = [{"key": "loss", "value": "NaN", "timestamp": 1, "step": 0}]
    tags = [{"key": "mlflow.source.git.commit", "value": "4f1c2d9"}]
    dataset = {"name": "transactions", "digest": "ab12", "source_type": "local", "source": "{}"}
    server.call("POST", "runs/log-batch", run_id=registry.run, metrics=metrics, tags=tags)
    server.call("POST", "runs/log-inputs", run_id=registry.run, datasets=[{"dataset": dataset}])
    columns = '[{"name": "amount", "type": "double"}]'
    folder = server.call("GET", "runs/get", run_id=registry.run)["run"]["info"]["artifact_uri"]
    path = f"{folder.partition(':/')[2]}/signed"
    server.put(f"{path}/MLmodel", f"signature:\n  inputs: '{columns}'\n".encode())
    number = server.register("signed", f"{folder}/signed", registry.run)

    shared = SharedResources(HttpClient(AddressPolicy.of(("127.0.0.0/8",))))
    asked = TrackingServer(shared.of("a"), Endpoint(server.url, 10))
    try:
        lineage = await training_run.read(asked, parse(f"mlflow://signed/{number}"))
        assert json.loads(lineage.document()) == {
            "runId": registry.run,
            "gitCommit": "4f1c2d9",
            "datasets": [{"name": "transactions", "digest": "ab12"}],
            "metrics": {"loss": "NaN"},
            "signature": {"inputs": [{"name": "amount", "type": "double"}]},
        }
        by_run = await training_run.read(asked, parse(f"mlflow://runs/{registry.run}/signed"))
        assert by_run.document() == lineage.document()
        in_bucket = await training_run.read(asked, parse("mlflow://fraud/2"))
        assert in_bucket.facts == {"runId": registry.in_bucket}
        assert "does not serve the files" in in_bucket.unavailable[0]
        missing = await training_run.read(asked, parse("mlflow://fraud/99"))
        assert (missing.facts, missing.complete) == ({}, True)
    finally:
        await shared.close()


@rule("R26")
async def test_operator_writes_tags_and_the_registry_finds_versions_with_them(
    registry: Registry,
) -> None:
    shared = SharedResources(HttpClient(AddressPolicy.of(("127.0.0.0/8",))))
    woken = asyncio.Event()
    registries = Registries(cast(Api, None), shared.of, time.monotonic)
    writer = TagWriter(registries, lambda key, urgent: woken.set(), "prod-eu")
    tag = "canarium.dev/prod-eu.risk.fraud"

    async def written(version: str, state: RegistryState) -> str | None:
        uri, text = f"mlflow://fraud/{version}", f"it is {state}"
        writer.want(
            ("risk", "fraud"), TagRequest("one", uri, registry.server.url, None, state, text)
        )
        await asyncio.wait_for(woken.wait(), 30)
        woken.clear()
        result = writer.result(("risk", "fraud"))
        assert result
        return result.reason

    try:
        assert await written("1", RegistryState.PROMOTED) is None
        assert await written("2", RegistryState.PROMOTED) is None
        assert await written("1", RegistryState.REPLACED) is None
        found = registry.server.call("GET", "model-versions/get", name="fraud", version="1")
        assert {one["key"]: one["value"] for one in found["model_version"]["tags"]} == {
            tag: "Replaced",
            f"{tag}/reason": "it is Replaced",
        }
        query = f"tags.`{tag}` = 'Promoted'"
        found = registry.server.call("GET", "model-versions/search", filter=query)
        assert [one["version"] for one in found["model_versions"]] == ["2"]
        assert await written("99", RegistryState.PROMOTED) == "SourceNotFound"
    finally:
        await writer.close()
        await shared.close()


def test_fetch_continues_after_the_tracking_server_was_killed(
    fetcher: Fetcher, registry: Registry
) -> None:
    server, content = registry.server, os.urandom(1 << 20) * 96
    run, uri = server.run(server.experiment("killed"))
    server.put(f"{uri.partition(':/')[2]}/model/model.bin", content)
    endpoint = ("--endpoint", server.url, "--patience", "60")
    process = fetcher.start(f"mlflow://runs/{run}/model", *endpoint)
    try:
        fetcher.partial_bytes()
        server.kill()
        assert fetcher.partial_bytes() < len(content), "it was killed too late for this test"
        server.start()
        done = fetcher.end(process)
    finally:
        process.kill()
        process.communicate()
    assert done.code == 0, done.output
    assert "again in" in done.output
    assert fetcher.files()["model.bin"] == content
