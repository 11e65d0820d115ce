"""A Gateway API data plane on demand: Contour, which tells a real Envoy what to do."""

from sandbox.gateway.instance import Gateway

__all__ = ["Gateway"]
