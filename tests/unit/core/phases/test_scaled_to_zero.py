"""A model that is scaled, to zero or not, during a rollout or before one (R5, R6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.evidence.verdict import Verdict
from core.cluster import Cluster, gateway_spec, spec
from core.health.analysis_scenarios import CHECKS, seen

rule = pytest.mark.rule
BOTH = pytest.mark.parametrize("make", [spec, gateway_spec])
PAUSED = {"steps": [{"weight": 10, "pause": "Manual"}], "bakeTime": "20s", "scaleDownDelay": "1s"}
HALF = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "20s", "scaleDownDelay": "1s"}


def asked(make: Any, version: str, replicas: int, rollout: dict[str, Any]) -> dict[str, Any]:
    return {**make(version), "scaling": {"replicas": replicas}, "rollout": rollout}


def at_the_pause(make: Any, replicas: int, rollout: dict[str, Any] = PAUSED) -> Cluster:
    """Version 2 stands at a weight beside version 1, and waits for a command."""
    cluster = Cluster(asked(make, "1", replicas, rollout)).run(12)
    cluster.spec = asked(make, "2", replicas, rollout)
    cluster.run(10)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual", cluster.status.message
    return cluster


def share(cluster: Cluster) -> float:
    """Percent of connections that the candidate gets."""
    found = cluster.serving()
    return 100 * found.get("2", 0) / (sum(found.values()) or 1)


@rule("R5", "R6")
@pytest.mark.parametrize(
    ("rollout", "before", "after", "pods"),
    [
        (PAUSED, 6, 1, (6, 1)),  # One of seven is the least that there is.
        (PAUSED, 10, 1, (9, 1)),
        (PAUSED, 20, 10, (18, 2)),
        (HALF, 20, 2, (2, 2)),
        (HALF, 4, 3, (3, 3)),
    ],
)
def test_share_of_the_candidate_never_rises_when_stable_is_scaled_down(  # I3
    rollout: dict[str, Any], before: int, after: int, pods: tuple[int, int]
) -> None:
    cluster = at_the_pause(spec, before, rollout)
    most = max(share(cluster), rollout["steps"][0]["weight"])
    cluster.spec = asked(spec, "2", after, rollout)
    for _ in range(100):
        assert share(cluster) <= most + 0.01, cluster.serving()
        cluster.run(0.1)
    assert (cluster.serving()["1"], cluster.serving()["2"]) == pods
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual"
    cluster.annotations["promote"] = f"{cluster.revision('2')}/on"
    cluster.run(60)
    assert cluster.serving() == {"2": after}


@rule("R5", "R6")
def test_share_of_the_candidate_never_rises_when_stable_is_scaled_up() -> None:
    cluster = at_the_pause(spec, 2, PAUSED)
    most = share(cluster)
    cluster.spec = asked(spec, "2", 20, PAUSED)
    for _ in range(100):
        assert share(cluster) <= most + 0.01
        cluster.run(0.1)
    assert cluster.serving() == {"1": 20, "2": 3}


@rule("R5")
def test_candidate_behind_a_gateway_is_scaled_down_with_stable() -> None:
    cluster = at_the_pause(gateway_spec, 10, HALF)
    cluster.spec = asked(gateway_spec, "2", 2, HALF)
    cluster.run(10)
    wanted = {cluster.version(d.revision): d.replicas for d in cluster.deployments.values()}
    assert wanted == {"1": 2, "2": 1}
    assert cluster.weights() == {"1": 50, "2": 50}


@BOTH
@rule("R5", "R6")
@pytest.mark.parametrize("lost", [False, True])
def test_scale_to_zero_at_a_pause_gives_the_candidate_no_traffic_and_keeps_the_pause(  # I4 a
    make: Any, lost: bool
) -> None:
    cluster = at_the_pause(make, 2)
    revision = cluster.revision("2")
    cluster.spec = asked(make, "2", 0, PAUSED)
    for _ in range(100):
        assert set(cluster.serving()) != {"2"}, "an unpromoted version answers alone"
        cluster.run(0.1)
    assert cluster.serving() == {}
    assert not cluster.pods
    assert cluster.weights() in ({}, {"1": 100, "2": 0})
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "ScaledToZero"
    assert cluster.status.phase == "Progressing"
    writes = cluster.writes
    cluster.run(3600, tick=5)
    assert cluster.writes == writes
    if lost:
        cluster.status = Status()
        cluster.run(5)
    cluster.boot = 30.0  # Longer than R13 waits.
    cluster.spec = asked(make, "2", 2, PAUSED)
    for _ in range(200):
        cluster.run(0.5)
        assert set(cluster.serving()) != {"2"}, cluster.status.message
    assert set(cluster.serving()) == ({"1", "2"} if make is spec else {"1"})
    assert cluster.status.waiting_for.reason == "Manual", cluster.status.message
    assert cluster.status.weight == 10
    cluster.annotations["promote"] = f"{revision}/now"
    cluster.run(60)
    assert cluster.status.version == "2"


@BOTH
@rule("R5")
def test_version_applied_to_a_model_at_zero_starts_no_pod(make: Any) -> None:  # I4 b
    cluster = Cluster(asked(make, "1", 2, PAUSED)).run(12)
    cluster.spec = asked(make, "1", 0, PAUSED)
    cluster.run(10)
    cluster.spec = asked(make, "2", 0, PAUSED)
    for _ in range(100):
        assert not cluster.pods
        cluster.run(1)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "ScaledToZero"
    cluster.boot = 30.0
    cluster.spec = asked(make, "2", 2, PAUSED)
    for _ in range(160):
        cluster.run(0.5)
        assert set(cluster.serving()) != {"2"}, cluster.status.message
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual"
    assert cluster.status.version == "1"


@BOTH
@rule("R13")
def test_stable_that_fails_while_scaling_up_from_zero_does_not_block_its_fix(make: Any) -> None:
    cluster = Cluster(asked(make, "1", 2, PAUSED)).run(12)
    cluster.spec = asked(make, "1", 0, PAUSED)
    cluster.run(10)
    cluster.spec = asked(make, "2", 0, PAUSED)
    cluster.run(10)
    cluster.broken.add("1")
    cluster.spec = asked(make, "2", 2, PAUSED)
    cluster.run(30)
    assert set(cluster.serving()) == {"2"}


@BOTH
@rule("R5", "R15")
def test_warm_version_scales_to_zero_and_back_with_stable(make: Any) -> None:
    long = {"steps": [], "bakeTime": "500s", "scaleDownDelay": "1s"}
    cluster = Cluster(asked(make, "1", 2, long)).run(12)
    cluster.spec = asked(make, "2", 2, long)
    cluster.run(12)
    assert cluster.status.phase == "Baking"
    cluster.spec = asked(make, "2", 0, long)
    cluster.run(10)
    assert not cluster.pods
    cluster.spec = asked(make, "2", 3, long)
    cluster.run(20)
    assert cluster.status.phase == "Baking"
    assert cluster.serving() == {"2": 3}
    assert len(cluster.pods) == 6
    assert cluster.status.outages is None


# C3
@rule("R5", "R29")
@BOTH
def test_message_names_the_live_version_while_a_model_is_scaled_to_zero(make: Any) -> None:
    cluster = at_the_pause(make, 6)
    cluster.spec = asked(make, "2", 0, PAUSED)
    seen = set()
    for _ in range(100):
        message = cluster.reconcile().status.message
        serving = cluster.serving()
        assert ("serving" in message) == bool(serving), (message, serving)
        seen.add(bool(serving))
        cluster.run(0.1)
    assert seen == {True, False}
    assert "has weight" not in message
    assert "continues at weight 10 once the model is scaled up" in message


@rule("R3", "R4", "R29")
@pytest.mark.parametrize("begun", [0.0, 1.0])
def test_first_version_of_a_model_that_is_scaled_to_zero_has_no_pods(begun: float) -> None:
    at_zero = spec("1", scaling={"replicas": 0})
    cluster = Cluster(spec("1") if begun else at_zero).run(begun)
    cluster.spec = at_zero
    cluster.run(2000)
    assert cluster.pods == []
    assert bool(cluster.deployments) == bool(begun)
    assert cluster.status.phase == "Starting", "the progress deadline does not count"
    assert "waits because the model is scaled to zero" in cluster.status.message
    conditions = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert conditions["Ready"] == ("False", "ScaledToZero")
    assert conditions["Available"] == ("False", "NoVersionPromoted")
    cluster.spec = spec("1")
    cluster.run(10)
    assert cluster.status.phase == "Ready"
    assert cluster.serving() == {"1": 3}


@rule("R5", "R29")
def test_first_version_scaled_to_zero_at_its_promotion_is_live() -> None:
    cluster = Cluster(spec("1"), boot=2.0)
    while cluster.service is None or cluster.service.color is None:
        cluster.run(0.5)
    cluster.status = cluster.status.model_copy(update={"stable": None, "phase": "Starting"})
    cluster.spec = spec("1", scaling={"replicas": 0})
    cluster.run(20)
    assert cluster.pods == []
    assert cluster.status.phase == "Ready"
    assert cluster.status.message.endswith("is live but scaled to zero")


#: An analysis whose checks have values without pods, too.
ANALYSIS = {"checks": CHECKS, "duringBake": True}


@BOTH
@rule("R17")
def test_failed_check_does_not_judge_a_candidate_without_pods(make: Any) -> None:
    judged = {**HALF, "analysis": ANALYSIS}
    cluster = at_the_pause(make, 2, judged)
    assert cluster.requests.analysis is not None
    seen(cluster, Verdict.PASS)
    request = cluster.requests.analysis
    cluster.spec = asked(make, "2", 0, judged)
    cluster.run(20)
    assert cluster.requests.analysis is None, "nothing is measured"
    cluster.requests = replace(cluster.requests, analysis=request)
    seen(cluster, Verdict.FAIL)
    assert cluster.status.failure is None
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "ScaledToZero"
    cluster.spec = asked(make, "2", 2, judged)
    cluster.evidence = None
    cluster.run(20)
    assert cluster.requests.analysis is not None
    assert cluster.requests.analysis.since > request.since, "the step is judged afresh"
    seen(cluster, Verdict.FAIL)
    assert cluster.status.failure is not None


@BOTH
@rule("R15", "R17")
def test_failed_check_does_not_undo_a_promotion_without_pods(make: Any) -> None:
    long = {"steps": [], "bakeTime": "500s", "scaleDownDelay": "1s", "analysis": ANALYSIS}
    cluster = Cluster(asked(make, "1", 2, long)).run(12)
    cluster.spec = asked(make, "2", 2, long)
    cluster.run(12)
    request = cluster.requests.analysis
    assert request is not None
    cluster.spec = asked(make, "2", 0, long)
    cluster.run(10)
    assert cluster.requests.analysis is None
    cluster.requests = replace(cluster.requests, analysis=request)
    seen(cluster, Verdict.FAIL)
    assert cluster.status.phase == "Baking"
    assert cluster.status.version == "2"


@rule("R15", "R16")
@pytest.mark.parametrize("paused", [False, True])
def test_time_at_zero_does_not_count_for_the_bake(paused: bool) -> None:
    """Also when a pause begins while the model is at zero: no second counts twice."""
    rollout = {"steps": [], "bakeTime": "100s", "scaleDownDelay": "1s"}
    cluster = Cluster(asked(spec, "1", 2, rollout)).run(12)
    cluster.spec = asked(spec, "2", 2, rollout)
    cluster.run(12)
    began = cluster.status.bake_start_time
    cluster.spec = asked(spec, "2", 0, rollout)
    cluster.run(400)
    assert cluster.status.bake_start_time == began, "no write for a clock that is stopped"
    if paused:
        cluster.spec = {**cluster.spec, "paused": True}
        cluster.run(400)
        cluster.spec = {**asked(spec, "2", 0, rollout), "paused": False}
        cluster.run(5)
    assert cluster.status.phase == "Baking"
    cluster.spec = asked(spec, "2", 2, rollout)
    awake = 0
    while cluster.status.phase != "Ready":
        cluster.run(1)
        awake += 1
        assert awake < 200
    assert 85 < awake < 101


BY_QUEUE = {
    "minReplicas": 0,
    "maxReplicas": 4,
    "metrics": [{"type": "External", "external": {"metric": {"name": "queue_length"}}}],
}


@rule("R3", "R4")
def test_first_version_that_may_be_scaled_to_zero_starts_with_a_pod() -> None:
    cluster = Cluster(spec("1", scaling=BY_QUEUE)).run(20)
    assert cluster.serving() == {"1": 1}
    assert [(a.min_replicas, a.max_replicas) for a in cluster.autoscalers.values()] == [(0, 4)]


@BOTH
@rule("R5", "R23")
@pytest.mark.parametrize("disabled", [False, True])
def test_model_at_zero_is_scaled_up_only_if_its_autoscaler_would_not(
    make: Any, disabled: bool
) -> None:
    cluster = Cluster(make("1", scaling=BY_QUEUE)).run(20)
    revision = cluster.revision("1")
    cluster.deployments[revision] = replace(cluster.deployments[revision], replicas=0)
    if disabled:
        old = cluster.autoscalers[revision]
        cluster.autoscalers[revision] = replace(old, disabled=True)
    writes = cluster.writes
    cluster.run(20)
    assert cluster.deployments[revision].replicas == (1 if disabled else 0)
    assert cluster.status.phase == "Ready"
    if not disabled:
        assert cluster.writes <= writes + 1, "only the status"
        ready = next(c for c in cluster.status.conditions if c.type == "Ready")
        assert (ready.status, ready.reason) == ("True", "ScaledToZero")
