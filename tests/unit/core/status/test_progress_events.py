"""Events of a rollout's progress: one for each transition, however often it is decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.api.status import Status
from core.cluster import Cluster, gateway_spec, spec

STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "Manual"}]}
PROGRESS = (
    "RolloutStarted",
    "WeightInEffect",
    "RolloutPaused",
    "WaitingForPromotion",
    "Promoted",
    "RolledBack",
    "RollbackBlocked",
)


def rolling(make: object = spec, **extra: object) -> Cluster:
    """Version 1 promoted, its Events forgotten, and version 2 applied."""
    assert callable(make)
    extra = {"rollout": {**STEPS, "bakeTime": "20s"}, **extra}
    cluster = Cluster(make("1", **extra)).run(15)
    cluster.events.clear()
    cluster.spec = make("2", **extra)
    return cluster


def reasons(cluster: Cluster) -> list[str]:
    return [e.reason for e in cluster.events if e.reason in PROGRESS]


def text(cluster: Cluster, reason: str) -> str:
    return next(e.message for e in cluster.events if e.reason == reason)


def order(cluster: Cluster, command: str) -> None:
    cluster.annotations[command] = f"{cluster.revision('2')}/t1"
    cluster.settle()


@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_rollout_reports_each_transition_once(make: object) -> None:
    cluster = rolling(make).run(60)
    assert reasons(cluster) == [
        "RolloutStarted",
        "WeightInEffect",
        "WeightInEffect",
        "WaitingForPromotion",
    ]
    order(cluster, "promote")
    cluster.run(60)
    assert reasons(cluster)[4:] == ["Promoted"]


def test_events_name_version_revision_step_and_pause() -> None:
    cluster = rolling().run(60)
    revision = cluster.revision("2")
    assert f"The rollout of version 2 ({revision}) started." in text(cluster, "RolloutStarted")
    assert text(cluster, "WeightInEffect") == (
        f"Version 2 ({revision}) has weight 25 (step 1/3) and receives 25% of the traffic. "
        "The pause of this step is 10s."
    )
    assert f"canarium.dev/promote={revision}/<token>" in text(cluster, "WaitingForPromotion")


def test_first_version_reports_its_promotion_only() -> None:
    cluster = Cluster(spec("1", rollout=STEPS)).run(30)
    assert reasons(cluster) == ["Promoted"]


def test_pods_lost_at_a_manual_pause_do_not_report_it_again() -> None:
    cluster = rolling().run(60)
    gone = [pod for pod in cluster.pods if pod.revision == cluster.revision("2")]
    cluster.pods = [
        replace(pod, ready=False, ready_changed=cluster.now) if pod in gone else pod
        for pod in cluster.pods
    ]
    cluster.run(5)
    cluster.pods = [pod for pod in cluster.pods if pod.name not in {one.name for one in gone}]
    cluster.run(30)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual"
    assert reasons(cluster).count("WaitingForPromotion") == 1
    assert reasons(cluster).count("WeightInEffect") == 2
    assert reasons(cluster).count("RolloutStarted") == 1


def test_lost_status_reports_nothing_again() -> None:
    cluster = rolling().run(60)
    cluster.events.clear()
    cluster.status = Status()
    cluster.run(20)
    assert cluster.status.step == "2/3"
    assert reasons(cluster) == []


@pytest.mark.parametrize("by", ["spec", "command"])
def test_pause_is_reported_once_per_rollout(by: str) -> None:
    cluster = rolling().run(5)
    if by == "spec":
        cluster.spec = {**cluster.spec, "paused": True}
    else:
        order(cluster, "pause")
    cluster.run(30)
    assert reasons(cluster).count("RolloutPaused") == 1
    assert "paused by" in text(cluster, "RolloutPaused")


def test_pause_without_a_rollout_has_no_event_until_one_starts() -> None:
    cluster = Cluster(spec("1", rollout=STEPS)).run(60)
    cluster.spec = {**cluster.spec, "paused": True}
    cluster.run(10)
    assert "RolloutPaused" not in reasons(cluster)
    cluster.spec = {**spec("2", rollout=STEPS), "paused": True}
    cluster.run(10)
    assert reasons(cluster).count("RolloutPaused") == 1


def test_blocked_rollback_is_a_warning_and_its_end_the_rollback() -> None:
    cluster = rolling().run(60)
    cluster.broken = {"1"}
    stable = cluster.revision("1")
    cluster.pods = [pod for pod in cluster.pods if pod.revision != stable]
    order(cluster, "abort")
    cluster.run(20)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "RollbackBlocked"
    blocked = [e for e in cluster.events if e.reason == "RollbackBlocked"]
    assert [e.kind for e in blocked] == ["Warning"]
    assert "until version 1 (vvsrm9rh) has a ready pod" in blocked[0].message


def test_step_counts_the_promotion_and_ends_with_the_rollout() -> None:
    few = [{"weight": 10, "pause": "5s"}, {"weight": 25, "pause": "Manual"}]
    cluster = rolling(rollout={"steps": few, "bakeTime": "20s"})
    seen: list[str | None] = []
    for _ in range(70):
        cluster.run(1)
        if not seen or seen[-1] != cluster.status.step:
            seen.append(cluster.status.step)
        hold = cluster.status.waiting_for
        if hold and hold.reason == "Manual":
            cluster.annotations["promote"] = f"{cluster.revision('2')}/t1"
    assert seen == ["1/3", "2/3", "3/3", None]
    assert cluster.status.revision == cluster.revision("2")


def test_step_is_the_last_one_when_the_others_are_skipped() -> None:
    cluster = rolling().run(5)
    order(cluster, "promote-full")
    assert cluster.status.step == "3/3"


def test_no_condition_has_an_empty_message() -> None:
    cluster = rolling(gateway_spec)
    for _ in range(60):
        cluster.run(1)
        assert all(condition.message for condition in cluster.status.conditions)


@pytest.mark.rule("R28")
def test_start_is_reported_by_the_first_status_that_is_stored() -> None:
    """The Deployment exists before it: what was not stored has not been reported."""
    cluster = rolling()
    stored = cluster.status
    cluster.settle()
    assert reasons(cluster) == ["RolloutStarted"]
    cluster.events.clear()
    cluster.status = stored
    cluster.settle()
    assert reasons(cluster) == ["RolloutStarted"]


@pytest.mark.rule("R28")
def test_rollback_is_reported_although_the_last_stored_status_has_another_one() -> None:
    cluster = rolling().run(5)
    order(cluster, "abort")
    cluster.run(5)
    assert reasons(cluster)[-1] == "RolledBack"
    stored = cluster.status
    cluster.spec = spec("3", rollout={**STEPS, "bakeTime": "20s"})
    cluster.run(5)
    cluster.events.clear()
    cluster.status = stored
    cluster.annotations["abort"] = f"{cluster.revision('3')}/t2"
    cluster.settle()
    assert reasons(cluster)[-1] == "RolledBack"
