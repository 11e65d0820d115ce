"""Models of an MLflow registry: a real server, with artifacts on its disk and in a bucket."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from canarium.api.uri import parse
from canarium.signals.access import SharedResources
from canarium.signals.addresses import AddressPolicy
from canarium.signals.http_client import HttpClient
from canarium.signals.prometheus import Endpoint
from canarium.sources import mlflow_alias
from canarium.sources.errors import Unresolved
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
    version = "" if name.startswith("runs") else "fraud/1, "
    assert done.report["resolved"] == f"{version}run {registry.run}"


def test_model_is_fetched_from_the_bucket_of_its_run(
    fetcher: Fetcher, registry: Registry, s3: S3
) -> None:
    secret = {**KEYS, "AWS_ENDPOINT_URL": s3.url, "AWS_REGION": "us-east-1"}
    secret["MLFLOW_TRACKING_TOKEN"] = "not-asked-for"
    endpoint = ("--endpoint", registry.server.url)
    done = fetcher.run("mlflow://fraud@challenger", *endpoint, secret=secret)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE
    assert done.report["resolved"] == f"fraud/2, run {registry.in_bucket}"
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
    for uri, resolved in (
        (f"mlflow://runs/{run}/clf", f"run {run}, model {model}"),
        (f"mlflow://three/{version}", f"three/1, run {run}"),
    ):
        done = fetcher.run(uri, "--endpoint", server.url)
        assert done.code == 0, done.output
        assert (fetcher.files(), done.report["resolved"]) == ({"MLmodel": b"three"}, resolved)
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
    server.put(f"{uri.partition(':/')[2]}/model/MLmodel", b"moved")
    first = server.register("moving", f"{uri}/model", run, alias="champion")
    second = server.register("moving", f"{uri}/model/MLmodel", run)
    for version in (first, second):
        server.point("moving", "champion", version)
        done = fetcher.run("mlflow://moving@champion", "--endpoint", server.url)
        assert done.code == 0, done.output
        assert done.report["resolved"] == f"moving/{version}, run {run}"
        shutil.rmtree(fetcher.folder)
        fetcher.folder.mkdir()


@rule("R26")
async def test_operator_resolves_an_alias_that_moves_and_one_that_does_not_exist(
    registry: Registry,
) -> None:
    shared = SharedResources(HttpClient(AddressPolicy.of(("127.0.0.0/8",))))
    server = Endpoint(registry.server.url, 10)

    async def stands_for(name: str) -> str:
        return await mlflow_alias.resolved(shared.of("a"), parse(f"mlflow://{name}"), server)

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
