"""Models in each phase, and the agreement of a status with the traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from canarium.api.reasons import RejectionReason
from canarium.api.status import Status
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.pods import Container
from canarium.core.phases.table import TABLE
from core.api_answers import ANSWERS, invalid_pod
from core.cluster import Cluster, spec

PHASES = {row.phase for row in TABLE}
Change = Callable[[Cluster], None]
Maker = Callable[..., dict[str, object]]
#: Reasons for which no version serves though one is promoted, and that no Event reports.
EXPECTED = {"ScaledToZero", "ScalingUp", "NoVersionPromoted", "Recreating"}
#: Reasons that only a condition which holds may have.
HOLDING = {"Available": {"Serving"}, "Ready": {"Promoted"}}


def served(cluster: Cluster) -> dict[str, int]:
    """Ready pods by revision that callers are led to, from the facts alone."""
    found: dict[str, int] = {}
    route = dict(cluster.route.weights) if cluster.route else {}
    for pod in cluster.pods:
        inside = bool(cluster.service and pod.name in cluster.service.endpoints)
        if pod.serves and (route.get(pod.revision) or inside):
            found[pod.revision] = found.get(pod.revision, 0) + 1
    return found


def agree(cluster: Cluster) -> None:
    """Decides once; raises AssertionError where the status is false."""
    live = served(cluster)
    status = cluster.reconcile().status
    conditions = {c.type: c for c in status.conditions}
    assert conditions["Available"].status == ("True" if live else "False"), status.message
    assert status.message
    assert status.message[0].isupper()
    for condition in status.conditions:
        assert condition.message, condition
        assert condition.reason not in PHASES - {status.phase, "RolledBack"}, condition
        if condition.type in HOLDING and condition.status == "False":
            assert condition.reason not in HOLDING[condition.type] | {"Ready", "Baking"}, condition
    if status.phase in ("Ready", "Baking") and conditions["Available"].reason not in EXPECTED:
        assert live, status.message
    promoted = status.stable.revision if status.stable else None
    if status.phase == "Degraded":
        assert promoted not in live
    if status.phase == "Ready" and conditions["Available"].reason not in EXPECTED:
        assert promoted in live, "ready, and another version serves"
    if promoted not in live:
        assert f"({promoted}) is serving" not in status.message
    for part in (status.stable, status.candidate, status.previous):
        assert part is None or part.ready_replicas or not part.effective_weight
    assert ".;" not in status.message
    if not live:
        assert conditions["Ready"].status == "False" or conditions["Ready"].reason == "ScaledToZero"
        assert "is serving" not in status.message.replace("o version is serving", "")
        assert "keeps serving" not in status.message
        if status.stable and conditions["Available"].reason not in EXPECTED:
            assert "o version is serving" in status.message
    failed = status.failure.revision if status.failure else None
    if conditions["RolledBack"].status == "True":
        assert failed
        assert failed not in live, "rolled back, and it answers callers"
        assert "keeps its traffic" not in status.message
    if failed not in live:
        assert "keeps its traffic" not in status.message
    if failed in live and status.stable and status.stable.revision != failed:
        assert conditions["RolledBack"].status == "False"
        assert status.candidate
        assert status.candidate.revision == failed
        assert "was rolled back" not in status.message
    for rejection in status.rejected_writes or ():
        assert rejection.message in status.message, "every rejection is in the message"
        assert rejection.message in conditions["WritesRejected"].message
    assert ("WritesRejected" in conditions) == bool(cluster.rejection)


def starting(cluster: Cluster) -> None:
    cluster.run(1)


def ready(cluster: Cluster) -> None:
    cluster.run(10)


def progressing(cluster: Cluster) -> None:
    ready(cluster)
    cluster.spec = _next(cluster)
    cluster.run(6 if "steps" in cluster.spec["rollout"] else 2)


def baking(cluster: Cluster) -> None:
    ready(cluster)
    cluster.spec = _next(cluster)
    _until(cluster, "Baking")


def rolling_back(cluster: Cluster) -> None:
    progressing(cluster)
    cluster.crash("2")


def rolled_back(cluster: Cluster) -> None:
    rolling_back(cluster)
    _until(cluster, "RolledBack")


def failed(cluster: Cluster) -> None:
    cluster.broken.add("1")
    cluster.run(10)


def invalid(cluster: Cluster) -> None:
    ready(cluster)
    cluster.spec = _next(cluster)
    cluster.rejection = invalid_pod()
    cluster.run(2)


def degraded(cluster: Cluster) -> None:
    ready(cluster)
    cluster.crash("1").run(1)


def scaled_to_zero(cluster: Cluster) -> None:
    ready(cluster)
    cluster.spec = {**cluster.spec, "scaling": {"replicas": 0}}
    cluster.run(10)


def _until(cluster: Cluster, phase: str) -> None:
    end = cluster.now + 100
    while cluster.status.phase != phase:
        assert cluster.now < end, cluster.status.message
        cluster.run(1)


def _next(cluster: Cluster) -> dict[str, object]:
    """The spec of version 2, with the router and the strategy of version 1."""
    kept = {part: cluster.spec[part] for part in ("traffic", "rollout") if part in cluster.spec}
    return {**spec("2"), **kept}


def stable_crashes(cluster: Cluster) -> None:
    """All pods of stable exit again and again."""
    looping = Container(
        "server",
        waiting="CrashLoopBackOff",
        last_terminated="Error",
        last_exit_code=3,
        message="boom: no such file",
    )
    stable = cluster.status.stable
    cluster.pods = [
        replace(pod, ready=False, ready_changed=cluster.now, containers=(looping,))
        if stable and pod.revision == stable.revision and not pod.terminating
        else pod
        for pod in cluster.pods
    ]


def all_crash(cluster: Cluster) -> None:
    for version in ("1", "2"):
        if any(record.version == version for record in cluster.records):
            cluster.crash(version)


def _rejected(kind: str, reason: RejectionReason) -> Change:
    def change(cluster: Cluster) -> None:
        name = "m"
        if kind == "Deployment":
            revision = cluster.observed().deployments[-1].revision if cluster.deployments else "x"
            name = f"m-{revision}"
        elif kind == "ControllerRevision" and cluster.records:
            name = f"m-{cluster.records[-1].revision}"
        cluster.rejection = ANSWERS[reason](ObjectRef(kind, name))

    change.__name__ = f"{kind}_{reason}"
    return change


def quota_on_pods(cluster: Cluster) -> None:
    for revision, deployment in cluster.deployments.items():
        cluster.deployments[revision] = replace(deployment, failure="exceeded quota: pods=0")
    cluster.pods = [pod for pod in cluster.pods if pod.ready]


def record_of_stable_deleted(cluster: Cluster) -> None:
    stable = cluster.status.stable
    cluster.records = [r for r in cluster.records if not stable or r.revision != stable.revision]


def status_lost(cluster: Cluster) -> None:
    cluster.status = Status()
