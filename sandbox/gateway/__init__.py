"""A Gateway API data plane, Contour or Envoy Gateway: both configure a real Envoy."""

from sandbox.gateway.envoygateway import EnvoyGateway
from sandbox.gateway.instance import Gateway

#: By the name that options have for it; the first is the default.
GATEWAYS: dict[str, type[Gateway] | type[EnvoyGateway]] = {
    "contour": Gateway,
    "envoy-gateway": EnvoyGateway,
}

__all__ = ["GATEWAYS", "EnvoyGateway", "Gateway"]
