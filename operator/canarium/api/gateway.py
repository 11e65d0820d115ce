"""How a model is reached through a Gateway of the Gateway API: fields of `spec.traffic.gateway`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, Part, PathPrefix, Port, RewritePrefix, ruled

Hostname = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+\-.^_|~]+$"


class ParentRef(Part):
    """A Gateway that the model's route is attached to."""

    name: str = Field(max_length=253, min_length=1, description="Name of the Gateway.")
    namespace: str | None = Field(
        None,
        max_length=63,
        min_length=1,
        description="Namespace of the Gateway. Default: the model's namespace. A Gateway in "
        "another namespace must allow routes from it.",
    )
    section_name: str | None = Field(
        None,
        max_length=253,
        min_length=1,
        description="Name of a listener of the Gateway. Default: every listener that accepts the "
        "route.",
    )
    port: Port | None = Field(
        None, description="Port of the Gateway, if the name of a listener is not sufficient."
    )


class HeaderMatch(Part):
    """Header that selects the candidate regardless of its weight."""

    enabled: bool | None = Field(
        None, description="Whether the header selects the candidate. Default: true."
    )
    name: str | None = Field(
        None,
        max_length=256,
        min_length=1,
        pattern=HEADER_NAME,
        description="Name of the header. Default: x-canarium-revision.",
    )
    value: str | None = Field(
        None,
        max_length=4096,
        min_length=1,
        description="Exact value of the header. Default: candidate.",
    )


class Mirror(Part):
    """Requests mirrored to the candidate while its weight is 0. Its responses are dropped."""

    percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description="Percentage of requests to mirror. Default: all. Some gateways accept a "
        "percentage but mirror all requests: see docs/guides/traffic.md.",
    )


class Weighted(Part):
    """Settings that all routers with weights share."""

    header_match: HeaderMatch | None = Field(
        None,
        description="Header that selects the candidate once it has passed its smoke tests. "
        "Default: x-canarium-revision: candidate.",
    )
    mirror: Mirror | None = Field(
        None,
        description="Mirrors requests to the candidate during a step of weight 0. An empty object"
        " mirrors all requests.",
    )
    response_headers: bool | None = Field(
        None,
        description="Whether responses have the headers x-canarium-revision and x-canarium-"
        "version. Default: true.",
    )


class Timeouts(Part):
    """How long a request may take at the gateway."""

    request: Duration | None = Field(
        None, description="From the first byte of the request to the end of the response."
    )
    backend_request: Duration | None = Field(
        None, description="For one attempt at a pod. Must not exceed `request`."
    )


class GatewayRouting(Weighted):
    """The route of the model: one HTTPRoute or GRPCRoute, named after it."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "!has(self.protocol) || self.protocol != 'GRPC' || (!has(self.pathPrefix) && "
                "!has(self.rewritePrefix) && !has(self.timeouts))",
                "protocol GRPC excludes pathPrefix, rewritePrefix and timeouts: a GRPCRoute "
                "does not support them, so remove them or set protocol: HTTP",
                ".protocol",
            ),
            (
                "!has(self.rewritePrefix) || has(self.pathPrefix)",
                "rewritePrefix replaces pathPrefix: set both",
                ".rewritePrefix",
            ),
        )
    )

    parent_refs: list[ParentRef] = Field(
        max_length=8, min_length=1, description="Gateways that the route is attached to."
    )
    protocol: Literal["HTTP", "GRPC"] | None = Field(
        None,
        description="HTTP (default): an HTTPRoute to the server's port. GRPC: a GRPCRoute to the "
        "server's port named grpc.",
    )
    hostnames: list[Hostname] | None = Field(
        None,
        max_length=16,
        description="Hostnames of the route. Default: those of the listeners.",
    )
    path_prefix: PathPrefix | None = Field(
        None,
        description="Prefix of the path, in whole segments, that the route matches. Default: /.",
    )
    rewrite_prefix: RewritePrefix | None = Field(
        None,
        description="Replacement of the prefix in requests to the server: / removes it. Default: "
        "the path is not changed.",
    )
    timeouts: Timeouts | None = Field(
        None, description="Timeouts of requests. Default: those of the gateway."
    )
