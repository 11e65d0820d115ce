"""What the cluster does not give is named at once, and is not the version's fault (R7, R29)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.pods import Container, Trouble, TroubleReason
from canarium.core.facts.revision import new_record
from core.cluster import Cluster, spec

rule = pytest.mark.rule
WORDS = "exceeded quota: q"


def live(**extra: Any) -> Cluster:
    return Cluster(spec("1", **extra)).run(30)


def blocked(cluster: Cluster) -> tuple[str, str] | None:
    found = [c for c in cluster.status.conditions if c.type == "PodsBlocked"]
    assert not found or found[0].status == "True"
    return (found[0].reason, found[0].message) if found else None


def hold(cluster: Cluster) -> str | None:
    return cluster.status.waiting_for.reason if cluster.status.waiting_for else None


# C4, I8
@rule("R7", "R29")
def test_full_quota_is_named_within_seconds_and_the_rollout_continues_when_it_grows() -> None:
    cluster = live()
    cluster.quota = 3
    cluster.spec = spec("2")
    cluster.run(2)
    assert hold(cluster) == "PodCreationFailed"
    assert WORDS in cluster.status.message
    assert blocked(cluster)
    assert WORDS in blocked(cluster)[1]
    assert [e.reason for e in cluster.events].count("PodCreationFailed") == 1
    assert any(e.reason == "PodCreationFailed" and WORDS in e.message for e in cluster.events)
    cluster.run(3_600, tick=30)
    assert cluster.status.phase == "Progressing"
    assert cluster.serving() == {"1": 3}
    cluster.quota = 6
    cluster.run(60)
    assert cluster.status.version == "2"
    assert blocked(cluster) is None
    assert all(r.verdict is None for r in cluster.records)


# I8
@rule("R7", "R29")
def test_first_version_waits_for_a_full_quota_and_is_not_failed() -> None:
    cluster = Cluster(spec("1"), quota=0).run(3_600, tick=30)
    assert cluster.status.phase == "Starting"
    assert hold(cluster) == "PodCreationFailed"
    assert WORDS in cluster.status.message
    cluster.quota = 3
    assert cluster.run(30).status.phase == "Ready"


# I8
@rule("R7", "R29")
def test_full_quota_at_a_later_step_holds_the_current_weight() -> None:
    cluster = live()
    cluster.quota = 4
    cluster.spec = spec("2")
    cluster.run(3_600, tick=30)
    assert cluster.status.phase == "Progressing"
    assert cluster.status.progress
    assert cluster.status.progress.weight == 25
    assert hold(cluster) == "PodCreationFailed"
    cluster.quota = 6
    assert cluster.run(90).status.version == "2"


# I8
@rule("R7")
def test_progress_deadline_excludes_the_time_under_a_full_quota() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(400, tick=5)
    taken = cluster.pods
    cluster.quota = 3
    cluster.pods = [p for p in taken if cluster.version(p.revision) == "1"]
    cluster.run(5_000, tick=50)
    assert hold(cluster) == "PodCreationFailed"
    cluster.quota = None
    cluster.run(150, tick=5)
    assert cluster.status.phase == "Progressing"
    cluster.run(100, tick=5)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure
    assert cluster.status.failure.reason == "ProgressDeadlineExceeded"


# I8
@rule("R7", "R18")
def test_quota_that_filled_up_while_no_operator_ran_fails_nothing() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(30)
    cluster.pods = [p for p in cluster.pods if cluster.version(p.revision) == "1"]
    cluster.quota = 3
    cluster.unattended(700).run(60)
    assert cluster.status.phase == "Progressing"
    assert hold(cluster) == "PodCreationFailed"


# I8
@rule("R29")
def test_stable_that_cannot_replace_a_lost_pod_reports_why() -> None:
    cluster = live()
    cluster.quota = 2
    cluster.pods = cluster.pods[:2]
    cluster.run(5)
    assert WORDS in cluster.status.message
    assert blocked(cluster)
    assert blocked(cluster)[0] == "PodCreationFailed"
    assert [e.reason for e in cluster.events].count("PodCreationFailed") == 1
    assert cluster.serving() == {"1": 2}


def troubled(cluster: Cluster, trouble: Trouble | None) -> None:
    """The candidate's pods have a node and no container yet, for the reason of `trouble`."""
    revision = new_record(cluster.spec, []).revision
    waits = (Container("server", waiting="ContainerCreating"),)
    cluster.pods = [
        replace(p, scheduled=True, containers=waits if trouble else (), trouble=trouble)
        if p.revision == revision
        else p
        for p in cluster.pods
    ]


