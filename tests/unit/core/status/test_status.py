"""Message, phase, conditions and weights agree with the traffic, in every phase (R29).

Each phase is reached, then something goes wrong, and every status from there on is compared with an
independent reading of the facts: which pods are ready, and which of them callers are led to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from canarium.api.status import Status
from canarium.core.facts.observed import Container, Rejection
from canarium.core.phases.table import TABLE
from core.cluster import Cluster, gateway_spec, spec

rule = pytest.mark.rule
PHASES = {row.phase for row in TABLE}
Deed = Callable[[Cluster], None]
Maker = Callable[..., dict[str, object]]
#: Reasons for which nobody answers though a version is promoted, and that no Event reports.
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
    """Decides once; AssertionError where the status says what was not so."""
    live = served(cluster)
    status = cluster.reconcile().status
    told = {c.type: c for c in status.conditions}
    assert told["Available"].status == ("True" if live else "False"), status.message
    assert status.message
    assert status.message[0].isupper()
    for condition in status.conditions:
        assert condition.reason not in PHASES - {status.phase, "RolledBack"}, condition
        if condition.type in HOLDING and condition.status == "False":
            assert condition.reason not in HOLDING[condition.type] | {"Ready", "Baking"}, condition
    if status.phase in ("Ready", "Baking") and told["Available"].reason not in EXPECTED:
        assert live, status.message
    promoted = status.stable.revision if status.stable else None
    if status.phase == "Degraded":
        assert promoted not in live
    if status.phase == "Ready" and told["Available"].reason not in EXPECTED:
        assert promoted in live, "ready, and somebody else answers"
    for part in (status.stable, status.candidate, status.previous):
        assert part is None or part.ready_replicas or not part.effective_weight
    assert ".;" not in status.message
    if not live:
        assert told["Ready"].status == "False" or told["Ready"].reason == "ScaledToZero"
        assert "is serving" not in status.message.replace("o version is serving", "")
        assert "keeps serving" not in status.message
        if status.stable and told["Available"].reason not in EXPECTED:
            assert "o version is serving" in status.message
    failed = status.failure.revision if status.failure else None
    if told["RolledBack"].status == "True":
        assert failed
        assert failed not in live, "rolled back, and it answers callers"
        assert "keeps its traffic" not in status.message
    if failed not in live:
        assert "keeps its traffic" not in status.message
    if failed in live and status.stable and status.stable.revision != failed:
        assert told["RolledBack"].status == "False"
        assert status.candidate
        assert status.candidate.revision == failed
        assert "was rolled back" not in status.message
    for refusal in status.refusals or ():
        assert refusal.message in status.message, "every refusal is in the message"
        assert refusal.message in told["WritesRefused"].message
    assert ("WritesRefused" in told) == bool(cluster.rejection)


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
    cluster.rejection = Rejection("Pod", "spec.containers[0].image: Required value")
    cluster.run(2)


def degraded(cluster: Cluster) -> None:
    ready(cluster)
    cluster.crash("1").run(1)


def asleep(cluster: Cluster) -> None:
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


#: Each phase of the table, and how it is reached; the phase is in the status once it is decided.
REACHED: dict[str, Deed] = {
    "Starting": starting,
    "Ready": ready,
    "Progressing": progressing,
    "Baking": baking,
    "RollingBack": rolling_back,
    "RolledBack": rolled_back,
    "Failed": failed,
    "Invalid": invalid,
    "Degraded": degraded,
}
#: No phase of its own: nobody answers, as was asked.
ASLEEP: dict[str, Deed] = {"asleep": asleep}


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


def _refused(what: str, reason: str) -> Deed:
    def deed(cluster: Cluster) -> None:
        name = f"{what} m"
        if what == "Deployment":
            revision = cluster.observed().deployments[-1].revision if cluster.deployments else "x"
            name = f"Deployment m-{revision}"
        elif what == "ControllerRevision" and cluster.records:
            name = f"ControllerRevision m-{cluster.records[-1].revision}"
        cluster.rejection = Rejection(name, f"{reason}: somebody forbids it", reason=reason)

    deed.__name__ = f"{what}_{reason}"
    return deed


def quota_on_pods(cluster: Cluster) -> None:
    for revision, deployment in cluster.deployments.items():
        cluster.deployments[revision] = replace(deployment, failure="exceeded quota: pods=0")
    cluster.pods = [pod for pod in cluster.pods if pod.ready]


def record_of_stable_deleted(cluster: Cluster) -> None:
    stable = cluster.status.stable
    cluster.records = [r for r in cluster.records if not stable or r.revision != stable.revision]


def status_lost(cluster: Cluster) -> None:
    cluster.status = Status()


DEEDS: tuple[Deed, ...] = (
    stable_crashes,
    all_crash,
    quota_on_pods,
    record_of_stable_deleted,
    status_lost,
    _refused("Service", "AdmissionDenied"),
    _refused("HTTPRoute", "Forbidden"),
    _refused("Deployment", "QuotaExceeded"),
    _refused("ControllerRevision", "WebhookFailed"),
)


def recreate_spec(version: str, **extra: object) -> dict[str, object]:
    """Stable is deleted before the candidate is created, and there is no warm version."""
    return {**spec(version), "rollout": {"strategy": "Recreate"}, **extra}


MAKERS: tuple[Maker, ...] = (spec, gateway_spec, recreate_spec)
#: Every phase by both kinds of router and by strategy Recreate, which keeps no version warm.
WALK = [
    pytest.param(phase, make, id=f"{phase}-{make.__name__.removesuffix('_spec')}")
    for phase in (*REACHED, *ASLEEP)
    for make in MAKERS
    if (phase, make) != ("Baking", recreate_spec)
]


def test_every_phase_of_the_table_is_walked() -> None:
    assert set(REACHED) == PHASES


@rule("R29")
@pytest.mark.parametrize(("phase", "make"), WALK)
def test_phase_of_the_walk_is_reached(phase: str, make: Maker) -> None:
    cluster = Cluster(make("1"))
    (REACHED | ASLEEP)[phase](cluster)
    agree(cluster)
    status = cluster.reconcile().status
    assert status.phase == (phase if phase in REACHED else "Ready")


@rule("R29")
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize(("phase", "make"), WALK)
def test_status_agrees_with_the_traffic(phase: str, deed: Deed, make: Maker) -> None:
    cluster = Cluster(make("1"))
    (REACHED | ASLEEP)[phase](cluster)
    deed(cluster)
    cluster._endpoints()
    for _ in range(6):
        agree(cluster)
        if cluster.rejection is None:
            cluster.run(0.5)
        cluster.now += 0.5
        cluster._live()


# C1, I9
@rule("R29")
def test_outage_of_a_promoted_version_names_pod_exit_code_and_last_log_line() -> None:
    cluster = Cluster(spec("1")).run(10)
    stable_crashes(cluster)
    cluster._endpoints()
    cluster.run(2)
    status = cluster.status
    told = {c.type: (c.status, c.reason) for c in status.conditions}
    assert status.phase == "Degraded"
    assert "last with code 3: boom: no such file (pod/p" in status.message
    assert "container server" in status.message
    assert told["Available"] == ("False", "CrashLoopBackOff")
    assert told["Ready"] == ("False", "CrashLoopBackOff")
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
    cluster.rejection = Rejection("Service m", "policy p denied it", reason="AdmissionDenied")
    decision = cluster.reconcile()
    status = decision.status
    told = {c.type: (c.status, c.reason) for c in status.conditions}
    assert told["RollbackBlocked"] == ("True", "AdmissionDenied")
    assert told["RolledBack"] == ("False", "RollbackBlocked")
    assert "policy p denied it" in status.message
    assert status.candidate
    assert status.weight == status.candidate.effective_weight > 0
    assert decision.retry_is_urgent
    assert [o.outcome for o in status.history] == ["Promoted"]
    assert "RolledBack" not in {event.reason for event in decision.events}
    assert [e.message for e in decision.events if e.reason == "WriteRefused"] == [
        "Service/m: AdmissionDenied: policy p denied it"
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
    cluster.rejection = Rejection("Service m", "policy p denied it", reason="AdmissionDenied")
    message = cluster.reconcile().status.message
    assert "It is still selected with 0 ready pods because" in message
    assert "Service/m: policy p denied it" in message
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


# R13: waking from zero is no outage
@rule("R29")
def test_scaling_up_from_zero_is_not_an_outage() -> None:
    cluster = Cluster(spec("1"))
    asleep(cluster)
    events = len(cluster.events)
    cluster.boot = 5.0
    cluster.spec = spec("1")
    cluster.run(2)
    told = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert told["Available"] == ("False", "ScalingUp")
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
    what = "Service m" if make is spec else "HTTPRoute m"
    cluster.rejection = Rejection(what, "policy freeze: no changes", reason="AdmissionDenied")
    cluster.pods = [pod for pod in cluster.pods if cluster.version(pod.revision) != "2"]
    cluster._endpoints()
    status = cluster.reconcile().status
    assert status.standby is None
    assert "traffic moves to version 1 (vvsrm9rh)" in status.message
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
    cluster.deaf = True
    cluster.annotations = {"undo": f"{cluster.revision('2')}/one"}
    cluster.run(5)
    status = cluster.status
    assert status.phase == "RollingBack"
    assert status.candidate is not None
    assert cluster.version(status.candidate.revision) == "2"
    assert status.weight == status.candidate.effective_weight == 100


# F
@rule("R29")
@pytest.mark.parametrize(("replicas", "words"), [(1, "once 1 pod is ready"), (3, "3 pods are")])
def test_awaited_pods_are_counted_in_singular_and_plural(replicas: int, words: str) -> None:
    cluster = Cluster({**spec("1"), "scaling": {"replicas": replicas}})
    starting(cluster)
    assert words in cluster.status.message
