"""Smoke tests: requests of the operator's own that a version must answer well (R4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, OpenObject, Part, Port, ruled

JsonPath = Annotated[str, Field(max_length=512, pattern=r"^\$")]
Decimal = Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?$")]
AnyValue = Annotated[Any, Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]


class JsonExpectation(Part):
    """What must be at a place in the answer."""

    path: JsonPath = Field(
        description="A JSON path (RFC 9535), such as $.outputs[0].data[0]. It must match."
    )
    value: AnyValue | None = Field(
        None,
        description="What every match must equal: text, number, true, list or object. "
        "Absent: matching is enough.",
    )
    tolerance: Decimal | None = Field(
        None,
        description='How far a number, or each number of a list, may be off, such as "0.01".',
    )


class Expectation(Part):
    """What makes an answer good. What is absent is not looked at, but the status always is."""

    status: int | None = Field(None, ge=100, le=599, description="HTTP status; default 200.")
    json_values: list[JsonExpectation] | None = Field(
        None, alias="json", max_length=16, description="Values in the answer, which must be JSON."
    )
    json_schema: OpenObject | None = Field(
        None,
        alias="schema",
        description="A JSON Schema (2020-12) that the answer satisfies; without references to "
        "other documents.",
    )
    max_latency: Duration | None = Field(
        None, description="How long an answer may take, such as 200ms."
    )


class ConfigMapKey(Part):
    """A key of a ConfigMap in the model's namespace."""

    name: str = Field(max_length=253, min_length=1, description="Name of the ConfigMap.")
    key: str = Field(max_length=253, min_length=1, description="Key in it.")


class BodySource(Part):
    """Where a body comes from."""

    config_map: ConfigMapKey = Field(description="A key of a ConfigMap in the model's namespace.")


class GrpcHealth(Part):
    """A question by the gRPC health protocol; the answer must be SERVING."""

    service: str | None = Field(
        None, max_length=253, description="Its service; absent: the server as a whole."
    )
    port: Port = Field(description="The port that speaks gRPC.")


class SmokeTest(Part):
    """One request to each pod of a new version, before it gets any traffic."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "!has(self.grpc) || (!has(self.path) && !has(self.body) && !has(self.bodyFrom))",
                "grpc asks for gRPC health: path, body and bodyFrom belong to HTTP",
                ".grpc",
            ),
            (
                "!has(self.body) || !has(self.bodyFrom)",
                "set body or bodyFrom, not both",
                ".bodyFrom",
            ),
            (
                "!has(self.grpc) || !has(self.expect) || (!has(self.expect.json) && "
                "!has(self.expect.schema) && !has(self.expect.status))",
                "gRPC health is judged by SERVING and maxLatency alone",
                ".expect",
            ),
        )
    )

    title: str | None = Field(
        None, max_length=63, description="How it is called in the status; default its path."
    )
    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path of the request, such as /v2/models/fraud/infer; default: the runtime's "
        "path for predictions.",
    )
    port: Port | None = Field(None, description="Port of the pod; default: the server's port.")
    method: Literal["GET", "POST", "PUT"] | None = Field(
        None, description="Default POST with a body, else GET."
    )
    headers: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None, max_length=16, description="Headers; Content-Type is application/json by default."
    )
    body: OpenObject | None = Field(None, description="A JSON object to send.")
    body_from: BodySource | None = Field(None, description="Where the body comes from.")
    grpc: GrpcHealth | None = Field(None, description="Ask for gRPC health instead.")
    warmup: int | None = Field(
        None,
        ge=0,
        le=100,
        description="How often the request is sent before, with answers that do not count; "
        "default 0.",
    )
    timeout: Duration | None = Field(None, description="How long to wait; default 10s.")
    expect: Expectation | None = Field(None, description="Default: status 200.")
