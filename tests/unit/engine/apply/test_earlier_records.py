"""Records of an earlier operator: their Deployments stay as they are (R1).

`earlier-record.json` is the record of a version that an operator stored whose pods had no default
topologySpreadConstraints. A Deployment with anything else in its pod template restarts its pods.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from canarium.core.decision import plan as p
from canarium.engine.apply.executor import Executor
from canarium.engine.apply.rejections import Rejections
from canarium.engine.cache.store import Store
from canarium.kube import resources
from canarium.render import labels

rule = pytest.mark.rule
RECORD = json.loads(Path(__file__).with_name("earlier-record.json").read_text())
PARENT = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {
        "name": "fraud",
        "namespace": "risk",
        "uid": "m",
        "generation": 1,
        "resourceVersion": "1",
    },
    "spec": {
        "model": {"version": "1"},
        "runtime": {"image": "model:1", "readiness": {"path": "/ready"}},
        "scaling": {"replicas": 2},
    },
}


class Recording:
    """An API server that accepts every write."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    async def create(self, resource: Any, namespace: str, body: dict[str, Any]) -> Any:
        self.written.append(json.loads(orjson.dumps(body)))
        managed = {"manager": "canarium", "fieldsV1": {"f:spec": {"f:template": {}}}}
        meta = {**body["metadata"], "uid": "d", "resourceVersion": "7", "managedFields": [managed]}
        return {**self.written[-1], "metadata": meta}


@rule("R1")
async def test_deployment_of_an_earlier_record_has_the_pod_template_of_that_operator() -> None:
    store, api = Store(lambda key, urgency: None), Recording()
    store.parents.observe(PARENT)
    store.caches[resources.RECORDS].observe(RECORD)
    executor = Executor(api, store, Rejections(float))  # type: ignore[arg-type]
    revision = RECORD["metadata"]["labels"][labels.REVISION]
    await executor.carry_out(PARENT, p.CreateDeployment(revision, "blue", 2))
    (created,) = api.written
    stored = RECORD["data"]["template"]
    assert created["spec"]["template"]["spec"] == stored["spec"]
    assert "topologySpreadConstraints" not in stored["spec"]
    # And what runs is not drift, so nothing is applied over it.
    assert await executor.repair(PARENT) == 0
