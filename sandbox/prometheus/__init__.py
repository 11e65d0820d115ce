"""A Prometheus on demand, which scrapes the models' pods."""

from sandbox.prometheus.guarded import Guarded
from sandbox.prometheus.instance import Prometheus

__all__ = ["Guarded", "Prometheus"]
