"""What is read from live objects: the facts that decisions need, as Kubernetes reports them."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.pods import Pod
from canarium.engine.cache import pods, projections
from canarium.render import labels

rule = pytest.mark.rule


def at(second: int) -> str:
    return f"1970-01-01T00:{second // 60:02}:{second % 60:02}Z"


def pod(
    *conditions: tuple[str, str, int], meta: dict[str, Any] | None = None, **status: Any
) -> Pod:
    """A pod made at 0, with conditions by type, status and time."""
    conditions = [
        {"type": kind, "status": state, "lastTransitionTime": at(changed)}
        for kind, state, changed in conditions
    ]
    marks = {labels.MODEL: "m", labels.REVISION: "r", labels.COLOR: "blue"}
    own = {"name": "p", "namespace": "ns", "uid": "u", "resourceVersion": "1", "labels": marks}
    raw = {
        "metadata": {**own, "creationTimestamp": at(0), **(meta or {})},
        "status": {"conditions": conditions} | status,
    }
    return pods.pod(raw).fact


def initialized(finished: int) -> dict[str, Any]:
    ended = {"exitCode": 0, "reason": "Completed", "finishedAt": at(finished)}
    return {"name": "fetch", "state": {"terminated": ended}}


@pytest.mark.parametrize(
    ("reason", "since"), [("Unschedulable", 9), ("SchedulingGated", None), ("SchedulerError", None)]
)
def test_pod_with_a_scheduling_gate_is_not_unschedulable(reason: str, since: int | None) -> None:
    """As one of a queue, such as Kueue's: no node was looked for yet."""
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": "why"}
    seen = pod(conditions=[{**condition, "lastTransitionTime": at(9)}])
    assert seen.unschedulable_since == since
    assert seen.unschedulable_message == ("why" if since else "")
    assert seen.scheduling_gated == (reason == "SchedulingGated")


def test_terminating_pod_has_the_deadline_of_its_deletion() -> None:
    seen = pod(meta={"deletionTimestamp": at(90), "deletionGracePeriodSeconds": 30})
    assert (seen.terminating, seen.terminates_by) == (True, 90)
    assert (pod().terminating, pod().terminates_by) == (False, None)


@rule("R25")
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"phase": "Running"}, None),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on disk"},
            "Evicted: low on disk",
        ),
        ({"phase": "Failed", "reason": "NodeShutdown"}, "NodeShutdown"),
        ({"phase": "Succeeded"}, "Succeeded"),
    ],
)
def test_pod_without_running_containers_has_ended(fields: dict[str, str], why: str) -> None:
    assert pod(**fields).ended == why


@rule("R7")
@pytest.mark.parametrize(
    ("seen", "begun"),
    [
        (pod(), 0),
        (pod(("PodScheduled", "False", 9)), 0),
        (pod(("PodScheduled", "True", 90), ("Initialized", "False", 90)), 90),
        (pod(("PodScheduled", "True", 90), ("Initialized", "True", 210)), 210),
        (
            pod(
                ("PodScheduled", "True", 90),
                ("Initialized", "False", 90),
                initContainerStatuses=[initialized(200), {"name": "later"}],
            ),
            200,
        ),
    ],
    ids=["made", "without a node", "scheduled", "initialized", "between init containers"],
)
def test_image_pull_begins_when_nothing_else_is_pending(seen: Pod, begun: int) -> None:
    assert seen.containers_since == begun


# I8
@pytest.mark.parametrize(
    ("conditions", "containers", "creating"),
    [
        ([("PodScheduled", "True", 1)], [], True),
        ([("PodScheduled", "True", 1)], [{"waiting": {"reason": "ContainerCreating"}}], True),
        ([("PodScheduled", "True", 1)], [{"waiting": {"reason": "ImagePullBackOff"}}], False),
        ([("PodScheduled", "True", 1)], [{"running": {"startedAt": at(5)}}], False),
        ([("PodScheduled", "True", 1)], [{"terminated": {"exitCode": 1}}], False),
        ([("PodScheduled", "False", 1)], [], False),
    ],
)
def test_scheduled_pod_without_containers_is_being_created(
    conditions: list[tuple[str, str, int]], containers: list[dict[str, Any]], creating: bool
) -> None:
    states = [{"name": "server", "state": state} for state in containers]
    assert pod(*conditions, containerStatuses=states).creating == creating


# I5
def test_server_container_is_found_by_name_with_its_readiness() -> None:
    states = [{"name": "server", "ready": True}, {"name": "proxy", "ready": False}]
    inits = [{"name": "server-init"}]
    seen = pod(containerStatuses=states, initContainerStatuses=inits)
    assert [(c.name, c.is_server, c.ready) for c in seen.containers] == [
        ("server-init", False, False),
        ("server", True, True),
        ("proxy", False, False),
    ]


def scaler(*conditions: tuple[str, str, str]) -> Any:
    meta = {"name": "m-r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "labels": {}}
    conditions = [
        {"type": t, "status": s, "reason": r, "message": "why", "lastTransitionTime": at(9)}
        for t, s, r in conditions
    ]
    raw = {"metadata": meta, "spec": {"maxReplicas": 4}, "status": {"conditions": conditions}}
    return projections.autoscaler(raw).fact.fault


# I10
@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ((), None),
        ((("AbleToScale", "True", "ReadyForNewScale"), ("ScalingActive", "True", "x")), None),
        ((("ScalingActive", "False", "FailedGetResourceMetric"),), "FailedGetResourceMetric"),
        ((("ScalingActive", "False", "ScalingDisabled"),), None),
        ((("ScalingLimited", "False", "DesiredWithinRange"),), None),
        (
            (("ScalingActive", "False", "x"), ("AbleToScale", "False", "FailedGetScale")),
            "FailedGetScale",
        ),
    ],
)
def test_autoscaler_faults_are_read_from_its_conditions(
    conditions: tuple[tuple[str, str, str], ...], reason: str | None
) -> None:
    found = scaler(*conditions)
    assert (found.reason if found else None) == reason
    if found:
        assert (found.message, found.since) == ("why", 9)


# C4
@pytest.mark.parametrize(
    ("reason", "expected"), [("FailedCreate", "exceeded quota: q"), ("FailedDelete", None)]
)
def test_deployment_quotes_the_rejection_of_its_pods(reason: str, expected: str | None) -> None:
    meta = {"name": "m-r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "labels": {}}
    condition = {"type": "ReplicaFailure", "status": "True", "reason": reason}
    spec = {"template": {"metadata": {}, "spec": {"containers": []}}}
    status = {"conditions": [{**condition, "message": "exceeded quota: q"}]}
    raw = {"metadata": meta, "spec": spec, "status": status}
    assert projections.deployment(raw).fact.failure == expected
