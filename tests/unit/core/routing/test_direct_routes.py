"""No caller reaches a failed candidate: the ways that need no weight are closed as well (R8).

A header selects the candidate, and a step of weight 0 mirrors requests to it. A weight of 0 alone
would leave both open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canarium.core.decision.plan import Plan, SetRouteWeights
from canarium.core.evidence.verdict import Finding, Tally, TallyLimits, Verdict, evidence_from
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, gateway_spec, spec

rule = pytest.mark.rule
CHECKS = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]
STEPS = {
    "analysis": {"checks": CHECKS},
    "steps": [{"weight": 0, "pause": "Manual"}, {"weight": 50, "pause": "Manual"}],
    "bakeTime": "20s",
    "scaleDownDelay": "30s",
}
HEADER: dict[str, Any] = {"headerMatch": {"name": "x-who", "value": "candidate"}}
MIRROR: dict[str, Any] = {"mirror": {}, "headerMatch": {"enabled": False}}


def gateway(version: str, route: dict[str, Any]) -> dict[str, Any]:
    return gateway_spec(version, gateway=route, rollout=STEPS)


def istio(version: str, route: dict[str, Any]) -> dict[str, Any]:
    traffic = {"router": "Istio", "istio": route}
    return {**spec(version), "traffic": traffic, "rollout": STEPS}


def crashes(cluster: Cluster) -> None:
    cluster.crash("2")


def is_aborted(cluster: Cluster) -> None:
    cluster.annotations["abort"] = f"{cluster.revision('2')}/now"


WAYS = pytest.mark.parametrize("route", [HEADER, MIRROR], ids=["header", "mirror"])
MAKERS = pytest.mark.parametrize("make", [gateway, istio])
FAILURES = pytest.mark.parametrize("fails", [crashes, is_aborted], ids=lambda f: f.__name__)
Make = Callable[[str, dict[str, Any]], dict[str, Any]]


def reached_directly(make: Make, route: dict[str, Any]) -> Cluster:
    """Version 2 has no weight and is reached all the same."""
    cluster = Cluster(make("1", route)).run(10)
    cluster.spec = make("2", route)
    cluster.run(8)
    assert cluster.route is not None
    assert cluster.weights() == {"1": 100, "2": 0}
    assert cluster.route.direct, "a header or copies lead to it"
    return cluster


@MAKERS
@WAYS
@FAILURES
@rule("R8", "R9")
def test_ways_to_a_failed_candidate_are_closed_in_the_write_that_quarantines_it(
    make: Make, route: dict[str, Any], fails: Callable[[Cluster], None]
) -> None:
    cluster = reached_directly(make, route)
    fails(cluster)
    decision = cluster.reconcile()
    (write, *_) = [a for a in decision.actions if isinstance(a, SetRouteWeights)]
    assert not write.direct
    assert write.rolls_back
    assert write.traffic.quarantined == cluster.revision("2")
    assert dict(write.weights) == {cluster.revision("1"): 100, cluster.revision("2"): 0}
    # Its pods stay for the delay, and no caller reaches them meanwhile or later.
    for _ in range(80):
        assert cluster.route is not None
        assert not cluster.route.direct
        cluster.run(0.5)
    assert cluster.status.phase == "RolledBack"
    assert cluster.weights() == {"1": 100}


def directs(decision: Plan) -> list[bool]:
    """Whether each write of the route leaves such a way open."""
    return [a.direct for a in decision.actions if isinstance(a, SetRouteWeights)]


@MAKERS
@WAYS
@rule("R8", "R29")
def test_ways_are_closed_as_soon_as_a_refused_write_is_admitted(
    make: Make, route: dict[str, Any]
) -> None:
    cluster = reached_directly(make, route)
    is_aborted(cluster)
    kind = "HTTPRoute" if make is gateway else "VirtualService"
    cluster.rejection = denied(ObjectRef(kind, "m"))
    rejected = cluster.reconcile()
    assert not any(directs(rejected)), "no write opens them again"
    assert cluster.rejection.message in rejected.status.message
    conditions = {c.type: c.status for c in rejected.status.conditions}
    assert conditions["RolledBack"] == "False", (
        "requests reach the candidate as long as the route stands"
    )
    cluster.rejection = None
    cluster.run(2)
    assert cluster.route is not None
    assert not cluster.route.direct


@MAKERS
@WAYS
@rule("R9", "R18")
def test_ways_stay_closed_when_the_status_of_a_failed_version_is_lost(
    make: Make, route: dict[str, Any]
) -> None:
    cluster = reached_directly(make, route)
    crashes(cluster)
    cluster.run(3)
    cluster.status = type(cluster.status)()
    for _ in range(80):
        assert cluster.route is not None
        assert not cluster.route.direct
        cluster.run(0.5)
    assert cluster.status.phase == "RolledBack"


@MAKERS
@rule("R8", "R17")
def test_mirror_is_closed_when_a_check_fails(make: Make) -> None:
    cluster = reached_directly(make, MIRROR)
    watch = cluster.requests.analysis
    assert watch is not None
    above = Finding(
        "errors", Verdict.FAIL, "AboveMaximum", "0.5 is above 0.01", 0.5, 0.01, None, 99
    )
    looks = [(above, Tally().after(above), TallyLimits())]
    cluster.evidence = evidence_from(watch.revision, watch.since, cluster.now, looks, ())
    decision = cluster.reconcile()
    assert decision.status.failure is not None
    assert decision.status.failure.reason == "AnalysisFailed"
    assert directs(decision) == [False]
