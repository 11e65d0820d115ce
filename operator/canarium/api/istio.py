"""How a model is reached through Istio: fields of `spec.traffic.istio`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, PathPrefix, RewritePrefix, ruled
from canarium.api.gateway import Hostname, Weighted

GatewayName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    ),
]


class IstioRouting(Weighted):
    """The route of the model: one VirtualService, named after it."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "!has(self.rewritePrefix) || has(self.pathPrefix)",
                "rewritePrefix replaces pathPrefix: set both",
                ".rewritePrefix",
            ),
        )
    )

    gateways: list[GatewayName] | None = Field(
        None,
        max_length=8,
        min_length=1,
        description="Istio Gateways as name or namespace/name, and mesh for the sidecars. "
        "Default: mesh.",
    )
    hosts: list[Hostname] | None = Field(
        None,
        max_length=16,
        min_length=1,
        description="Hosts of the route. Default: the Service of the model, so that callers in "
        "the mesh take part.",
    )
    path_prefix: PathPrefix | None = Field(
        None,
        description="Prefix of the path that the route matches. Default: all paths.",
    )
    rewrite_prefix: RewritePrefix | None = Field(
        None,
        description="Replacement of the prefix in requests to the server. Default: the path is "
        "not changed.",
    )
    timeout: Duration | None = Field(
        None, description="Timeout of requests. Default: that of the mesh."
    )
