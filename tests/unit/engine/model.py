"""A model with one version, as the API server returns it."""

from __future__ import annotations

PARENT = {
    "metadata": {"namespace": "risk", "name": "fraud", "uid": "u", "resourceVersion": "1",
                 "generation": 1},
    "spec": {"model": {"version": "1"},
             "runtime": {"image": "model:1", "readiness": {"path": "/ready"}}},
}  # fmt: skip
