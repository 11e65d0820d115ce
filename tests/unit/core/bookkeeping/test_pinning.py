"""Models that are fetched: pinned by their first pod; later changes of the source harm no pod."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from canarium.core.decision.plan import AnnotateRevision
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.pods import Container, Pod
from canarium.core.health.failure_causes import judge
from core.api_answers import denied
from core.cluster import Cluster, spec

URI = {"version": "1", "uri": "s3://models/fraud/7"}


def started(cluster: Cluster, version: str) -> int:
    revision = cluster.revision(version)
    return sum(1 for pod in cluster.pods if pod.revision == revision)


def test_first_pod_fetches_and_pins_before_the_others_start() -> None:
    cluster = Cluster(spec("1", model=URI)).settle()
    assert started(cluster, "1") == 1
    revision = cluster.revision("1")
    cluster.run(30)
    assert cluster.pinned == {revision: "sha256:one"}
    assert cluster.serving() == {"1": 3}
    assert cluster.status.stable is not None
    assert cluster.status.stable.artifact == "sha256:one"
    assert cluster.status.history[0].artifact == "sha256:one"
    assert cluster.status.history[0].uri == URI["uri"]


@pytest.mark.parametrize("identity", [{}, {"identity": "release@example.com"}])
def test_verified_signature_is_recorded_and_in_status_and_history(
    identity: dict[str, str],
) -> None:
    signed = {**identity, "key": "sha256:key", "subject": "fraud", "digest": "sha256:statement"}
    cluster = Cluster(spec("1", model=URI), signature=json.dumps(signed)).run(30)
    (record,) = cluster.records
    assert json.loads(record.signature or "") == signed
    stable, last = cluster.status.stable, cluster.status.history[0]
    assert stable is not None
    assert stable.signature is not None
    assert stable.signature.model_dump(exclude_none=True) == signed
    assert last.signature == stable.signature


def test_signature_of_a_record_without_one_is_added_once() -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    assert cluster.records[0].signature is None
    signed = json.dumps({"key": "sha256:key", "subject": "f", "digest": "sha256:statement"})
    cluster.pods = [replace(pod, signature=signed) for pod in cluster.pods]
    cluster.run(5)
    assert cluster.records[0].signature == signed
    noted = [a for a in cluster.reconcile().actions if isinstance(a, AnnotateRevision)]
    assert noted == []


def test_candidate_is_pinned_before_its_second_pod() -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    cluster.bytes = "sha256:two"
    new = {"version": "2", "uri": "s3://models/fraud/8"}
    cluster.spec = spec("2", model=new, rollout={"strategy": "BlueGreen", "bakeTime": "5s"})
    cluster.settle()
    assert started(cluster, "2") == 1
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert cluster.pinned[cluster.revision("2")] == "sha256:two"


@pytest.mark.rule("R7", "R21")
def test_first_version_does_not_wait_for_pods_that_the_api_server_refuses() -> None:
    cluster = Cluster(spec("1", model=URI)).run(1.0)
    revision = cluster.revision("1")
    assert cluster.status.phase == "Starting"
    cluster.deployments[revision] = replace(cluster.deployments[revision], replicas=1)
    cluster.rejection = denied(ObjectRef("Deployment", f"m-{revision}"))
    status = cluster.reconcile().status
    assert status.waiting_for is not None
    assert status.waiting_for.reason == "WriteRejected"
    assert status.progress is not None
    assert status.progress.wait_start_time is None
    assert f"Deployment/m-{revision}: {cluster.rejection.message}" in status.message


def test_digest_in_the_spec_needs_no_first_pod() -> None:
    model = {**URI, "digest": f"sha256:{'0' * 64}"}
    cluster = Cluster(spec("1", model=model)).settle()
    assert started(cluster, "1") == 3
    assert not cluster.run(30).pinned


@pytest.mark.rule("R23")
@pytest.mark.parametrize("digest", [None, "sha256:forged"])
def test_pin_that_is_removed_or_edited_is_restored_before_more_pods_start(
    digest: str | None,
) -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    revision = cluster.revision("1")
    cluster.pinned.pop(revision)
    if digest:
        cluster.pinned[revision] = digest
    cluster.bytes = "sha256:swapped"
    cluster.spec = spec("1", model=URI, scaling={"replicas": 5})
    cluster.settle()
    assert cluster.pinned == {revision: "sha256:one"}
    cluster.run(30)
    assert cluster.serving() == {"1": 3}


@pytest.mark.rule("R7")
@pytest.mark.parametrize("bake", ["0s", "600s"])
def test_changed_bytes_during_a_scale_up_stop_only_the_new_pods(bake: str) -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    rollout = {"strategy": "BlueGreen", "bakeTime": bake}
    new = {"version": "2", "uri": "s3://models/fraud/8"}
    cluster.spec = spec("2", model=new, rollout=rollout)
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    cluster.bytes = "sha256:swapped"
    cluster.spec = spec("2", model=new, rollout=rollout, scaling={"replicas": 5})
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.failure is None
    if bake == "0s":
        assert "other bytes are there now" in cluster.status.message
        ready = next(c for c in cluster.status.conditions if c.type == "Ready")
        assert (ready.status, ready.reason) == ("False", "ArtifactChanged")
    cluster.bytes = "sha256:one"
    cluster.pods = [p for p in cluster.pods if not p.containers]  # the kubelet tries again
    cluster.run(60)
    assert cluster.serving() == {"2": 5}


@pytest.mark.rule("R7", "R8")
def test_candidate_whose_bytes_change_is_rolled_back() -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    cluster.spec = spec("2", model={"version": "2", "uri": "s3://models/fraud/8"})
    while not any(cluster.version(r) == "2" for r in cluster.pinned):
        cluster.run(0.5)
    cluster.bytes = "sha256:swapped"
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ArtifactChanged"
    assert cluster.serving() == {"1": 3}


@pytest.mark.rule("R7")
@pytest.mark.parametrize("runs", ["fetch", "server"])
def test_fetch_that_exceeds_the_deadline_is_named_as_the_cause(runs: str) -> None:
    cluster = Cluster(spec("1", model=URI), boot=10_000.0).settle()
    container = Container(runs, init=runs == "fetch", started=cluster.now)
    cluster.pods = [replace(pod, containers=(container,)) for pod in cluster.pods]
    failure = cluster.run(700).status.failure
    assert failure is not None
    assert failure.reason == "ProgressDeadlineExceeded"
    named = "the model was still being fetched after 10m" in failure.message
    assert named == (failure.container == "fetch") == (runs == "fetch")
    assert ("spec.rollout.progressDeadline" in failure.message) == named


@pytest.mark.rule("R7", "R9")
def test_candidate_fails_when_a_pod_fetched_other_bytes_while_no_operator_ran() -> None:
    """The ConfigMap was not there when it started, so its fetcher could compare with nothing."""
    cluster = Cluster(spec("1", model=URI)).run(30)
    cluster.spec = spec("2", model={"version": "2", "uri": "s3://models/fraud/8"})
    while not any(cluster.version(r) == "2" for r in cluster.pinned):
        cluster.run(0.5)
    cluster.bytes, cluster.ignores_pins = "sha256:swapped", True
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ArtifactChanged"
    assert "sha256:swapped" in cluster.status.failure.message
    assert "sha256:one" in cluster.status.failure.message
    assert cluster.serving() == {"1": 3}


@pytest.mark.rule("R7", "R29")
@pytest.mark.parametrize("bake", ["0s", "600s"])
def test_later_pod_that_serves_other_bytes_is_reported_and_ends_nothing(bake: str) -> None:
    cluster = Cluster(spec("1", model=URI)).run(30)
    rollout = {"strategy": "BlueGreen", "bakeTime": bake}
    new = {"version": "2", "uri": "s3://models/fraud/8"}
    cluster.spec = spec("2", model=new, rollout=rollout)
    cluster.run(60)
    cluster.bytes, cluster.ignores_pins = "sha256:swapped", True
    cluster.pods = [p for p in cluster.pods if cluster.version(p.revision) == "1"] + [
        p for p in cluster.pods if cluster.version(p.revision) == "2"
    ][1:]
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.failure is None
    ready = next(c for c in cluster.status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "ArtifactChanged")
    assert "sha256:swapped" in cluster.status.message
    cluster.ignores_pins, cluster.bytes = False, "sha256:one"
    cluster.pods = [p for p in cluster.pods if p.artifact != "sha256:swapped"]
    cluster.run(60)
    ready = next(c for c in cluster.status.conditions if c.type == "Ready")
    assert ready.status == "True"


@pytest.mark.rule("R18")
def test_version_is_pinned_when_the_operator_dies_before_any_write() -> None:
    for at in range(12):
        cluster = Cluster(spec("1", model=URI), die_at=at).run(40)
        assert cluster.serving() == {"1": 3}
        assert list(cluster.pinned.values()) == ["sha256:one"]


@pytest.mark.rule("R7")
@pytest.mark.parametrize(
    ("message", "reason", "quoted"),
    [
        ({"reason": "NotFound", "message": "s3://m is not there"}, "NotFound", "s3://m"),
        ("Traceback (most recent call last)", "FetchFailed", "code 10"),
        ("", "FetchFailed", "code 10"),
    ],
)
def test_failure_quotes_the_message_of_the_fetcher(
    message: object, reason: str, quoted: str
) -> None:
    said = message if isinstance(message, str) else json.dumps(message) + "\n"
    fetch = Container("fetch", init=True, terminated="Error", exit_code=10, message=said)
    pod = Pod("p", "rev", "blue", created=0.0, containers=(fetch,))
    cause = judge([pod], now=0.1, unschedulable_deadline=300, was_fully_ready=False).cause
    assert cause is not None
    assert cause.reason == reason
    assert quoted in cause.message
