"""The lineage of a model as a tracking server knows it, and what is missing in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web as server

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.sources.tracking_server import TrackingServer
from canarium.sources.training_run import LARGEST, Lineage, read
from evaluation.test_mlflow import RUN
from signals.conftest import Responder

rule = pytest.mark.rule
VERSION = parse("mlflow://fraud%20v2/7")
FOLDER = "mlflow-artifacts:/1/f80d/artifacts/model"
MODEL = 'signature:\n  inputs: \'[{"name": "amount", "type": "double"}]\'\n'
#: Path of a request → status and answer.
Answers = dict[str, tuple[int, str]]


def answers(**changed: tuple[int, str]) -> Answers:
    """Those of a server that knows everything, some of them changed."""
    whole = {
        "version": (200, json.dumps({"model_version": {"version": "7", "run_id": "f80d"}})),
        "folder": (200, json.dumps({"artifact_uri": FOLDER})),
        "run": (200, json.dumps({"run": RUN})),
        "model": (200, MODEL),
    } | changed
    paths = {
        "version": "mlflow/model-versions/get",
        "folder": "mlflow/model-versions/get-download-uri",
        "run": "mlflow/runs/get",
        "model": "mlflow-artifacts/artifacts/1/f80d/artifacts/model/MLmodel",
    }
    return {f"/proxy/api/2.0/{paths[name]}": answer for name, answer in whole.items()}


def answering(known: Answers) -> Callable[[server.BaseRequest], Any]:
    async def handler(request: server.BaseRequest) -> server.Response:
        status, text = known.get(request.path, (404, "{}"))
        return server.Response(status=status, text=text)

    return handler


async def lineage(
    web: NamespaceAccess, responder: Responder, uri: str = "", **changed: tuple[int, str]
) -> Lineage:
    responder.handler = answering(answers(**changed))
    token = {"Authorization": "Bearer a-token"}
    asked = TrackingServer(web, Endpoint(f"{responder.url}/proxy", 2, token, None, ("a-token",)))
    return await read(asked, parse(uri) if uri else VERSION)


async def test_version_has_the_lineage_of_its_run(
    web: NamespaceAccess, responder: Responder
) -> None:
    found = await lineage(web, responder)
    assert json.loads(found.document()) == {
        "runId": "f80d",
        "gitCommit": "4f1c2d9",
        "datasets": [{"name": "transactions", "digest": "ab12", "context": "training"}],
        "metrics": {"auc": 0.93, "bad": "NaN", "f1": 0.8},
        "signature": {"inputs": [{"name": "amount", "type": "double"}]},
    }
    assert found.complete
    assert len(responder.requests) == 4
    query = dict(parse_qsl(responder.requests[0][1].partition("?")[2]))
    assert query == {"name": "fraud v2", "version": "7"}
    assert all(headers["Authorization"] == "Bearer a-token" for headers in responder.headers)


async def test_artifact_of_a_run_has_its_lineage(
    web: NamespaceAccess, responder: Responder
) -> None:
    found = json.loads((await lineage(web, responder, "mlflow://runs/f80d/model")).document())
    assert (found["runId"], found["gitCommit"]) == ("f80d", "4f1c2d9")
    assert found["signature"]["inputs"]
    assert len(responder.requests) == 2


@pytest.mark.parametrize(
    ("changed", "left", "complete", "text"),
    [
        ({"run": (404, "{}")}, {"runId", "signature"}, True, "run f80d: HTTP 404"),
        ({"run": (403, '{"message": "a-token"}')}, {"runId", "signature"}, False, "[hidden]"),
        ({"run": (503, "")}, {"runId", "signature"}, False, "HTTP 503"),
        ({"run": (200, "<h1>Sign in</h1>")}, {"runId", "signature"}, True, "not valid JSON"),
        ({"run": (200, '"' + "x" * (5 << 20) + '"')}, {"runId", "signature"}, True, "5.0 MiB"),
        ({"run": (200, "x" * (9 << 20))}, {"runId", "signature"}, False, "longer than 8 MiB"),
        ({"version": (404, "{}")}, set(), True, "version 7 of model 'fraud v2'"),
        ({"version": (200, "[" * 100_000)}, set(), False, "the answer is not JSON"),
        (
            {"version": (200, '{"model_version": {"run_id": ""}}')},
            {"signature"},
            True,
            "registered without a run",
        ),
        (
            {"version": (200, '{"model_version": {"run_id": "../../secret"}}')},
            {"signature"},
            True,
            "registered without a run",
        ),
        (
            {"folder": (200, '{"artifact_uri": "s3://models/1"}')},
            {"runId", "gitCommit", "datasets", "metrics"},
            True,
            "does not serve the files",
        ),
        (
            {"folder": (200, '{"artifact_uri": "mlflow-artifacts://169.254.169.254/latest"}')},
            {"runId", "gitCommit", "datasets", "metrics"},
            True,
            "does not serve the files",
        ),
        (
            {"folder": (200, '{"artifact_uri": "mlflow-artifacts:/a/../../../b"}')},
            {"runId", "gitCommit", "datasets", "metrics"},
            True,
            "does not serve the files",
        ),
        (
            {"model": (200, "a: [")},
            {"runId", "gitCommit", "datasets", "metrics"},
            True,
            "MLmodel is not valid YAML",
        ),
        (
            {"model": (200, "#" * (300 << 10))},
            {"runId", "gitCommit", "datasets", "metrics"},
            True,
            "larger than 256 KiB",
        ),
    ],
)  # fmt: skip
@rule("R31")
async def test_what_cannot_be_read_is_missing_with_the_reason(
    web: NamespaceAccess,
    responder: Responder,
    changed: dict[str, tuple[int, str]],
    left: set[str],
    complete: bool,
    text: str,
) -> None:
    found = await lineage(web, responder, **changed)
    document = json.loads(found.document())
    (reason,) = document.pop("unavailable")
    assert text in reason
    assert "a-token" not in reason
    assert (set(document), found.complete) == (left, complete)


@rule("R31")
async def test_texts_are_escaped_and_the_document_is_bounded(
    web: NamespaceAccess, responder: Responder
) -> None:
    wild = "\u202e\n\x1b" * 40
    metrics = [{"key": f"{n:02}{wild}", "value": 1e300} for n in range(100)]
    datasets = [{"dataset": {"name": wild, "digest": wild}}] * 100
    columns = json.dumps([{"name": wild, "type": wild}] * 30)
    run = {"data": {"metrics": metrics}, "inputs": {"dataset_inputs": datasets}}
    stored = json.dumps({"signature": {"inputs": columns, "outputs": columns}})
    changed = {"run": (200, json.dumps({"run": run})), "model": (200, stored)}
    text = (await lineage(web, responder, **changed)).document()
    assert len(text.encode()) <= LARGEST
    assert json.loads(text)["unavailable"] == ["too large: signature"]
    assert text.isprintable()
