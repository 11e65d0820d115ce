"""Templates of checks that a spec names, the models that a change wakes, and who is judged how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.engine.cache.analysis_targets import analysis_target
from canarium.engine.cache.informers import Informers
from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import Urgency
from canarium.kube import resources
from canarium.kube.errors import ApiError
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


@pytest.mark.rule("R31")
def test_template_that_is_too_long_is_not_kept() -> None:
    store = Store(lambda *_: None)
    store.parents.observe(model("uses", {"name": "slo"}))
    raw = template()
    raw["spec"]["checks"] = [{**CHECK, "name": f"c{n}", "x": "y" * 10_000} for n in range(16)]
    store.check_templates.caches[resources.CHECK_TEMPLATES].observe(raw)
    (fact,) = store.observed(("ns", "uses")).check_templates
    assert (fact.spec, fact.unusable) == (
        "",
        ("InvalidCheckTemplate", "is longer than 128 KiB"),
    )


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "the operator is not allowed to list {}.canarium.dev"),
        (404, "the cluster does not serve {}.canarium.dev; install its CRD"),
    ],
)
@pytest.mark.parametrize("kind", ["CheckTemplate", "ClusterCheckTemplate"])
async def test_kind_that_cannot_be_listed_is_not_taken_for_a_missing_template(
    status: int, text: str, kind: str
) -> None:
    woken: list[Key] = []

    def wake(key: Key, _: Urgency) -> None:
        woken.append(key)

    store = Store(wake)
    for one in (model("uses", {"name": "slo", "kind": kind}), model("other")):
        store.parents.observe(one)
    woken.clear()
    api: Any = Rejecting(status)
    informers = Informers(api, {}, check_templates=store.check_templates)
    informers.start("ns")
    await informers.synced()
    assert woken == [("ns", "uses")]
    (fact,) = store.observed(("ns", "uses")).check_templates
    wanted = f"cannot be read: {text.format(f'{kind.lower()}s')}"
    assert fact.unusable == ("CheckTemplateNotFound", wanted)
    await informers.stop_all()
    resource = next(
        r
        for r in (resources.CHECK_TEMPLATES, resources.CLUSTER_CHECK_TEMPLATES)
        if r.plural == f"{kind.lower()}s"
    )
    namespace = None if kind == "ClusterCheckTemplate" else "ns"
    store.check_templates.answered(resource, namespace, None)
    assert store.observed(("ns", "uses")).check_templates == ()
    assert len(woken) == 2


class Rejecting:
    """An API server that answers each list with the same status."""

    def __init__(self, status: int) -> None:
        self._error = ApiError(status, "", "rejected")

    async def list(self, *_: object, **__: object) -> None:
        raise self._error
