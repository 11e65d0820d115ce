"""The progress deadline counts the time spent waiting for pods, and nothing else (R7)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.pods import Pod
from core.cluster import Cluster, gateway_spec, spec
from core.rollout_scenarios import live

rule = pytest.mark.rule


@rule("R7")
def test_candidate_whose_pods_never_get_ready_fails_at_the_progress_deadline() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(590, tick=5)
    assert cluster.status.phase == "Progressing"
    cluster.run(20, tick=5)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ProgressDeadlineExceeded"


@rule("R7", "R18")
@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_pods_ready_in_time_while_no_operator_ran_are_not_late(make: Any) -> None:
    cluster = Cluster(make("1")).run(60)
    cluster.boot = 30
    cluster.spec = make("2")
    cluster.run(5).unattended(700)
    cluster.run(200)
    assert cluster.status.phase == "Ready"
    assert cluster.status.version == "2"


@rule("R7", "R18")
@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_additional_pods_ready_in_time_while_no_operator_ran_are_not_late(make: Any) -> None:
    cluster = Cluster(make("1")).run(60)
    cluster.spec = make("2")
    while cluster.status.progress is None or not cluster.status.progress.weight:
        cluster.run(0.5)
    cluster.boot = 30
    while not (
        cluster.status.waiting_for and cluster.status.waiting_for.reason == "WaitingForPods"
    ):
        cluster.run(0.5)
    cluster.unattended(1_300).run(200)
    assert cluster.status.phase == "Ready"
    assert cluster.status.version == "2"


@rule("R7", "R18")
def test_pod_ready_too_late_while_no_operator_ran_is_named() -> None:
    cluster = live()
    cluster.boot = 650
    cluster.spec = spec("2")
    cluster.run(5).unattended(700).run(10)
    assert cluster.status.phase == "RolledBack"
    failure = cluster.status.failure
    assert failure is not None
    assert failure.message == "its pods took longer than 10m to become ready (1 of 1 pods ready)"
    assert failure.pod


@rule("R7")
def test_pods_that_nodes_keep_rejecting_are_reported_at_the_progress_deadline() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(590, tick=5)
    revision = cluster.revision("2")
    why = "UnexpectedAdmissionError: no healthy device"
    cluster.finished_pods = [Pod("turned-away", revision, "green", cluster.now, ended=why)]
    cluster.run(20, tick=5)
    failure = cluster.status.failure
    assert failure is not None
    assert "its pods were not ready" in failure.message
    assert f"pod/turned-away: {why}" in failure.message


@rule("R7", "R16")
def test_pauses_do_not_count_against_the_progress_deadline() -> None:
    slow = {"steps": [{"weight": 25, "pause": "30m"}], "bakeTime": "20s"}
    cluster = live("1", rollout=slow)
    cluster.spec = spec("2", rollout=slow)
    cluster.run(1_000, tick=5)
    assert cluster.status.phase == "Progressing"
    assert cluster.serving() == {"1": 3, "2": 1}