# I8
@rule("R7", "R29")
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (TroubleReason.FAILED_MOUNT, "VolumeUnavailable"),
        (TroubleReason.FAILED_ATTACH_VOLUME, "VolumeUnavailable"),
        (TroubleReason.FAILED_CREATE_POD_SANDBOX, "PodSandboxFailed"),
    ],
)
def test_missing_volume_or_network_is_named_and_held(reason: TroubleReason, expected: str) -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(1)
    troubled(cluster, Trouble(reason, "the driver is not registered"))
    cluster.run(3_600, tick=30)
    assert cluster.status.phase == "Progressing"
    assert hold(cluster) == expected
    assert f"{reason}: the driver is not registered" in cluster.status.message
    assert expected in [e.reason for e in cluster.events]
    troubled(cluster, None)
    assert cluster.run(90).status.version == "2"


# I8
@rule("R7", "R29")
def test_missing_secret_of_a_volume_rolls_back_at_once_and_is_named() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(1)
    text = 'secret "no-such" not found'
    troubled(cluster, Trouble(TroubleReason.FAILED_MOUNT, text, missing=True))
    cluster.run(3)
    assert cluster.status.failure
    assert cluster.status.failure.reason == "ConfigError"
    assert f"FailedMount: {text}" in cluster.status.message


@rule("R29")
def test_events_are_read_of_pods_that_have_a_node_and_no_container_after_three_seconds() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(1)
    troubled(cluster, Trouble(TroubleReason.FAILED_MOUNT, "x"))
    cluster.pods = [replace(p, trouble=None) for p in cluster.pods]
    assert cluster.run(1).requests.pod_events == ()
    assert len(cluster.run(4).requests.pod_events) == 1
    cluster.pods = [
        replace(p, containers=(Container("server", started=cluster.now),)) if not p.ready else p
        for p in cluster.pods
    ]
    assert cluster.run(1).requests.pod_events == ()


@rule("R29")
def test_scheduler_is_quoted_while_its_deadline_runs() -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(1)
    text = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu"
    cluster.pods = [
        p if p.ready else replace(p, unschedulable_since=cluster.now, unschedulable_message=text)
        for p in cluster.pods
    ]
    cluster.run(2)
    assert f"Unschedulable: revision {cluster.revision('2')}: {text}" in cluster.status.message
    assert blocked(cluster)
    assert blocked(cluster)[0] == "Unschedulable"
    cluster.run(310, tick=5)
    assert cluster.status.failure
    assert cluster.status.failure.reason == "Unschedulable"


# I5
@rule("R7", "R29")
@pytest.mark.parametrize("init", [False, True])
def test_other_container_is_named_while_the_deadline_runs(
    init: bool,
) -> None:
    cluster = live()
    cluster.boot = 1e9
    cluster.spec = spec("2")
    cluster.run(1)
    proxy = Container("proxy", init=init, last_terminated="Error", last_exit_code=1)
    cluster.pods = [p if p.ready else replace(p, containers=(proxy,)) for p in cluster.pods]
    cluster.run(2)
    what = "init container proxy" if init else "sidecar proxy"
    assert f"{what} exited with code 1 (Error)" in cluster.status.message
    assert "server exited" not in cluster.status.message
    cluster.run(620, tick=5)
    assert cluster.status.failure
    assert cluster.status.failure.reason == "ProgressDeadlineExceeded"
    assert f"{what} exited with code 1" in cluster.status.failure.message


# I5
@rule("R15")
def test_sidecar_that_exits_once_in_the_bake_undoes_nothing() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(40)
    assert cluster.status.phase == "Baking"
    proxy = Container("proxy", last_terminated="Error", last_exit_code=1, started=1.0, ready=True)
    new = cluster.revision("2")
    cluster.pods = [
        replace(p, containers=(proxy,)) if p.revision == new else p for p in cluster.pods
    ]
    cluster.run(30)
    assert (cluster.status.phase, cluster.status.version) == ("Ready", "2")


@rule("R7", "R29")
def test_ready_pods_without_endpoints_do_not_fail_the_version() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.slices_stand_still = True
    cluster.spec = spec("2")
    cluster.run(2_000)
    assert cluster.status.phase == "Progressing"
    assert cluster.status.failure is None
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "EndpointsNotReady"
    assert "ready pod is not in the EndpointSlices of Service/m. If" in cluster.status.message
    cluster.slices_stand_still = False
    cluster.run(60)
    assert (cluster.status.phase, cluster.status.version) == ("Ready", "2")


@rule("R3", "R7", "R29")
def test_first_version_with_ready_pods_without_endpoints_reports_it() -> None:
    cluster = Cluster(spec("1"), slices_stand_still=True).run(2_000)
    assert cluster.status.phase == "Starting"
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "EndpointsNotReady"
    assert "its 3 ready pods are not in the EndpointSlices of Service/m" in cluster.status.message
    cluster.slices_stand_still = False
    cluster.run(2)
    assert (cluster.status.phase, cluster.status.version) == ("Ready", "1")
