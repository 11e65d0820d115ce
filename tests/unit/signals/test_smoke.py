"""R4: what a pod must answer before its version gets traffic."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web as server
from grpclib.const import Cardinality, Handler
from grpclib.encoding.base import CodecBase
from grpclib.server import Server, Stream

from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.evaluation.errors import ErrorReason
from canarium.signals import smoke
from canarium.signals.access import NamespaceAccess
from canarium.signals.assertions import faults
from canarium.signals.replay import ReplayComparison, compare, recorded
from canarium.signals.smoke import Failed, Target
from signals.conftest import Responder, smoke_test

rule = pytest.mark.rule
ANSWER = {"model": "fraud", "outputs": [{"name": "p", "data": [0.91, 0.09]}]}


def test_of(**fields: Any) -> EffectiveSmokeTest:
    return smoke_test({"path": "/v2/models/fraud/infer", **fields})


test_of.__test__ = False  # type: ignore[attr-defined]


async def run(
    web: NamespaceAccess, responder: Responder, test: EffectiveSmokeTest, **more: Any
) -> Failed | None:
    target = Target("pod-a", "127.0.0.1", responder.port)
    arguments = {"bodies": {}, "predict_path": None, **more}
    return await smoke.run(web, [test], [target], **arguments)


@rule("R4")
@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({}, None),
        ({"status": 201}, "status 200, expected 201"),
        ({"json": [{"path": "$.outputs[0].data[0]", "value": 0.9, "tolerance": "0.02"}]}, None),
        ({"json": [{"path": "$.outputs[0].data[0]", "value": 0.9}]}, "is 0.91, expected 0.9"),
        ({"json": [{"path": "$.outputs[0].data", "value": [0.9, 0.1], "tolerance": "0.02"}]}, None),
        ({"json": [{"path": "$.outputs[0].data", "value": [0.9], "tolerance": "1"}]}, "expected"),
        ({"json": [{"path": "$.outputs[0].name", "value": "p"}]}, None),
        ({"json": [{"path": "$.outputs[1]"}]}, "$.outputs[1] matches nothing"),
        ({"json": [{"path": "$.outputs["}]}, "is not a valid JSON path"),
        ({"schema": {"type": "object", "required": ["outputs"]}}, None),
        ({"schema": {"required": ["predictions"]}}, "'predictions' is a required property"),
        ({"schema": {"$ref": "http://example.org/x"}}, "cannot be used"),
        ({"maxLatency": "5s"}, None),
    ],
    ids=lambda x: str(x)[:50],
)  # fmt: skip
async def test_expectation(
    web: NamespaceAccess, responder: Responder, expect: dict[str, Any], said: str | None
) -> None:
    responder.responds(json.dumps(ANSWER))
    failed = await run(web, responder, test_of(body={"inputs": []}, expect=expect))
    if said is None:
        assert failed is None
    else:
        assert failed is not None
        assert said in failed.message
        assert (failed.test, failed.pod) == ("/v2/models/fraud/infer", "pod-a")
        wrong = "is not a valid JSON path" in said or "cannot be used" in said
        assert failed.fault == (ErrorReason.INVALID if wrong else None)


@rule("R4")
async def test_slow_answer_fails_but_warmup_does_not_count(
    web: NamespaceAccess, responder: Responder
) -> None:
    slow = [0.3, 0.0]

    async def handler(request: server.Request) -> server.Response:
        await asyncio.sleep(slow.pop(0) if slow else 0)
        return server.Response(text="{}")

    responder.handler = handler
    expect = {"maxLatency": "150ms"}
    assert await run(web, responder, test_of(warmup=1, expect=expect)) is None
    slow[:] = [0.3]
    failed = await run(web, responder, test_of(expect=expect))
    assert failed is not None
    assert "expected at most 150ms" in failed.message


@rule("R4")
async def test_body_path_method_and_headers_are_sent(
    web: NamespaceAccess, responder: Responder
) -> None:
    assert await run(web, responder, test_of(body={"a": 1}, headers={"X-A": "b"})) is None
    stored = smoke_test({"bodyFrom": {"configMap": {"name": "bodies", "key": "one"}}})
    assert await run(web, responder, stored, bodies={0: b"raw"}, predict_path="/predict") is None
    assert await run(web, responder, test_of(path="/healthz")) is None
    assert responder.requests == [
        ("POST", "/v2/models/fraud/infer", b'{"a":1}'),
        ("POST", "/predict", b"raw"),
        ("GET", "/healthz", b""),
    ]
    assert responder.headers[0]["X-A"] == "b"
    assert responder.headers[0]["Content-Type"] == "application/json"


class Bytes(CodecBase):
    """Messages are bytes already."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return bytes(data)


