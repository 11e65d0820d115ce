"""ModelGates that a spec names, and the models that a change of one wakes."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import Urgency
from canarium.kube import resources


def model_gate(name: str = "fairness", image: str = "fair:1", version: str = "5") -> dict[str, Any]:
    meta = {"namespace": "ns", "name": name, "uid": f"uid-{name}", "resourceVersion": version}
    return {"metadata": meta, "spec": {"description": "x", "job": {"image": image}}}


def model(name: str, *gates: dict[str, Any], namespace: str = "ns") -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"}
    spec = {"model": {"version": "1"}, "rollout": {"gates": list(gates)}}
    return {"metadata": {**meta, "generation": 1}, "spec": spec}


USES = {"name": "a", "before": "Traffic", "job": {"modelGate": "fairness"}}
OTHER = {"name": "b", "before": "Traffic", "job": {"image": "x"}}


@pytest.mark.rule("R27")
def test_change_of_a_model_gate_wakes_the_models_that_name_it() -> None:
    woken: list[Key] = []

    def wake(key: Key, urgency: Urgency) -> None:
        woken.append(key)

    store = Store(wake)
    for one in (
        model("uses", OTHER, USES),
        model("other", OTHER),
        model("elsewhere", USES, namespace="far"),
    ):
        store.parents.observe(one)
    woken.clear()
    cache = store.model_gates.caches[resources.MODEL_GATES]
    cache.observe(model_gate())
    assert woken == [("ns", "uses")]
    assert store.observed(("ns", "uses")).model_gates == (("fairness", '{"image":"fair:1"}'),)
    assert store.observed(("far", "elsewhere")).model_gates == ()
    cache.observe(model_gate(version="6"))
    assert len(woken) == 1, "nothing but its resourceVersion differs"
    cache.forget("ns", "fairness", "uid-fairness")
    assert len(woken) == 2
    assert store.observed(("ns", "uses")).model_gates == ()


@pytest.mark.rule("R31")
def test_job_that_is_too_long_for_a_record_is_not_kept() -> None:
    store = Store(lambda *_: None)
    store.parents.observe(model("uses", USES))
    cache = store.model_gates.caches[resources.MODEL_GATES]
    cache.observe(model_gate(image="x" * 300_000))
    assert store.observed(("ns", "uses")).model_gates == (("fairness", ""),)
