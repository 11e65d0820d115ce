"""Smoke tests: requests by the operator that a version must pass before it has traffic (R4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, OpenObject, Part, Port, ruled

JsonPath = Annotated[str, Field(max_length=512, pattern=r"^\$")]
Decimal = Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?$")]
AnyValue = Annotated[Any, Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]


class JsonExpectation(Part):
    """A value that the response must contain."""

    path: JsonPath = Field(
        description="A JSON path (RFC 9535), such as $.outputs[0].data[0]. It must match."
    )
    value: AnyValue | None = Field(
        None,
        description="Value that every match must equal: text, number, boolean, list or object. "
        "Default: any match passes.",
    )
    tolerance: Decimal | None = Field(
        None,
        description='Allowed difference of a number, or of each number in a list, such as "0.01".',
    )


class Expectation(Part):
    """Expected response. The status is always checked; other fields only if they are set."""

    status: int | None = Field(None, ge=100, le=599, description="HTTP status. Default: 200.")
    json_values: list[JsonExpectation] | None = Field(
        None, alias="json", max_length=16, description="Values in the response, which must be JSON."
    )
    json_schema: OpenObject | None = Field(
        None,
        alias="schema",
        description="JSON Schema (2020-12) that the response must satisfy, without references to "
        "other documents.",
    )
    max_latency: Duration | None = Field(
        None, description="Maximum duration of the request, such as 200ms."
    )


class ConfigMapKey(Part):
    """A key of a ConfigMap in the model's namespace."""

    name: str = Field(max_length=253, min_length=1, description="Name of the ConfigMap.")
    key: str = Field(max_length=253, min_length=1, description="Key in the ConfigMap.")


class BodySource(Part):
    """Source of a request body."""

    config_map: ConfigMapKey = Field(description="A key of a ConfigMap in the model's namespace.")


class GrpcHealth(Part):
    """A request of the gRPC health protocol. The response must be SERVING."""

    service: str | None = Field(
        None, max_length=253, description="Name of the service. Default: the server as a whole."
    )
    port: Port = Field(description="Port of the gRPC server.")


class SmokeTest(Part):
    """One request to each pod of a new version, before it receives traffic."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "!has(self.grpc) || (!has(self.path) && !has(self.body) && !has(self.bodyFrom))",
                "grpc sends a gRPC health request: path, body and bodyFrom apply only to HTTP",
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
                "expect supports only maxLatency with grpc: the response must be SERVING",
                ".expect",
            ),
            (
                "!has(self.fromSignature) || !self.fromSignature || (!has(self.body) && "
                "!has(self.bodyFrom) && !has(self.grpc) && !has(self.method))",
                "fromSignature sends the logged input example: remove body, bodyFrom, method and "
                "grpc",
                ".fromSignature",
            ),
            (
                "!has(self.fromSignature) || !self.fromSignature || !has(self.path) || "
                "self.path.matches('(:predict|/infer|/invocations)$')",
                "fromSignature requires a path of V1 (…:predict), V2 (…/infer) or MLflow "
                "(/invocations)",
                ".path",
            ),
        )
    )

    title: str | None = Field(
        None, max_length=63, description="Name of the test in status. Default: its path."
    )
    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path of the request, such as /v2/models/fraud/infer. Default: the runtime's "
        "path for predictions.",
    )
    port: Port | None = Field(None, description="Port of the pod. Default: the server's port.")
    method: Literal["GET", "POST", "PUT"] | None = Field(
        None, description="HTTP method. Default: POST with a body, otherwise GET."
    )
    headers: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=16,
        description="Headers of the request. Content-Type is application/json by default.",
    )
    body: OpenObject | None = Field(None, description="JSON object to send.")
    body_from: BodySource | None = Field(None, description="Source of the body, instead of body.")
    from_signature: bool | None = Field(
        None,
        description="Send the input example that was logged with an MLflow model, and require an "
        "answer with the outputs of its signature, at a path of V1 (:predict), V2 (/infer) or "
        "MLflow (/invocations). Requires spec.model.uri of mlflow. Default: false.",
    )
    grpc: GrpcHealth | None = Field(None, description="Send a gRPC health request instead of HTTP.")
    warmup: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Number of requests to send first, whose responses are ignored. Default: 0.",
    )
    timeout: Duration | None = Field(None, description="Timeout of the request. Default: 10s.")
    expect: Expectation | None = Field(None, description="Expected response. Default: status 200.")
