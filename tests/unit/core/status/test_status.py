"""Message, phase, conditions and weights agree with the traffic, in every phase (R29).

Each phase is reached, then a fault occurs, and every status from there on is compared with an
independent reading of the facts: which pods are ready, and which of them callers are led to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from canarium.api.status import Status
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, gateway_spec, spec
from core.status.phase_scenarios import (
    agree,
    baking,
    progressing,
    record_of_stable_deleted,
    scaled_to_zero,
    stable_crashes,
    starting,
)

rule = pytest.mark.rule


# C1, I7, I9
@rule("R16", "R29")
@pytest.mark.parametrize("paused", [False, True])
def test_outage_of_a_promoted_version_names_pod_exit_code_and_last_log_line(paused: bool) -> None:
    cluster = Cluster({**spec("1"), "paused": paused}).run(10)
    stable_crashes(cluster)
    cluster._endpoints()
    cluster.run(2)
    status = cluster.status
    by_type = {c.type: (c.status, c.reason) for c in status.conditions}
    assert status.phase == "Degraded"
    assert "last with code 3: boom: no such file (pod/p" in status.message
    assert "container server" in status.message
    assert by_type["Available"] == ("False", "CrashLoopBackOff")
    assert by_type["Ready"] == ("False", "CrashLoopBackOff")
    events = [e for e in cluster.events if e.reason == "CrashLoopBackOff"]
    assert len(events) == 1
    assert "boom: no such file" in events[0].message
    cluster.heal("1").run(2)
    assert cluster.status.phase == "Ready"
    assert cluster.events[-1].reason == "ServiceRestored"


# C5, E2
@rule("R8", "R29")
def test_failed_version_with_traffic_is_not_called_rolled_back() -> None:
    cluster = Cluster(spec("1"))
    progressing(cluster)
    cluster.annotations["abort"] = f"{cluster.revision('2')}/now"
    cluster.rejection = denied(ObjectRef("Service", "m"))
    decision = cluster.reconcile()
    status = decision.status
    by_type = {c.type: (c.status, c.reason) for c in status.conditions}
    assert by_type["RollbackBlocked"] == ("True", "AdmissionDenied")
    assert by_type["RolledBack"] == ("False", "RollbackBlocked")
    assert cluster.rejection.message in status.message
    assert status.candidate
    assert status.weight == status.candidate.effective_weight > 0
    assert decision.retry_is_urgent
    assert [o.outcome for o in status.history] == ["Promoted"]
    assert "RolledBack" not in {event.reason for event in decision.events}
    assert [e.message for e in decision.events if e.reason == "WriteRejected"] == [
        f"Service/m: AdmissionDenied: {cluster.rejection.message}"
    ]
    cluster.rejection = None
    cluster.run(15)
    assert cluster.status.phase == "RolledBack"
    assert [o.outcome for o in cluster.status.history] == ["RolledBack", "Promoted"]
    assert [e.reason for e in cluster.events].count("RolledBack") == 1


# E2
@rule("R8", "R29")
def test_failed_version_without_ready_pods_is_not_called_serving() -> None:
    cluster = Cluster(spec("1"))
    progressing(cluster)
    failed = cluster.revision("2")
    cluster.pods = [
        replace(pod, ready=False) if pod.revision == failed else pod for pod in cluster.pods
    ]
    cluster.annotations["abort"] = f"{failed}/now"
    cluster.rejection = denied(ObjectRef("Service", "m"))
    message = cluster.reconcile().status.message
    assert "It is still selected with 0 ready pods because" in message
    assert f"Service/m: {cluster.rejection.message}" in message
    assert "keeps its traffic" not in message


# C6
@rule("R1", "R29")
def test_version_of_stable_stays_when_its_record_is_deleted() -> None:
    cluster = Cluster(spec("1"))
    progressing(cluster)
    record_of_stable_deleted(cluster)
    cluster.run(1)
    assert cluster.status.version == "1"
    assert "1" in cluster.status.message


# R13: scaling up from zero is not an outage
@rule("R29")
def test_scaling_up_from_zero_is_not_an_outage() -> None:
    cluster = Cluster(spec("1"))
    scaled_to_zero(cluster)
    events = len(cluster.events)
    cluster.boot = 5.0
    cluster.spec = spec("1")
    cluster.run(2)
    by_type = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert by_type["Available"] == ("False", "ScalingUp")
    assert cluster.status.phase == "Starting"
    cluster.run(10)
    assert cluster.status.phase == "Ready"
    assert len(cluster.events) == events


@rule("R29")
@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
def test_promoted_version_is_degraded_while_an_older_one_serves_for_it(
    make: Callable[..., dict[str, object]],
) -> None:
    # C1: without a bake, whose warm version would be expected to answer.
    settings = {"steps": [{"weight": 25, "pause": "Manual"}], "bakeTime": "0s"}
    cluster = Cluster(make("1", rollout=settings)).run(10)
    cluster.spec = make("2", rollout=settings)
    cluster.run(20)
    cluster.spec = make("1", rollout=settings)  # Back to stable, which loses its pods (R11).
    cluster.pods = [pod for pod in cluster.pods if cluster.version(pod.revision) != "1"]
    cluster.boot = 30.0
    cluster.run(5)
    agree(cluster)
    assert cluster.status.phase == "Degraded"
    assert "Version 2 (k49bv689) receives 100% of the traffic" in cluster.status.message
    cluster.run(60)
    assert cluster.status.phase == "Ready"


@rule("R18", "R29")
@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
def test_rollout_at_zero_whose_status_is_lost_names_the_weight_at_which_it_continues(
    make: Callable[..., dict[str, object]],
) -> None:
    # A4, C3
    settings = {"steps": [{"weight": 25, "pause": "Manual"}]}
    cluster = Cluster(make("1", rollout=settings)).run(10)
    cluster.spec = make("2", rollout=settings)
    cluster.run(20)
    cluster.spec = make("2", rollout=settings, scaling={"replicas": 0})
    cluster.run(10)
    cluster.status = Status()
    cluster.run(5)
    agree(cluster)
    assert "continues at weight 25 once the model is scaled up" in cluster.status.message


@rule("R15", "R29")
@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
def test_warm_version_is_not_called_serving_while_its_write_is_rejected(
    make: Callable[..., dict[str, object]],
) -> None:
    # B1, C5: the policy was there before the outage.
    cluster = Cluster(make("1"))
    baking(cluster)
    events = len(cluster.events)
    kind = "Service" if make is spec else "HTTPRoute"
    cluster.rejection = denied(ObjectRef(kind, "m"))
    cluster.pods = [pod for pod in cluster.pods if cluster.version(pod.revision) != "2"]
    cluster._endpoints()
    status = cluster.reconcile().status
    assert status.standby is None
    assert "Traffic moves to version 1 (vvsrm9rh)" in status.message
    assert "as soon as the API server accepts the write" in status.message
    assert "StandbyServing" not in {event.reason for event in cluster.events[events:]}
    cluster.rejection = None
    cluster.run(1)
    assert cluster.status.standby == cluster.revision("1")
    assert "StandbyServing" in {event.reason for event in cluster.events[events:]}


@rule("R8", "R29")
def test_undone_version_keeps_its_effective_weight_until_the_gateway_confirms() -> None:
    # E2
    cluster = Cluster(gateway_spec("1"))
    baking(cluster)
    cluster.gateways_silent = True
    cluster.annotations = {"undo": f"{cluster.revision('2')}/one"}
    cluster.run(5)
    status = cluster.status
    assert status.phase == "RollingBack"
    assert status.candidate is not None
    assert cluster.version(status.candidate.revision) == "2"
    assert status.weight == status.candidate.effective_weight == 100


# F1
@rule("R29")
@pytest.mark.parametrize(("replicas", "words"), [(1, "once 1 pod is ready"), (3, "3 pods are")])
def test_awaited_pods_are_counted_in_singular_and_plural(replicas: int, words: str) -> None:
    cluster = Cluster({**spec("1"), "scaling": {"replicas": replicas}})
    starting(cluster)
    assert words in cluster.status.message
