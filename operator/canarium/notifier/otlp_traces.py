"""Sends traces of rollouts by OTLP over HTTP, as protobuf (opentelemetry.io/docs/specs/otlp)."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from canarium import VERSION
from canarium.notifier.http_receiver import HttpReceiver
from canarium.notifier.notification import Notification
from canarium.notifier.sender import SecretFiles
from canarium.notifier.settings import Traces
from canarium.notifier.spans import Span, spans_of

_STATUS = {
    None: trace_pb2.Status.STATUS_CODE_UNSET,
    False: trace_pb2.Status.STATUS_CODE_OK,
    True: trace_pb2.Status.STATUS_CODE_ERROR,
}


def request(spans: tuple[Span, ...]) -> ExportTraceServiceRequest:
    """Returns the request that exports `spans`."""
    scope = InstrumentationScope(name="canarium", version=VERSION)
    listed = trace_pb2.ScopeSpans(scope=scope, spans=[_span(span) for span in spans])
    facts = {"service.name": "canarium", "service.version": VERSION}
    resource = Resource(attributes=[_attribute(*fact) for fact in facts.items()])
    whole = trace_pb2.ResourceSpans(resource=resource, scope_spans=[listed])
    return ExportTraceServiceRequest(resource_spans=[whole])


def _span(span: Span) -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id or b"",
        name=span.name,
        kind=trace_pb2.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        attributes=[_attribute(*one) for one in span.attributes],
        events=[
            trace_pb2.Span.Event(name=name, time_unix_nano=moment) for name, moment in span.events
        ],
        status=trace_pb2.Status(code=_STATUS[span.failed], message=span.message),
    )


def _attribute(key: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


class TraceSender:
    """Sends to one receiver, such as an OpenTelemetry Collector."""

    def __init__(self, sink: Traces, secrets: SecretFiles, cluster: str) -> None:
        self._cluster = cluster
        self._receiver = HttpReceiver(
            secrets, "application/x-protobuf", sink.url, sink.url_secret, sink.token_secret
        )

    async def send(self, notification: Notification) -> None:
        spans = spans_of(notification, self._cluster)
        if spans:
            await self._receiver.post(request(spans).SerializeToString())

    async def close(self) -> None:
        await self._receiver.close()
