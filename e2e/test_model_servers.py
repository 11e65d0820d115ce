"""Six model servers as people install them, on the runtimes that ship, answering predictions."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Forward, Sandbox
from support.model_servers.images import (
    APPLICATION_SERVERS,
    MLSERVER,
    MODELS,
    PYTHON_SERVERS,
    server_images,
    train,
)

EXAMPLES = Path(__file__).parents[1] / "examples" / "runtimes"
NAMESPACE = "servers"
REQUESTS = 50
READY_WITHIN = 180.0


def infer(rows: list[list[float]]) -> Any:
    """The Open Inference protocol."""
    data = [value for row in rows for value in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": data}]}


@dataclass(frozen=True)
class Served:
    """An example, the image that stands in for its own, and how its server is spoken to."""

    example: str
    image: str
    model: str
    #: Package and version of the server, and what makes its predictions.
    server: str
    behind: str
    ask: Callable[[list[list[float]]], Any]
    read: Callable[[Any], list[Any]]


def _rows(output: list[list[float]]) -> list[float]:
    return [row[0] for row in output]


SERVED = (
    Served(
        "mlserver-sklearn",
        "mlserver-sklearn",
        "sklearn",
        MLSERVER[0],
        "scikit-learn",
        infer,
        lambda a: a["outputs"][0]["data"],
    ),
    Served(
        "mlserver-xgboost",
        "mlserver-xgboost",
        "xgboost",
        MLSERVER[0],
        "XGBoost",
        infer,
        lambda a: a["outputs"][0]["data"],
    ),
    Served(
        "kserve-sklearn",
        "kserve-onnx",
        "onnx",
        PYTHON_SERVERS[0],
        "ONNX Runtime",
        lambda rows: {"instances": rows},
        lambda a: _rows(a["predictions"]),
    ),
    Served(
        "litserve",
        "litserve-onnx",
        "onnx",
        PYTHON_SERVERS[1],
        "ONNX Runtime",
        lambda rows: {"input": rows},
        lambda a: _rows(a["output"]),
    ),
    Served(
        "ray-serve",
        "ray-onnx",
        "onnx",
        APPLICATION_SERVERS[0],
        "ONNX Runtime",
        lambda rows: {"input": rows},
        lambda a: _rows(a["output"]),
    ),
    Served(
        "bentoml",
        "bento-onnx",
        "onnx",
        APPLICATION_SERVERS[1],
        "ONNX Runtime",
        lambda rows: {"input": rows},
        _rows,
    ),
)


@pytest.fixture(scope="module")
def servers(node: Sandbox) -> Iterator[dict[str, float]]:
    """All applied at once, in a namespace of the strictest level; seconds until Ready."""
    models = train()
    node.load(server_images(models))
    node.kubectl("create", "namespace", NAMESPACE)
    node.kubectl("label", "ns", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    began = {}
    try:
        for served in SERVED:
            body = yaml.safe_load((EXAMPLES / f"{served.example}.yaml").read_text())
            body["metadata"]["name"] = served.example
            body["spec"]["model"]["uri"] = f"file:///models/{served.model}"
            body["spec"]["runtime"]["image"] = f"canarium.dev/servers:{served.image}"
            body["spec"]["scaling"] = {"replicas": 1}
            body["spec"].pop("resources", None)
            node.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(body))
            began[served.example] = time.monotonic()
        yield _until_ready(node, began)
    finally:
        node.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _until_ready(node: Sandbox, began: dict[str, float]) -> dict[str, float]:
    durations: dict[str, float] = {}
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        listed = json.loads(node.kubectl("-n", NAMESPACE, "get", "modeldeployment", "-o", "json"))
        for model in listed["items"]:
            name, status = model["metadata"]["name"], model.get("status", {})
            ready = {c["type"]: c["status"] for c in status.get("conditions", ())}.get("Ready")
            assert status.get("phase") not in ("Failed", "Invalid"), status["message"]
            if ready == "True" and name not in durations:
                durations[name] = time.monotonic() - began[name]
        if len(durations) == len(began):
            return durations
        time.sleep(0.1)
    pods = node.kubectl("-n", NAMESPACE, "get", "pods", "-o", "wide")
    raise AssertionError(f"only {sorted(durations)} were Ready in {READY_WITHIN:g} s:\n{pods}")


@pytest.mark.rule("R4")
@pytest.mark.parametrize("served", SERVED, ids=lambda served: served.example)
def test_server_answers_with_the_prediction_of_its_model(
    node: Sandbox,
    servers: dict[str, float],
    served: Served,
    figures: Callable[..., None],
) -> None:
    expected = json.loads((MODELS / f"{served.model}.json").read_text())
    name = served.example
    model = json.loads(node.kubectl("-n", NAMESPACE, "get", "modeldeployment", name, "-o", "json"))
    revision = model["status"]["stable"]["revision"]
    record = json.loads(
        node.kubectl(
            "-n", NAMESPACE, "get", "controllerrevision", f"{name}-{revision}", "-o", "json"
        )
    )
    path = record["data"]["runtime"]["server"]["predictPath"]
    service = json.loads(node.kubectl("-n", NAMESPACE, "get", "service", name, "-o", "json"))
    images = json.loads(service["metadata"]["annotations"]["canarium.dev/images"])
    assert "sha256:" in images[revision]["server"]
    way = node.forward(f"{service['spec']['clusterIP']}:80")
    try:
        answered = _ask(way, path, served, expected)
    finally:
        way.close()
    figures(
        "model servers from PyPI",
        runtime=name,
        server=served.server.replace("==", " "),
        model_by=served.behind,
        apply_to_Ready=f"{servers[name]:.1f} s",
        requests_answered=f"{answered} of {REQUESTS}",
    )
    assert answered == REQUESTS


def _ask(way: Forward, path: str, served: Served, expected: dict[str, Any]) -> int:
    """Asks often, each time for all rows; how many answers were right."""
    body = json.dumps(served.ask(expected["rows"])).encode()
    request = urllib.request.Request(
        f"{way.url}{path}", data=body, headers={"Content-Type": "application/json"}
    )
    # kube-proxy learns of the first endpoints up to a second after the API server does.
    time.sleep(1)
    right = 0
    for _ in range(REQUESTS):
        with urllib.request.urlopen(request, timeout=10) as response:
            predictions = served.read(json.loads(response.read()))
        assert predictions == pytest.approx(expected["said"], rel=1e-4, abs=1e-4)
        right += 1
    return right
