"""What the signals receive about a model, from records of what was rendered (R1)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.cache.analysis_targets import analysis_target
from canarium.engine.cache.store import Store
from canarium.kube import resources
from canarium.render import labels

KEY = ("risk", "fraud")
rule = pytest.mark.rule


def parent(runtime: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "risk", "name": "fraud", "uid": "u", "resourceVersion": "1",
                     "generation": 1},
        "spec": {"model": {"version": "2"}, "runtime": runtime, "rollout": {"strategy": "Canary"}},
    }  # fmt: skip


def record(revision: str, server: dict[str, Any] | None) -> dict[str, Any]:
    owner = {"uid": "u", "controller": True}
    return {
        "metadata": {"namespace": "risk", "name": f"fraud-{revision}", "uid": revision,
                     "resourceVersion": "1", "ownerReferences": [owner],
                     "labels": {labels.MODEL: "fraud", labels.REVISION: revision}},
        "revision": 1,
        "data": {"template": {"spec": {}}, **({"runtime": {"server": server}} if server else {})},
    }  # fmt: skip


def pod(name: str, more: dict[str, Any]) -> dict[str, Any]:
    """A ready pod of revision `a`; `more` joins its metadata."""
    meta = {"namespace": "risk", "name": name, "uid": name, "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {labels.MODEL: "fraud", labels.REVISION: "a", labels.COLOR: "blue"},
            **more}  # fmt: skip
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"conditions": [ready], "podIP": "10.0.0.1"}
    return {"metadata": meta, "spec": {"containers": []}, "status": status}


def counting(name: str, **more: Any) -> dict[str, Any]:
    return {"image": "x", "metrics": {"requests": {"names": [name]}}, **more}


def store_of(runtime: dict[str, Any], *records: dict[str, Any]) -> Store:
    store = Store(lambda *_: None)
    store.parents.observe(parent(runtime))
    for raw in records:
        store.caches[resources.RECORDS].observe(raw)
    return store


@rule("R1", "R17")
def test_each_revision_is_measured_by_the_names_that_it_was_made_with() -> None:
    old, new = counting("old_total", predictPath="/v1"), counting("new_total", predictPath="/v2")
    found = analysis_target(
        store_of({"name": "gone-since"}, record("a", old), record("b", new)), KEY
    )
    assert found is not None
    named = {r: (s.metrics.requests, s.predict_path) for r, s in found.servers.items()}
    assert [(r, q.names, path) for r, (q, path) in named.items() if q.names] == [
        ("a", ("old_total",), "/v1"),
        ("b", ("new_total",), "/v2"),
    ]


def test_record_without_its_server_is_measured_by_the_current_runtime() -> None:
    today = counting("today_total", readiness={"path": "/ready"})
    found = analysis_target(store_of(today, record("a", None)), KEY)
    assert found is not None
    assert found.server("a").metrics.requests.names == ("today_total",)
    broken = analysis_target(store_of({"name": "no-such"}, record("a", None)), KEY)
    assert broken is not None
    assert broken.server("a").metrics.requests.names == ()


@rule("R25")
def test_terminating_pod_is_neither_tested_nor_counted() -> None:
    store = store_of(counting("x"))
    for name, more in (("stays", {}), ("goes", {"deletionTimestamp": "2026-01-01T00:00:00Z"})):
        store.caches[resources.PODS].observe(pod(name, more))
    found = analysis_target(store, KEY)
    assert found is not None
    assert [target.pod for target in found.targets("a")] == ["stays"]
    assert found.standing == {"stays"}
