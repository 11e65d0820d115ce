"""Templates of checks that a spec names, the models that a change wakes, and who is judged how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.engine.cache.analysis_targets import analysis_target
from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import Urgency
from canarium.kube import resources
from engine.cache.test_analysis_targets import record

CHECK = {"name": "errors", "metric": "ErrorRate", "max": "1%"}


def template(bound: str = "1%", version: str = "5", namespace: str = "ns") -> dict[str, Any]:
    meta = {"name": "slo", "uid": f"uid-{namespace}", "resourceVersion": version}
    spec = {"description": "x", "checks": [{**CHECK, "max": bound}]}
    return {"metadata": {**meta, **({"namespace": namespace} if namespace else {})}, "spec": spec}


def model(name: str, *uses: dict[str, Any], namespace: str = "ns") -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"}
    analysis = {"templates": list(uses)} if uses else {"checks": [CHECK]}
    spec = {"model": {"version": "1"}, "rollout": {"analysis": analysis}}
    return {"metadata": {**meta, "generation": 1}, "spec": spec}


@pytest.mark.rule("R17")
def test_change_of_a_template_wakes_the_models_that_name_it() -> None:
    woken: list[Key] = []

    def wake(key: Key, urgency: Urgency) -> None:
        woken.append(key)

    store = Store(wake)
    wide = {"name": "slo", "kind": "ClusterCheckTemplate"}
    for one in (
        model("uses", {"name": "slo"}),
        model("wide", wide),
        model("other"),
        model("elsewhere", {"name": "slo"}, namespace="far"),
        model("wide", wide, namespace="far"),
    ):
        store.parents.observe(one)
    woken.clear()
    cache = store.check_templates.caches[resources.CHECK_TEMPLATES]
    cache.observe(template())
    assert woken == [("ns", "uses")]
    (fact,) = store.observed(("ns", "uses")).check_templates
    assert (fact.kind, fact.name) == ("CheckTemplate", "slo")
    assert json.loads(fact.spec) == {"checks": [CHECK]}
    assert store.observed(("far", "elsewhere")).check_templates == ()
    cache.observe(template(version="6"))
    assert len(woken) == 1, "nothing but its resourceVersion differs"
    cluster = store.check_templates.cluster_caches[resources.CLUSTER_CHECK_TEMPLATES]
    cluster.observe(template(namespace=""))
    assert woken[1:] == [("ns", "wide"), ("far", "wide")]
    cache.forget("ns", "slo", "uid-ns")
    assert woken[3:] == [("ns", "uses")]
    assert store.observed(("ns", "uses")).check_templates == ()


@pytest.mark.rule("R17")
def test_revision_is_judged_by_its_own_record() -> None:
    store = Store(lambda *_: None)
    raw = model("fraud", {"name": "slo"}, namespace="risk")
    raw["metadata"]["uid"] = "u"
    raw["spec"]["rollout"]["analysis"]["minSamples"] = 7
    store.parents.observe(raw)
    for revision, bound in (("a", "1%"), ("b", "2%")):
        one = record(revision, {})
        entry = {"kind": "CheckTemplate", "name": "slo", "args": {}}
        text = json.dumps([{**entry, "checks": [{**CHECK, "max": bound}]}])
        one["metadata"]["annotations"] = {"canarium.dev/check-templates": text}
        store.caches[resources.RECORDS].observe(one)
    target = analysis_target(store, ("risk", "fraud"))
    assert target
    for revision, bounds in (("a", [0.01]), ("b", [0.02]), ("c", [])):
        analysis = target.judging(revision).analysis
        assert analysis
        assert [check.maximum for check in analysis.checks] == bounds
        assert all(check.min_samples == 7 for check in analysis.checks)
