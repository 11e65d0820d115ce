"""R0, R5, R6 and R13 on hand-made facts."""

from __future__ import annotations

import pytest

from canarium.core.decision.plan import SelectColor
from canarium.core.facts.observed import Deployment, Observed, Service
from canarium.core.facts.pods import Pod
from canarium.core.facts.weights import pods_needed_by_service, safe_to_select, share
from canarium.core.times import stamp
from core.cluster import Cluster, spec

rule = pytest.mark.rule


@rule("R5")
@pytest.mark.parametrize(
    ("weight", "stable", "pods"),
    [(25, 3, 1), (50, 3, 3), (10, 3, 1), (20, 10, 3), (1, 100, 2), (90, 3, 3), (100, 4, 4),
     (50, 0, 1), (100, 0, 1)],
)  # fmt: skip
def test_capacity_for_a_weight_is_rounded_up(weight: int, stable: int, pods: int) -> None:
    assert pods_needed_by_service(weight, stable) == pods


@rule("R6")
def test_effective_weight_is_what_ready_pods_give() -> None:
    assert (share(1, 3), share(3, 3), share(0, 3), share(0, 0)) == (25, 50, 0, 0)


def pods(color: str, *ready: bool) -> tuple[Pod, ...]:
    return tuple(Pod(f"{color}{i}", color, color, 0.0, ready=r) for i, r in enumerate(ready))


@rule("R0")
@pytest.mark.parametrize(
    ("blue", "green", "target", "safe"),
    [
        ((True,), (False,), "green", False),
        ((True,), (True,), "green", True),
        ((False,), (False,), "green", True),
        ((True,), (False,), "", True),
        ((True,), (), None, False),
    ],
)
def test_traffic_never_moves_from_ready_pods_to_none(
    blue: tuple[bool, ...], green: tuple[bool, ...], target: str | None, safe: bool
) -> None:
    observed = Observed(
        pods=(*pods("blue", *blue), *pods("green", *green)), service=Service("s", "blue")
    )
    assert safe_to_select(target, observed) is safe


@rule("R13")
def test_one_ready_candidate_takes_over_from_a_stable_that_is_down() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(1)
    assert cluster.service is not None
    cluster.pods = [
        Pod(p.name, p.revision, p.color, p.created, ready=cluster.version(p.revision) == "2")
        for p in cluster.pods
    ]
    down = stamp(cluster.now - 60)
    cluster.status = cluster.status.model_copy(update={"stable_unavailable_start_time": down})
    revision = cluster.revision("2")
    cluster.deployments[revision] = Deployment("m", "u", revision, "green", 3)
    decision = cluster.reconcile()
    moves = [a for a in decision.actions if isinstance(a, SelectColor)]
    selected = [(a.color, a.traffic.stable, a.traffic.candidate) for a in moves]
    assert selected == [("", cluster.revision("1"), revision)]


@rule("R0", "R23")
def test_unseen_service_may_select_any_pod() -> None:
    """It lost its labels, so what it selects is unknown."""
    observed = Observed(pods=(*pods("blue", True), *pods("green", False)))
    assert not safe_to_select("green", observed)
    assert safe_to_select("blue", observed)
    assert safe_to_select("green", Observed(pods=pods("green", False)))
