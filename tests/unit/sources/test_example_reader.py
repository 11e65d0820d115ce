"""The input example of a version: where it is read, and why there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.reasons import CheckReason
from canarium.core.facts.training_run import RunRequest
from canarium.signals.logged_example import LoggedExample, NoExample
from canarium.sources.example_reader import LARGEST, RegistryExamples
from evaluation.test_logged_examples import model
from signals.conftest import Responder
from sources.rig import SourceRig
from sources.test_training_run import answering

rule = pytest.mark.rule
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
FOLDER = "1/models/m-1/artifacts"
EXAMPLE = '{"inputs": [[1.5, "DE"]]}'


def answers(**changed: tuple[int, str]) -> dict[str, tuple[int, str]]:
    """Those of a server with one version, which a run of MLflow 3 logged."""
    logged = {"model_id": "m-1", "name": "model", "artifact_uri": f"mlflow-artifacts:/{FOLDER}"}
    run = {
        "info": {"run_id": "f80d", "artifact_uri": "mlflow-artifacts:/1/f80d/artifacts"},
        "outputs": {"model_outputs": [{"model_id": "m-1"}]},
    }
    whole = {
        f"{API}/model-versions/get-download-uri": {"artifact_uri": logged["artifact_uri"]},
        f"{API}/runs/get": {"run": run},
        f"{API}/logged-models/m-1": {"model": {"info": logged}},
    }
    names = {"folder": f"{API}/model-versions/get-download-uri", "run": f"{API}/runs/get"}
    files = {
        f"{FILES}/{FOLDER}/MLmodel": (200, model().decode()),
        f"{FILES}/{FOLDER}/serving_input_example.json": (200, EXAMPLE),
    }
    names |= {"model": f"{FILES}/{FOLDER}/MLmodel", "example": list(files)[1]}
    known = {path: (200, json.dumps(answer)) for path, answer in whole.items()} | files
    return known | {names[name]: answer for name, answer in changed.items()}


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SourceRig]:
    made = SourceRig()
    yield made
    await made.close()


async def example(
    rig: SourceRig, responder: Responder, uri: str = "mlflow://fraud/7", **changed: tuple[int, str]
) -> LoggedExample:
    responder.handler = answering(answers(**changed))
    request = RunRequest("one", uri, responder.url, None)
    return await RegistryExamples(rig.registries).read("a", request)


@pytest.mark.parametrize("uri", ["mlflow://fraud/7", "mlflow://runs/f80d/model"])
async def test_example_of_a_version_or_a_run_is_read_through_the_server(
    rig: SourceRig, responder: Responder, uri: str
) -> None:
    found = await example(rig, responder, uri)
    assert (found.kind, found.content) == ("serving", EXAMPLE.encode())
    assert json.loads(found.signature)["outputs"] == [{"type": "long"}]
    assert len(responder.requests) <= 4


@pytest.mark.parametrize(
    ("changed", "reason", "text"),
    [
        (
            {"model": (200, model(saved_input_example_info=None).decode())},
            CheckReason.NO_INPUT_EXAMPLE,
            "mlflow://fraud/7: the model was logged without input example",
        ),
        (
            {"example": (404, "{}")},
            CheckReason.NO_INPUT_EXAMPLE,
            "the input example (serving_input_example.json): HTTP 404",
        ),
        ({"model": (200, "a: [")}, CheckReason.NO_INPUT_EXAMPLE, "MLmodel is not valid YAML"),
        (
            {"folder": (200, '{"artifact_uri": "s3://bucket/model"}')},
            CheckReason.NO_INPUT_EXAMPLE,
            "the tracking server does not serve the files of the model",
        ),
        (
            {"model": (200, "x" * 300_000)},
            CheckReason.ANSWER_TOO_LARGE,
            "the file MLmodel has more than 256 KiB",
        ),
        (
            {"example": (200, "1" * (LARGEST + 1))},
            CheckReason.ANSWER_TOO_LARGE,
            "the input example (serving_input_example.json) has more than 1 MiB",
        ),
        ({"folder": (500, "{}")}, CheckReason.UNREACHABLE, "HTTP 500"),
        ({"folder": (403, "{}")}, CheckReason.ACCESS_DENIED, "HTTP 403"),
    ],
)
@rule("R21", "R31")
async def test_version_without_a_readable_example_has_a_reason(
    rig: SourceRig, responder: Responder, changed: Any, reason: CheckReason, text: str
) -> None:
    with pytest.raises(NoExample) as missing:
        await example(rig, responder, **changed)
    assert missing.value.reason is reason
    assert text in str(missing.value)


async def test_registry_that_is_away_is_a_reason(rig: SourceRig, responder: Responder) -> None:
    request = RunRequest("one", "mlflow://fraud/7", "http://127.0.0.1:1", None)
    with pytest.raises(NoExample) as missing:
        await RegistryExamples(rig.registries).read("a", request)
    assert missing.value.reason is CheckReason.UNREACHABLE


async def test_slow_registry_is_a_reason(
    rig: SourceRig, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canarium.sources.example_reader.PATIENCE", 0.2)

    async def slow(request: server.BaseRequest) -> server.Response:
        return await responder.hang(request)  # type: ignore[arg-type]

    responder.handler = slow
    with pytest.raises(NoExample) as missing:
        await RegistryExamples(rig.registries).read(
            "a", RunRequest("one", "mlflow://fraud/7", responder.url, None)
        )
    assert missing.value.reason is CheckReason.UNREACHABLE
    assert "not complete within" in str(missing.value)