class Health:
    """A gRPC health service for what is in `states`."""

    def __init__(self, states: dict[bytes, bytes]) -> None:
        self.states = states

    async def check(self, stream: Stream[bytes, bytes]) -> None:
        request = await stream.recv_message()
        await stream.send_message(self.states[request or b""])

    def __mapping__(self) -> dict[str, Handler]:
        return {
            "/grpc.health.v1.Health/Check": Handler(
                self.check, Cardinality.UNARY_UNARY, bytes, bytes
            )
        }


@rule("R4")
@pytest.mark.parametrize(
    ("service", "said"),
    [(None, None), ("fraud", None), ("other", "NOT_SERVING"), ("unknown", "gRPC UNKNOWN")],
)
async def test_grpc_health(
    web: NamespaceAccess, responder: Responder, service: str | None, said: str | None
) -> None:
    states = {b"": b"\x08\x01", b"\x0a\x05fraud": b"\x08\x01", b"\x0a\x05other": b"\x08\x02"}
    grpc = Server([Health(states)], codec=Bytes())
    await grpc.start("127.0.0.1", 0)
    assert grpc._server is not None
    port = grpc._server.sockets[0].getsockname()[1]
    try:
        question = {"port": port, **({"service": service} if service else {})}
        failed = await run(web, responder, smoke_test({"grpc": question}))
    finally:
        grpc.close()
        await grpc.wait_closed()
    if said is None:
        assert failed is None
    else:
        assert failed is not None
        assert said in failed.message


async def test_fault_of_a_test_itself_is_named_with_its_path(web: NamespaceAccess) -> None:
    test = test_of(expect={"json": [{"path": "$.a"}, {"path": "$.b["}], "schema": {"type": "nope"}})
    assert test.expect is not None
    first, second = await faults(web, {"spec.rollout.smokeTests[0].expect": test.expect})
    assert first.startswith("spec.rollout.smokeTests[0].expect.json[1].path: '$.b['")
    assert second.startswith("spec.rollout.smokeTests[0].expect.schema: $.type")


async def test_differing_answers_are_counted_and_errors_of_stable_are_not(
    web: NamespaceAccess, responder: Responder
) -> None:
    async def handler(request: server.Request) -> server.Response:
        number = json.loads(await request.read())["n"]
        if number == 3 and request.path == "/stable":
            return server.Response(status=500)
        if number == 2 and request.path == "/candidate":
            return server.Response(status=500)
        wrong = 0.5 if number == 1 and request.path == "/candidate" else 0.001
        off = wrong if request.path == "/candidate" else 0.0
        return server.Response(text=json.dumps({"score": number + off}))

    responder.handler = handler
    requests = await recorded(web, "\n".join(json.dumps({"n": n}) for n in range(10)))
    pods = [Target(name, "127.0.0.1", responder.port) for name in ("c", "s")]

    how = ReplayComparison(
        "/candidate", "/stable", json_path="$.score", tolerance=0.01, patience=10.0
    )
    found = await compare(web, how, requests, pods[0], pods[1])
    assert (found.bad, found.samples) == (2, 9)  # type: ignore[union-attr]
