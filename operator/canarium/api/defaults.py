"""Defaults of fields that several packages apply.

Without pydantic, so that the view, the metrics and the command line import them as well.
"""

from __future__ import annotations

#: `spec.rollout.strategy` and `spec.traffic.router`.
STRATEGY, ROUTER = "Canary", "Service"
#: `minReplicas` of a model and of a HorizontalPodAutoscaler.
MIN_REPLICAS = 1
#: Port of the model server for requests, named http.
SERVER_PORT = 8080
#: Seconds of `spec.rollout.scaleDownDelay`.
SCALE_DOWN_DELAY = 30.0
