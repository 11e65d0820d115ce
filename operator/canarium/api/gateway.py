"""How a model is reached through a Gateway of the Gateway API: fields of `spec.traffic.gateway`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, Part, Port, ruled

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
        description="Its namespace; default: the model's. A Gateway of another namespace has to "
        "allow routes of the model's.",
    )
    section_name: str | None = Field(
        None,
        max_length=253,
        min_length=1,
        description="A listener of the Gateway; default: every one that takes the route.",
    )
    port: Port | None = Field(
        None, description="A port of the Gateway, where a listener's name is not enough."
    )


class HeaderMatch(Part):
    """The header by which a caller asks for the candidate, whatever its weight."""

    enabled: bool | None = Field(
        None, description="False: no header leads to the candidate. Default true."
    )
    name: str | None = Field(
        None,
        max_length=256,
        min_length=1,
        pattern=HEADER_NAME,
        description="Name of the header; default x-canarium-revision.",
    )
    value: str | None = Field(
        None,
        max_length=4096,
        min_length=1,
        description="What it has to be, exactly; default candidate.",
    )


class Mirror(Part):
    """Requests copied to the candidate while its weight is 0; what it answers is dropped."""

    percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description="How many of a hundred requests are copied; default all. Some gateways take "
        "it and copy all nevertheless: see docs/guides/traffic.md.",
    )


class Weighted(Part):
    """What every router with weights can do besides."""

    header_match: HeaderMatch | None = Field(
        None,
        description="The header that leads to the candidate, once it has passed its smoke tests; "
        "default x-canarium-revision: candidate.",
    )
    mirror: Mirror | None = Field(
        None,
        description="Copies requests to the candidate while its weight is 0: in a step of weight "
        "0. An empty object copies all.",
    )
    response_headers: bool | None = Field(
        None,
        description="Whether answers say who gave them, by the headers x-canarium-revision and "
        "x-canarium-version; default true.",
    )


class Timeouts(Part):
    """How long a request may take at the gateway."""

    request: Duration | None = Field(
        None, description="From the first byte of the request to the end of the answer."
    )
    backend_request: Duration | None = Field(
        None, description="For one try at a pod; not above `request`."
    )


class Gateway(Weighted):
    """The route of the model: one HTTPRoute or GRPCRoute, named after it."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "!has(self.protocol) || self.protocol != 'GRPC' || (!has(self.pathPrefix) && "
                "!has(self.rewritePrefix) && !has(self.timeouts))",
                "pathPrefix, rewritePrefix and timeouts are of HTTP: a GRPCRoute has none of them",
                ".protocol",
            ),
            (
                "!has(self.rewritePrefix) || has(self.pathPrefix)",
                "rewritePrefix takes the place of pathPrefix: set both",
                ".rewritePrefix",
            ),
        )
    )

    parent_refs: list[ParentRef] = Field(
        max_length=8, min_length=1, description="The Gateways that lead to the model."
    )
    protocol: Literal["HTTP", "GRPC"] | None = Field(
        None,
        description="HTTP (default): an HTTPRoute to the server's port. GRPC: a GRPCRoute to the "
        "port of the server that is named grpc.",
    )
    hostnames: list[Hostname] | None = Field(
        None,
        max_length=16,
        description="Hosts that callers name; default: those of the listeners.",
    )
    path_prefix: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/([^\s?#%]*[^\s?#%/])?$",
        description="Only requests whose path begins so, in whole segments; default /.",
    )
    rewrite_prefix: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/[^\s?#%]*$",
        description="What the server gets in its place: / drops the prefix. Absent: the path as "
        "it was sent.",
    )
    timeouts: Timeouts | None = Field(
        None, description="How long a request may take; default: as the gateway has it."
    )
