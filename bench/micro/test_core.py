"""The pure core, one call at a time: `plan`, rendering, parsing. Run by `make bench-micro`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.status import Status
from canarium.core.facts.observed import Deployment, Observed, Service
from canarium.core.facts.pods import Pod
from canarium.core.facts.revision import Record, new_record
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.planner import plan
from canarium.engine.cache import pods
from canarium.render import pod, runtime, workload

_NOW = 1_800_000_000.0


def spec(version: str) -> dict[str, Any]:
    return {
        "model": {"version": version},
        "runtime": {"image": f"example.org/model:{version}", "readiness": {"path": "/ready"}},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "scaling": {"replicas": 3},
        "rollout": {"steps": [{"weight": 20, "pause": "5m"}, {"weight": 50, "pause": "5m"}]},
    }


def serving() -> Observed:
    """A promoted version with three ready pods."""
    new = new_record(spec("1"), ())
    pods = tuple(
        Pod(f"p{i}", new.revision, "blue", _NOW - 60, ready=True, ready_changed=_NOW - 50)
        for i in range(3)
    )
    record = Record(new.revision, 1, new.algorithm, new.digest, new.identity, "1", None, None)
    return Observed(
        records=(record,),
        deployments=(Deployment(f"m-{new.revision}", "u", new.revision, "blue", 3),),
        pods=pods,
        service=Service(
            "s", "blue", TrafficRecord(new.revision), endpoints=frozenset(pod.name for pod in pods)
        ),
    )


def decide(wanted: dict[str, Any], status: Status, observed: Observed) -> Any:
    settings = effective_spec(Spec.model_validate(wanted))
    return plan(wanted, settings, status, observed, now=_NOW, generation=1, name="m")


@pytest.mark.parametrize("version", ["1", "2"], ids=["steady", "a new version"])
def test_plan(benchmark: BenchmarkFixture, version: str) -> None:
    observed = serving()
    status = decide(spec("1"), Status(), observed).status
    decided = benchmark(decide, spec(version), status, observed)
    assert bool(decided.actions) == (version == "2")


def test_render_of_a_revision(benchmark: BenchmarkFixture) -> None:
    parent = {"metadata": {"name": "m", "namespace": "n", "uid": "u"}, "spec": spec("1")}

    def render() -> dict[str, Any]:
        server = runtime.server("m", "n", parent["spec"], None)
        template = pod.pod_template("m", "abcd2345", parent["spec"], server)
        return workload.deployment(parent, "abcd2345", "blue", template)

    assert benchmark(render)["spec"]["template"]["spec"]["containers"]


def test_parse_of_a_pod_event(benchmark: BenchmarkFixture) -> None:
    when = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": when}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    container = {"name": "server", "ready": True, "restartCount": 0, "state": {"running": {}}}
    labels = {"canarium.dev/model": "m", "canarium.dev/revision": "r", "canarium.dev/color": "blue"}
    body = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "uid": "u",
            "resourceVersion": "7",
            "creationTimestamp": when,
            "labels": labels,
            "managedFields": [{"manager": "x", "fieldsV1": {f"f:{i}": {} for i in range(60)}}],
        },
        "spec": {"containers": [{"name": "server", "image": "example.org/model:1"}]},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]},
    }
    line = orjson.dumps({"type": "MODIFIED", "object": body})
    assert benchmark(lambda: pods.pod(orjson.loads(line)["object"])).fact.ready


def test_parse_of_a_model(benchmark: BenchmarkFixture) -> None:
    status = decide(spec("1"), Status(), serving()).status.model_dump(mode="json", by_alias=True)

    def parse() -> Status:
        effective_spec(Spec.model_validate(spec("1")))
        return Status.model_validate(status)

    assert benchmark(parse).phase == "Ready"
