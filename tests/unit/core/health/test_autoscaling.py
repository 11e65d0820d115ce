"""An autoscaler that cannot work is reported in its own words, beside the version (R29)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.core.facts.observed import AutoscalerFault
from core.cluster import Cluster, spec

rule = pytest.mark.rule
WORDS = "missing request for cpu in container server of Pod p1"


def scaled() -> Cluster:
    return Cluster(spec("1", scaling={"minReplicas": 1, "maxReplicas": 4})).run(30)


def failing(cluster: Cluster) -> Cluster:
    fault = AutoscalerFault("FailedGetResourceMetric", WORDS, cluster.now)
    cluster.autoscalers = {r: replace(a, fault=fault) for r, a in cluster.autoscalers.items()}
    return cluster.settle()


def condition(cluster: Cluster, kind: str) -> tuple[str, str] | None:
    found = next((c for c in cluster.status.conditions if c.type == kind), None)
    return (found.status, found.reason) if found else None


# I10
@rule("R29")
def test_autoscaler_that_cannot_work_is_named_and_the_version_stays_ready() -> None:
    cluster = failing(scaled())
    assert condition(cluster, "AutoscalerReady") == ("True", "Scaling")
    cluster.run(20)
    assert condition(cluster, "AutoscalerReady") == ("False", "FailedGetResourceMetric")
    assert condition(cluster, "Ready") == ("True", "Promoted")
    assert WORDS in cluster.status.message
    events = [e for e in cluster.events if e.reason == "FailedGetResourceMetric"]
    assert len(events) == 1
    assert WORDS in events[0].message


# I10
@rule("R29")
def test_autoscaler_that_works_again_is_no_longer_named() -> None:
    cluster = failing(scaled()).run(20)
    cluster.autoscalers = {r: replace(a, fault=None) for r, a in cluster.autoscalers.items()}
    cluster.run(2)
    assert condition(cluster, "AutoscalerReady") == ("True", "Scaling")
    assert WORDS not in cluster.status.message


@rule("R29")
def test_model_without_an_autoscaler_has_no_condition_about_one() -> None:
    assert condition(Cluster(spec("1")).run(30), "AutoscalerReady") is None


@rule("R2", "R23")
def test_autoscaler_of_the_warm_version_is_restored_when_it_lost_its_labels() -> None:
    """It is not seen without them, and so would outlive its Deployment."""
    scaling = {"minReplicas": 1, "maxReplicas": 4}
    cluster = scaled()
    cluster.spec = spec("2", scaling=scaling)
    cluster.run(40)
    first, second = cluster.revision("1"), cluster.revision("2")
    assert cluster.status.phase == "Baking"
    assert set(cluster.autoscalers) == {first, second}
    del cluster.autoscalers[first]
    cluster.run(1)
    assert set(cluster.autoscalers) == {first, second}
    cluster.run(40)
    assert cluster.status.phase == "Ready"
    assert set(cluster.autoscalers) == {second}
