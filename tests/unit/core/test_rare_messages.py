"""Messages that no other test provokes: their text, and that they are in the golden file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.status import Status
from canarium.core import planner
from canarium.core.decision.plan import Plan
from canarium.core.evidence.measures import Missing
from canarium.core.evidence.verdict import Bounds, Evidence, judge
from canarium.core.facts.gateways import Precedence, RouteConflict
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import (
    BlockedDeletion,
    Modified,
    NameConflict,
    Observed,
    Orphan,
    ResolvedRuntime,
)
from canarium.core.facts.pods import Container
from canarium.core.phases import terminating
from canarium.render.notification_text import first_fault
from canarium.signals.errors import NoAnswer
from core.api_answers import denied
from core.cluster import Cluster, gateway_spec, spec


def decided(cluster: Cluster, *, now: float | None = None, body: Any = None, **facts: Any) -> Plan:
    """The decision on the cluster as it is, but for `facts`."""
    wanted = body or cluster.spec
    return planner.plan(
        wanted,
        effective_spec(Spec.model_validate(wanted)),
        cluster.status,
        replace(cluster.observed(), **facts),
        now=now or cluster.now,
        generation=1,
        name="m",
    )


def fresh(**facts: Any) -> Plan:
    """The decision on a model that is new."""
    return planner.plan(
        spec("1"),
        effective_spec(Spec.model_validate(spec("1"))),
        Status(),
        Observed(**facts),
        now=1_000.0,
        generation=1,
        name="m",
    )


def serving() -> Cluster:
    return Cluster(spec("1")).run(10)


def progressing(seconds: float = 8) -> Cluster:
    cluster = serving()
    cluster.spec = spec("2")
    return cluster.run(seconds)


def baking() -> Cluster:
    cluster = progressing(35)
    assert cluster.status.phase == "Baking"
    return cluster


def first() -> Cluster:
    return Cluster(spec("1"), boot=60.0).run(2)


def rolled_back() -> Cluster:
    cluster = progressing()
    cluster.crash("2")
    return cluster.run(15)


def changed(cluster: Cluster, version: str, **facts: Any) -> dict[str, Any]:
    """The pods of a version as they were, but for `facts`."""
    revision = cluster.revision(version)
    return {
        "pods": tuple(
            replace(pod, **facts) if pod.revision == revision else pod for pod in cluster.pods
        )
    }


def unanswered_undo() -> Plan:
    cluster = baking()
    note = (("undo", f"{cluster.revision('2')}/one"),)
    answer = denied(ObjectRef("Service", "m"))
    return decided(cluster, annotations=note, rejections=(answer,))


def unlabelled() -> Plan:
    """Another client removed the color from the pods of the promoted version."""
    cluster = baking()
    return decided(cluster, **changed(cluster, "2", color=""))


def returning() -> Plan:
    """The warm version answers, and one of three pods of stable is ready again."""
    cluster = baking()
    second = cluster.revision("2")
    runs = (Container("server", started=cluster.now - 5),)
    cluster.pods = [
        replace(p, ready=False, ready_changed=cluster.now, containers=runs)
        if p.revision == second
        else p
        for p in cluster.pods
    ]
    cluster.run(1)
    assert cluster.status.standby == cluster.revision("1")
    back = next(p for p in cluster.pods if p.revision == second)
    cluster.pods = [
        replace(p, ready=True, ready_changed=cluster.now) if p is back else p for p in cluster.pods
    ]
    cluster._endpoints()
    return decided(cluster)


def conflict(**facts: Any) -> Plan:
    cluster = Cluster(gateway_spec("1")).run(15)
    found = RouteConflict(
        "HTTPRoute", "ns/m", "shop", "web", None, "ns/public", "any host", True, Precedence.OLDER
    )
    return decided(cluster, route_conflict=replace(found, **facts))


def without_grpc_port() -> Plan:
    cluster = Cluster(gateway_spec("1")).run(15)
    return decided(cluster, body=gateway_spec("1", gateway={"protocol": "GRPC"}))


def router_changed() -> Plan:
    cluster = Cluster(gateway_spec("1")).run(15)
    route = cluster.route
    cluster.spec = spec("1")
    cluster.run(10)
    return decided(cluster, body=spec("2"), route=route)


def outdated() -> Plan:
    cluster = serving()
    cluster.records = [replace(r, runtime_digest="old") for r in cluster.records]
    return decided(cluster, runtime=ResolvedRuntime("mlserver", "ClusterModelRuntime", "new"))


def never_ready(**container: Any) -> Plan:
    cluster = progressing()
    seen = Container("server", **container)
    return decided(cluster, **changed(cluster, "2", ready=False, containers=(seen,)))


def fetcher(**container: Any) -> Plan:
    cluster = progressing()
    seen = Container("fetch", init=True, terminated="Error", exit_code=1)
    seen = replace(seen, **container)
    return decided(cluster, **changed(cluster, "2", ready=False, containers=(seen,)))


def unschedulable(age: float) -> Plan:
    cluster = serving()
    cluster.spec, cluster.boot = spec("2"), 1e9
    cluster.run(2)
    since = cluster.now - age
    return decided(cluster, **changed(cluster, "2", unschedulable_since=since))


def probe_failed() -> Plan:
    cluster = progressing()
    runs = Container("server", started=cluster.now - 100)
    unready = changed(cluster, "2", ready=False, ready_changed=cluster.now - 30, containers=(runs,))
    return decided(cluster, **unready)


def lost_pods() -> Plan:
    cluster = progressing()
    return decided(cluster, **changed(cluster, "2", ready=False, ready_changed=cluster.now))


def without_image() -> Plan:
    """One pod of the candidate runs the image, and the other one cannot pull it."""
    cluster = progressing(22)
    revision = cluster.revision("2")
    mine = [pod for pod in cluster.pods if pod.revision == revision]
    runs = Container("server", started=1.0, ready=True)
    pulls = Container("server", waiting="ImagePullBackOff", waiting_message="registry is down")
    seen = {pod.name: runs for pod in mine} | {mine[0].name: pulls}
    pods = tuple(
        replace(pod, ready=pod.name != mine[0].name, containers=(seen[pod.name],))
        if pod in mine
        else pod
        for pod in cluster.pods
    )
    return decided(cluster, pods=pods)


def without_model() -> Plan:
    """One pod of the candidate has fetched the model, and the other one finds its store down."""
    cluster = progressing(22)
    revision = cluster.revision("2")
    mine = [pod for pod in cluster.pods if pod.revision == revision]
    fails = Container("fetch", init=True, terminated="Error", exit_code=11, message="no answer")
    pods = tuple(
        replace(pod, ready=False, ready_changed=None, containers=(fails,))
        if pod is mine[0]
        else replace(pod, artifact="sha256:one")
        if pod in mine
        else pod
        for pod in cluster.pods
    )
    return decided(cluster, pods=pods)


def analysis_error() -> Plan:
    cluster = progressing()
    checks = {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]}
    body = spec("2")
    body["rollout"] = {**body["rollout"], "analysis": checks}
    error = NoAnswer("no answer within 10s")
    missing = Missing(str(error), error=True, reason=error.reason)
    found = judge("errors", Bounds(0.01), missing, None, min_samples=100, confidence=0.99)
    evidence = Evidence(cluster.revision("2"), cluster.now, cluster.now, (found,), failed=found)
    return decided(cluster, body=body, evidence=evidence)


def commanded(make: Callable[[], Cluster], command: str, **facts: Any) -> Plan:
    cluster = make()
    return decided(cluster, annotations=((command, f"{_target(cluster)}/one"),), **facts)


def _target(cluster: Cluster) -> str:
    return cluster.records[-1].revision


def paused(command: str) -> Plan:
    cluster = progressing()
    cluster.annotations["pause"] = f"{cluster.revision('2')}/zero"
    cluster.settle()
    return decided(cluster, annotations=((command, f"{cluster.revision('2')}/one"),))


def paused_by_spec() -> Plan:
    cluster = progressing()
    body = spec("2", paused=True)
    return decided(cluster, body=body, annotations=(("resume", f"{cluster.revision('2')}/one"),))


def cold_undo() -> Plan:
    cluster = baking()
    return decided(
        cluster,
        annotations=(("undo", f"{cluster.revision('2')}/one"),),
        **changed(cluster, "1", ready=False, ready_changed=cluster.now),
    )


def texts(decision: Plan) -> str:
    """All texts of a decision that people read."""
    status = decision.status
    parts = [status.message, *(e.message for e in decision.events)]
    parts += [c.message for c in status.conditions] + [c.message for c in status.commands]
    return "\n".join(parts)


HELD = tuple(BlockedDeletion(ObjectRef("Pod", f"p{i}"), ("a.io/x",), 0.0) for i in range(5))
CASES: dict[str, tuple[Callable[[], Plan], str]] = {
    "adopted": (
        lambda: fresh(orphans=(Orphan(ObjectRef("Deployment", "m-x"), "uid"),)),
        "Adopted Deployment/m-x, left by a deleted model of this name",
    ),
    "inherited": (
        lambda: fresh(owned_by_deleted=(ObjectRef("Deployment", "m-x"),)),
        "Waiting for the garbage collector to finish with Deployment/m-x",
    ),
    "one foreign object": (
        lambda: fresh(name_conflicts=(NameConflict(ObjectRef("Service", "m")),)),
        "Service/m (no owner) exists and is not controlled by this model. To adopt an object",
    ),
    "foreign objects": (
        lambda: fresh(
            name_conflicts=(
                NameConflict(ObjectRef("Service", "m")),
                NameConflict(ObjectRef("Deployment", "m-x"), "ConfigMap/shop"),
            )
        ),
        "Service/m (no owner), Deployment/m-x (controlled by ConfigMap/shop) exist and are not "
        "controlled by this model",
    ),
    "promote after promotion": (
        lambda: commanded(serving, "promote"),
        "the revision is already promoted",
    ),
    "abort of the first version": (
        lambda: commanded(first, "abort"),
        "there is no earlier version to roll back to. Change the spec instead",
    ),
    "abort after rollback": (
        lambda: commanded(rolled_back, "abort"),
        "the revision has already failed",
    ),
    "abort while baking": (lambda: commanded(baking, "abort"), "Use undo while it bakes"),
    "promote of the first version": (
        lambda: commanded(first, "promote"),
        "the first version has no steps",
    ),
    "promote after rollback": (
        lambda: commanded(rolled_back, "promote"),
        "the revision has failed. Use retry first",
    ),
    "undo to a version without pods": (cold_undo, "the previous version has no ready pods"),
    "promote while paused": (lambda: paused("promote"), "Use resume first"),
    "pause while paused": (lambda: paused("pause"), "the rollout is already paused by"),
    "resume against the spec": (paused_by_spec, "spec.paused is true. Set it to false instead"),
    "server out of memory": (
        lambda: never_ready(terminated="OOMKilled", exit_code=137),
        "the server was killed: it used more memory than its limit",
    ),
    "fetcher out of memory": (
        lambda: fetcher(terminated="OOMKilled", exit_code=137),
        "the fetcher was killed: it used more memory than its limit",
    ),
    "fetcher exits": (fetcher, "the fetcher exited with code 1"),
    "no node yet": (lambda: unschedulable(1.0), "no node fits the pod"),
    "no node": (lambda: unschedulable(1e4), "unschedulable for 300s: no node fits the pod"),
    "probe": (probe_failed, "the readiness probe has been failing after previously succeeding"),
    "pods lost": (lost_pods, "It continues at weight 25 once 1 pod is ready"),
    "registry down": (without_image, "ImagePullBackOff: registry is down"),
    "store down": (without_model, "the fetcher exited with code 11: no answer"),
    "analysis error": (analysis_error, "AnalysisError: check errors: no answer within 10s"),
    "many deletions": (
        lambda: decided(serving(), blocked_deletions=HELD),
        "2 more objects are blocked in the same way",
    ),
    "undo rejected": (
        unanswered_undo,
        "It keeps its traffic because the API server rejects the undo to version 1 (",
    ),
    "stable without color": (
        unlabelled,
        "no ready pod has the label canarium.dev/color=green, which the Service selects",
    ),
    "stable returns": (returning, "keeps serving until version 2"),
    "route by name": (
        lambda: conflict(why=Precedence.FIRST_BY_NAME),
        "it has the same age and is first by name",
    ),
    "route by hostname": (
        lambda: conflict(why=Precedence.MORE_SPECIFIC_HOSTNAME, model="other"),
        "HTTPRoute shop/web of ModelDeployment shop/other receives the requests",
    ),
    "no grpc port": (without_grpc_port, "has no port named grpc. Add it to spec.runtime.ports"),
    "router changes": (router_changed, "waiting for the previous HTTPRoute to be deleted"),
    "runtime outdated": (
        outdated,
        "was created from an older version of ClusterModelRuntime/mlserver and keeps it. To adopt",
    ),
    "admission": (
        lambda: decided(
            serving(), modified=(Modified(ObjectRef("Deployment", "m-x"), ("spec.replicas",)),)
        ),
        "and the changes are kept: Deployment/m-x (spec.replicas)",
    ),
    "text of notifications": (
        lambda: decided(
            serving(),
            notification_fault=first_fault({"title": "{{ name }}", "body": "{{ nmae }}"}),
        ),
        "spec.notifications.body: line 1: nmae is undefined; there is cluster, labels, message,",
    ),
}


@pytest.mark.rule("R29")
@pytest.mark.parametrize("case", CASES)
def test_message_describes_what_happens(case: str) -> None:
    decide, words = CASES[case]
    assert words in texts(decide())


@pytest.mark.rule("R29")
def test_deletion_that_the_garbage_collector_and_a_controller_block_names_both() -> None:
    raw = {"metadata": {"generation": 1, "finalizers": ["foregroundDeletion", "a.io/x"]}}
    status = terminating.status_of(raw, ("a.io/x",), (), since=0.0, now=9.0)
    assert "The model is also blocked by the finalizer a.io/x" in status["message"]
