"""A lost connection is not a wrong answer: the version waits, and is not failed (R7)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.observed import SmokeReport
from core.cluster import Cluster, spec
from core.health.analysis_scenarios import checks_of

rule = pytest.mark.rule
STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]}


def with_smoke_tests(version: str, **more: Any) -> dict[str, Any]:
    tests = [{"path": "/predict"}]
    return spec(version, rollout={**STEPS, "bakeTime": "20s", "smokeTests": tests, **more})


def condition(cluster: Cluster, kind: str) -> tuple[str, str, str]:
    found = next(c for c in cluster.status.conditions if c.type == kind)
    return found.status, found.reason, found.message


def lost(cluster: Cluster, how: str) -> Cluster:
    """Lets every connection fail to the pod of the revision whose tests are requested."""
    revision = cluster.requests.smoke
    assert revision
    text = "smoke test /predict: the connection was refused"
    cluster.smoke = SmokeReport(revision, False, text, "p9", 1, unreachable=how)
    return cluster.settle()


# I11, G2
@rule("R7", "R29")
@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("ConnectionReset", "mutual TLS"),
        ("ConnectionTimedOut", "NetworkPolicy"),
        ("ConnectionRefused", "NetworkPolicy"),
        ("NoRouteToHost", "NetworkPolicy"),
        ("NameNotResolved", "NetworkPolicy"),
    ],
)
def test_unreachable_pods_hold_the_version_with_the_likely_cause(how: str, cause: str) -> None:
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = with_smoke_tests("2")
    lost(cluster.run(5), how)
    cluster.run(3_600, tick=30)
    assert cluster.status.phase == "Progressing"
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "PodsUnreachable"
    assert "the connection was refused" in cluster.status.message
    assert cause in cluster.status.message
    assert condition(cluster, "SmokeTestsReady")[:2] == ("False", "PodsUnreachable")
    assert [e.reason for e in cluster.events].count("PodsUnreachable") == 1
    # The tests are still requested, so that it continues by itself.
    assert cluster.requests.smoke == cluster.revision("2")
    cluster.smoke = SmokeReport(cluster.revision("2"), True, tested=1)
    cluster.run(60)
    assert (cluster.status.phase, cluster.status.version) == ("Ready", "2")
    assert condition(cluster, "SmokeTestsReady")[0] == "True"


# I11, G2
@rule("R3", "R7")
def test_unreachable_first_version_waits_and_does_not_fail() -> None:
    cluster = lost(Cluster(with_smoke_tests("1")).run(5), "ConnectionTimedOut").run(3_600, tick=30)
    assert cluster.status.phase == "Starting"
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "PodsUnreachable"
    cluster.smoke = SmokeReport(cluster.revision("1"), True, tested=3)
    assert cluster.run(10).status.phase == "Ready"


# G2
@rule("R7", "R17")
def test_unreachable_scrapes_never_roll_back() -> None:
    checks = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]
    analysis = {"checks": checks, "onInsufficientData": "RollBack"}
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = spec("2", rollout={**STEPS, "analysis": analysis})
    cluster.run(18)
    for _ in range(20):
        watch = cluster.requests.analysis
        assert watch
        finding = Finding("errors", Verdict.INSUFFICIENT, "PodsUnreachable", "no pod was scraped")
        cluster.evidence = Evidence(
            watch.revision,
            watch.since,
            cluster.now,
            (finding,),
            exhausted=True,
            checks=checks_of(cluster, watch.revision),
        )
        cluster.settle().run(15)
    assert cluster.status.phase == "Progressing"
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "PodsUnreachable"
    assert condition(cluster, "AnalysisReady")[:2] == ("False", "PodsUnreachable")
