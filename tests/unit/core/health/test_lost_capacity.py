"""Room that a cluster lacks once a version had its capacity: held, not blamed on it (R7, R25)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.pods import Container, Trouble, TroubleReason
from core.cluster import Cluster, spec

rule = pytest.mark.rule
LONG = {"steps": [{"weight": 50, "pause": "60m"}], "bakeTime": "60m"}
WHY: dict[str, dict[str, Any]] = {
    "Unschedulable": {"unschedulable_message": "0/3 nodes are available"},
    "SchedulingGated": {"scheduling_gated": True},
    "ImagePullFailed": {"containers": (Container("server", waiting="ImagePullBackOff"),)},
    "ConfigError": {"containers": (Container("server", waiting="CreateContainerConfigError"),)},
    "volume": {
        "scheduled": True,
        "containers": (Container("server", waiting="ContainerCreating"),),
        "trouble": Trouble(TroubleReason.FAILED_MOUNT, 'secret "s" not found', missing=True),
    },
}
REASONS = {"volume": "ConfigError"}
#: For the cluster's own kubelet, which would start a pod some time after it was made.
NEVER = 1e9
causes = pytest.mark.parametrize("why", WHY)


def starve(cluster: Cluster, version: str, why: str, spared: int = 0) -> Cluster:
    """Pods of a version were drained, but for as many as are spared; nothing of those that take
    their place can start."""
    revision = cluster.revision(version)
    struck = [p.name for p in cluster.pods if p.revision == revision][spared:]
    facts = {"created": cluster.now, **WHY[why]}
    if "containers" not in facts:
        facts["created"] = NEVER
    if why == "Unschedulable":
        facts["unschedulable_since"] = cluster.now
    cluster.pods = [
        replace(p, name=f"{p.name}-again", ready=False, **facts) if p.name in struck else p
        for p in cluster.pods
    ]
    return cluster


def feed(cluster: Cluster) -> Cluster:
    """There is room again."""
    none: dict[str, Any] = {
        "unschedulable_since": None,
        "scheduling_gated": False,
        "containers": (),
        "trouble": None,
    }
    cluster.pods = [
        replace(p, created=cluster.now, **none) if not p.ready else p for p in cluster.pods
    ]
    return cluster


def at(weight: int) -> Cluster:
    """Version 2 with half of the traffic, or promoted and baking at 100."""
    rollout = LONG if weight == 50 else {**LONG, "steps": []}
    cluster = Cluster(spec("1", rollout=rollout)).run(10)
    cluster.spec = spec("2", rollout=rollout)
    cluster.run(10)
    assert cluster.serving() == ({"1": 3, "2": 3} if weight == 50 else {"2": 3})
    return cluster


@rule("R7", "R15", "R25")
@causes
def test_promotion_is_not_undone_while_its_pods_serve_and_one_more_cannot_start(why: str) -> None:
    cluster = starve(at(100), "2", why, spared=2).run(900)
    assert cluster.status.phase == "Baking"
    assert cluster.serving() == {"2": 2}
    assert "is serving with 2 of 3 pods ready: " in cluster.status.message
    feed(cluster).run(10)
    assert cluster.serving() == {"2": 3}
    assert "fewer" not in cluster.status.message


@rule("R0", "R15")
@pytest.mark.parametrize("why", ["Unschedulable", "ImagePullFailed"])
def test_promotion_is_undone_when_none_of_its_pods_can_start_again(why: str) -> None:
    cluster = starve(at(100), "2", why).run(400)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == why


@rule("R7", "R25")
@causes
def test_candidate_that_had_its_capacity_holds_while_a_pod_cannot_start(why: str) -> None:
    cluster = starve(at(50), "2", why, spared=1).run(900)
    assert cluster.status.phase == "Progressing"
    assert cluster.serving() == {"1": 3, "2": 1}
    assert cluster.status.waiting_for is not None
    assert (cluster.status.waiting_for.reason, cluster.status.waiting_for.pod) == (
        REASONS.get(why, why),
        "p5-again",
    )
    assert "keeps weight 50" in cluster.status.message
    writes = cluster.writes
    cluster.run(900)
    assert cluster.writes == writes
    feed(cluster).run(10)
    assert cluster.status.waiting_for.reason == "StepPause"
    assert cluster.serving() == {"1": 3, "2": 3}


@rule("R7")
def test_candidate_that_cannot_scale_up_without_nodes_fails_at_its_deadline() -> None:
    steps = [{"weight": 25, "pause": "30s"}, {"weight": 50, "pause": "60m"}]
    cluster = Cluster(spec("1", rollout={"steps": steps})).run(10)
    cluster.spec = spec("2", rollout={"steps": steps})
    cluster.run(20)
    cluster.boot = 1e9
    while cluster.observed().deployment(cluster.revision("2")).replicas == 1:  # type: ignore[union-attr]
        cluster.run(0.5)
    starve(cluster, "2", "Unschedulable", spared=1).run(299)
    assert cluster.status.phase == "Progressing"
    cluster.run(3)
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "Unschedulable"


def test_version_scaled_to_zero_is_ready_and_serves_no_caller() -> None:
    cluster = Cluster(spec("1")).run(20)
    cluster.spec = spec("1", scaling={"replicas": 0})
    cluster.run(100)
    assert cluster.status.phase == "Ready"
    assert "Version 1 " in cluster.status.message
    assert cluster.status.message.endswith("is live but scaled to zero")
    conditions = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert conditions["Ready"] == ("True", "ScaledToZero")
    assert conditions["Available"] == ("False", "ScaledToZero")
    assert conditions["Reconciling"][0] == conditions["Stalled"][0] == "False"


@rule("R7", "R25")
@causes
def test_version_that_serves_with_fewer_pods_names_the_one_that_cannot_start(why: str) -> None:
    cluster = Cluster(spec("1")).run(10)
    starve(cluster, "1", why, spared=2).run(60)
    assert cluster.status.phase == "Ready"
    assert "is serving with 2 of 3 pods ready: " in cluster.status.message
    ready = next(c for c in cluster.status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", REASONS.get(why, why))
