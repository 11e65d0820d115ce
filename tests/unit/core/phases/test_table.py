"""The table of phases: what changes of phase there are, and that every moment explains itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from canarium.api.status import Status
from canarium.core.phases.table import TABLE
from core.api_answers import no_runtime
from core.cluster import Cluster, spec

rule = pytest.mark.rule
LATER = {row.phase: set(row.then_to) for row in TABLE}


def good(cluster: Cluster) -> None:
    cluster.spec = spec("2")


def broken(cluster: Cluster) -> None:
    cluster.broken.add("2")
    cluster.spec = spec("2")


def crashing(cluster: Cluster) -> None:
    cluster.spec = spec("2")
    watched(cluster, 8)
    cluster.crash("2")


def crashing_late(cluster: Cluster) -> None:
    cluster.spec = spec("2")
    watched(cluster, 33)
    cluster.crash("2")


def blue_green(cluster: Cluster) -> None:
    cluster.spec = spec("2", rollout={"strategy": "BlueGreen", "bakeTime": "20s"})


def recreated(cluster: Cluster) -> None:
    cluster.spec = spec("2", rollout={"strategy": "Recreate"})


def unknown(cluster: Cluster) -> None:
    cluster.spec = spec("2", runtime={"name": "no-such"})


def retried_in_vain(cluster: Cluster) -> None:
    crashing(cluster)
    watched(cluster, 20)
    _retried(cluster)


def first_retried_in_vain(cluster: Cluster) -> None:
    cluster.broken.add("2")
    cluster.spec = spec("2")
    cluster.records, cluster.deployments, cluster.service = [], {}, None
    cluster.pods, cluster.status = [], Status()
    watched(cluster, 20)
    assert cluster.status.phase == "Failed"
    _retried(cluster)


def _retried(cluster: Cluster) -> None:
    """While there is no runtime; then the command is withdrawn."""
    cluster.runtime = no_runtime("r")
    cluster.annotations["retry"] = f"{cluster.revision('2')}/t"
    watched(cluster, 10, cluster.status.phase)
    assert cluster.status.phase == "Invalid"
    cluster.annotations.clear()
    watched(cluster, 10, cluster.status.phase)
    assert cluster.status.phase in ("Failed", "RolledBack")


def watched(cluster: Cluster, seconds: float, before: str | None = None) -> None:
    """Runs, and checks each status on the way. `before`: the preceding phase, where
    the spec is as it was then."""
    end = cluster.now + seconds
    while cluster.now < end:
        cluster.run(0.5)
        status = cluster.status
        if before and status.phase != before:
            assert status.phase in LATER[before], (before, status)
        before = status.phase
        assert status.message, status
        serving = [r for r in (status.stable, status.candidate) if r]
        assert serving or status.phase == "Invalid"
        assert any(r.revision in status.message for r in serving) or status.phase == "Invalid"
        if status.phase in ("Starting", "Progressing", "RollingBack", "Baking"):
            assert status.waiting_for, "what is waited for is reported"
            assert status.waiting_for.reason
        if status.phase in ("RollingBack", "RolledBack", "Failed"):
            failure = status.failure
            assert failure
            assert failure.reason
            assert failure.time
            assert failure.reason in status.message


@rule("R3", "R8", "R14", "R15", "R22")
@pytest.mark.parametrize(
    "story",
    [
        good,
        broken,
        crashing,
        crashing_late,
        blue_green,
        recreated,
        unknown,
        retried_in_vain,
        first_retried_in_vain,
    ],
)
def test_status_is_complete_at_every_moment_and_phases_follow_the_table(
    story: Callable[[Cluster], None],
) -> None:
    cluster = Cluster(spec("1"))
    watched(cluster, 10)
    story(cluster)
    watched(cluster, 90)


@rule("R7", "R9")
def test_rollback_carries_its_evidence_in_status_and_history() -> None:
    cluster = Cluster(spec("1")).run(10)
    body = spec("2")
    body["model"]["lineage"] = {"gitCommit": "abc"}
    cluster.spec = body
    cluster.run(8)
    cluster.crash("2").run(10)
    failure = cluster.status.failure
    assert failure is not None
    assert (failure.reason, failure.observed, failure.container) == (
        "ServerExited",
        "exit code 1",
        "server",
    )
    assert failure.pod in {f"p{i}" for i in range(20)}
    assert failure.samples == 1
    newest, first = cluster.status.history
    assert (newest.outcome, newest.by, newest.version) == ("RolledBack", "operator", "2")
    assert newest.message == failure.message
    assert (first.outcome, first.reason) == ("Promoted", "FirstVersion")


@rule("R7")
def test_deadline_reports_what_was_observed_and_the_time_allowed() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(620, tick=5)
    failure = cluster.status.failure
    assert failure is not None
    assert (failure.observed, failure.threshold) == ("0 of 1 pods ready", "10m")
    assert failure.pod


@rule("R12", "R22")
def test_change_of_strategy_waits_until_the_rollout_is_over() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.spec = spec("2", rollout={"strategy": "Recreate"})
    cluster.run(30)
    assert all(share.get("1") or share.get("2") for at, share in cluster.shares if at > 1_010)
    assert cluster.serving() == {"2": 3}
