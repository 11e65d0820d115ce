"""How many writes a story takes: none in vain. Every object's status counts, and so do Events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.cluster import Cluster, spec


def written(cluster: Cluster, during: Callable[[], object]) -> tuple[int, int]:
    """Writes of objects and Events while `during` runs."""
    before = (cluster.writes, len(cluster.events))
    during()
    return cluster.writes - before[0], len(cluster.events) - before[1]


def changed(cluster: Cluster, **extra: object) -> Callable[[], object]:
    def act() -> None:
        cluster.spec = spec("2", **extra)
        cluster.run(100)
        assert cluster.serving() == {"2": cluster.spec["scaling"]["replicas"]}
        assert cluster.status.phase == "Ready"

    return act


#: Kubelets report the digests of images, except simulated ones.
DIGESTS = pytest.mark.parametrize(
    "image", [None, f"sha256:{'1' * 64}"], ids=["no digest", "digest"]
)


@DIGESTS
@pytest.mark.parametrize("replicas", [1, 3, 50])
def test_creation_writes_record_deployment_service_and_two_statuses(
    replicas: int, image: str | None
) -> None:
    cluster = Cluster(spec("1", scaling={"replicas": replicas}), image=image)
    # From two pods on, a PodDisruptionBudget too.
    more = 1 if replicas > 1 else 0
    assert written(cluster, lambda: cluster.run(20)) == (5 + more, 1)
    assert cluster.status.phase == "Ready"


@DIGESTS
@pytest.mark.parametrize("replicas", [1, 50])
def test_update_of_one_weight_takes_eight_writes_and_three_events(
    replicas: int, image: str | None
) -> None:
    extra = {
        "scaling": {"replicas": replicas},
        "rollout": {"steps": [{"weight": 20, "pause": "5s"}], "bakeTime": "0s"},
    }
    cluster = Cluster(spec("1", **extra), image=image).run(20)
    # With more than one pod, the second weight also needs a scale and a status that reports it, and
    # the Deployment a PodDisruptionBudget, which the garbage collector deletes with it.
    more = 3 if replicas > 1 else 0
    assert written(cluster, changed(cluster, **extra)) == (8 + more, 3)


def test_bake_adds_one_status_write() -> None:
    extra = {
        "scaling": {"replicas": 1},
        "rollout": {"steps": [{"weight": 20, "pause": "5s"}], "bakeTime": "20s"},
    }
    cluster = Cluster(spec("1", **extra)).run(20)
    assert written(cluster, changed(cluster, **extra)) == (9, 3)


def test_each_weight_costs_at_most_a_grant_a_scale_and_two_statuses() -> None:
    cluster = Cluster(spec("1")).run(20)
    assert written(cluster, changed(cluster, scaling={"replicas": 3})) == (14, 4)
