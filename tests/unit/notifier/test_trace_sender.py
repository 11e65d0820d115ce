"""Traces against a real HTTP server on loopback that reads them with OpenTelemetry's own types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from canarium.notifier.notification import ModelTransitions, Notification
from canarium.notifier.process import sender_of
from canarium.notifier.sender import SecretFiles, Sender, SendFailed
from canarium.notifier.settings import Sink
from http_server import HttpServer
from unit.notifier.notifications import BEGAN, transition


@dataclass
class Collector:
    """Answers with `status`, and keeps what it received."""

    url: str = ""
    status: int = 200
    received: list[tuple[dict[str, str], ExportTraceServiceRequest]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = ExportTraceServiceRequest.FromString(await request.read())
        self.received.append((dict(request.headers), body))
        return web.Response(status=self.status, text="the answer\n")


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    async with HttpServer(collector.handle) as listening:
        collector.url = f"{listening.url}/v1/traces"
        yield collector


@pytest_asyncio.fixture
async def sender(collector: Collector, tmp_path: Path) -> AsyncIterator[Sender]:
    (tmp_path / "otel").mkdir()
    (tmp_path / "otel" / "token").write_text("t0ken\n")
    traces = {"url": collector.url, "tokenSecret": {"name": "otel", "key": "token"}}
    sink = Sink.model_validate({"name": "traces", "traces": traces})
    sender = sender_of(sink, SecretFiles(tmp_path), "prod")
    yield sender
    await sender.close()


def notifications() -> tuple[Notification, ...]:
    about = {"revision": "r2", "version": "v2"}
    transitions = (
        transition(0, "Started", **about),
        transition(10, "WeightInEffect", weight=20, **about),
        transition(25, "RolledBack", reason="ServerExited", **about),
    )
    return ModelTransitions("risk", "fraud", "u1", 1, {}, transitions).notifications()


async def test_rollback_is_one_request_with_its_spans(collector: Collector, sender: Sender) -> None:
    for notification in notifications():
        await sender.send(notification)
    ((headers, request),) = collector.received
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["Authorization"] == "Bearer t0ken"
    (resource,) = request.resource_spans
    facts = {fact.key: fact.value.string_value for fact in resource.resource.attributes}
    assert facts["service.name"] == "canarium"
    (scope,) = resource.scope_spans
    root, start, weight = scope.spans
    assert [span.name for span in scope.spans] == ["rollout risk/fraud", "start", "weight 20"]
    assert root.status == Status(code=Status.STATUS_CODE_ERROR, message="message 25")
    assert root.start_time_unix_nano == int(BEGAN) * 1_000_000_000
    assert root.end_time_unix_nano - root.start_time_unix_nano == 25 * 1_000_000_000
    assert (len(root.trace_id), len(root.span_id), root.parent_span_id) == (16, 8, b"")
    assert {span.parent_span_id for span in (start, weight)} == {root.span_id}
    assert attributes(weight)["canarium.weight"] == 20
    assert attributes(root)["canarium.reason"] == "ServerExited"


async def test_collector_that_is_down_is_tried_again(collector: Collector, sender: Sender) -> None:
    collector.status = 503
    with pytest.raises(SendFailed, match="the receiver answered 503: the answer") as failed:
        await sender.send(notifications()[-1])
    assert not failed.value.refused


def attributes(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
