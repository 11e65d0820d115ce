"""How revisions end, and by whom: every one that began has its end in the history, once."""

from __future__ import annotations

import pytest

from canarium.api.status import RevisionStatus
from core.api_answers import invalid_pod
from core.cluster import Cluster, spec

rule = pytest.mark.rule
MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50, "pause": "Manual"}]}
TIMED = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50, "pause": "5s"}]}


def rolling(**rollout: object) -> Cluster:
    """Version 1 promoted, version 2 with a weight of 25."""
    extra = {"rollout": rollout} if rollout else {}
    cluster = Cluster(spec("1", **extra)).run(10)
    cluster.spec = spec("2", **extra)
    return cluster.run(8)


def outcomes(cluster: Cluster) -> list[tuple[str | None, str, str]]:
    """The history, oldest first."""
    return [(o.version, o.outcome, o.by) for o in reversed(cluster.status.history)]


FIRST = ("1", "Promoted", "operator")


@rule("R10")
def test_candidate_that_a_newer_spec_ends_is_superseded() -> None:
    cluster = rolling()
    cluster.spec = spec("3")
    cluster.run(60)
    assert outcomes(cluster) == [FIRST, ("2", "Superseded", "spec"), ("3", "Promoted", "operator")]
    assert cluster.status.history[1].reason == "SpecChanged"


@rule("R3", "R10")
def test_first_version_that_a_newer_spec_ends_is_superseded() -> None:
    cluster = Cluster(spec("1")).run(1)
    cluster.spec = spec("2")
    cluster.run(20)
    assert outcomes(cluster) == [("1", "Superseded", "spec"), ("2", "Promoted", "operator")]


@rule("R10", "R21")
def test_candidate_that_an_invalid_spec_ends_is_superseded() -> None:
    cluster = rolling()
    cluster.spec = spec("9")
    cluster.rejection = invalid_pod()
    cluster.run(60)
    assert cluster.status.phase == "Invalid"
    assert outcomes(cluster) == [FIRST, ("2", "Superseded", "spec")]


@rule("R10")
def test_command_for_the_newer_version_does_not_end_the_older_one() -> None:
    cluster = rolling()
    cluster.run(0).spec = spec("3")
    cluster.die_at = cluster.writes + 1
    cluster.reconcile()  # It dies with the record stored, and the status not yet written.
    cluster.annotations["promote-full"] = f"{cluster.revision('3')}/t1"
    cluster.run(60)
    assert outcomes(cluster)[1:] == [
        ("2", "Superseded", "spec"),
        ("3", "Promoted", "command promote-full/t1"),
    ]


@rule("R3", "R10")
@pytest.mark.parametrize("first", [False, True])
def test_version_that_failed_before_the_newer_spec_is_not_superseded(first: bool) -> None:
    cluster = Cluster(spec("2"), broken={"2"}).run(10) if first else rolling().crash("2").run(10)
    cluster.spec = spec("3")
    cluster.run(60)
    ends = [outcome for version, outcome, _ in outcomes(cluster) if version == "2"]
    assert ends == ["Failed" if first else "RolledBack"]


@rule("R9", "R10")
@pytest.mark.parametrize("first", [False, True])
def test_return_to_a_failed_version_adds_no_history(first: bool) -> None:
    cluster = Cluster(spec("2"), broken={"2"}).run(10) if first else rolling().crash("2").run(10)
    cluster.broken = set()
    cluster.spec = spec("3")
    cluster.run(90)
    known, events = outcomes(cluster), len(cluster.events)
    cluster.spec = spec("2")
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert outcomes(cluster) == known
    assert [e.reason for e in cluster.events[events:]] == ["RolledBack"]


@rule("R9", "R10", "R18")
def test_failure_that_preceded_a_newer_spec_is_in_the_history() -> None:
    cluster = rolling()
    cluster.die_at = cluster.writes + 1
    cluster.crash("2").reconcile()
    cluster.spec = spec("3")
    cluster.run(60)
    assert outcomes(cluster)[1:] == [("2", "RolledBack", "operator"), ("3", "Promoted", "operator")]


@rule("R10", "R15", "R18")
def test_promotion_that_preceded_a_newer_spec_is_in_the_history() -> None:
    cluster = rolling(steps=[{"weight": 25, "pause": "60s"}])
    cluster.now += 60
    while cluster.service and cluster.service.traffic.stable != cluster.revision("2"):
        cluster.now += 0.5
        cluster._live()
        before = cluster.status
        cluster.reconcile()
    cluster.status = before
    cluster.spec = spec("3", rollout=cluster.spec["rollout"])
    cluster.run(90)
    assert outcomes(cluster) == [
        FIRST,
        ("2", "Promoted", "operator"),
        ("3", "Promoted", "operator"),
    ]


@rule("R18")
def test_candidate_written_into_the_status_by_hand_is_not_in_the_history() -> None:
    cluster = Cluster(spec("1")).run(10)
    forged = RevisionStatus(revision="nonsense")
    cluster.status = cluster.status.model_copy(update={"candidate": forged})
    cluster.run(10)
    assert outcomes(cluster) == [FIRST]


@rule("R16")
@pytest.mark.parametrize(
    ("rollout", "orders", "by"),
    [
        (MANUAL, ("promote-full",), "command promote-full/t0"),
        (MANUAL, ("promote", "promote"), "command promote/t1"),
        (MANUAL, ("promote", "promote-full"), "command promote-full/t1"),
        (TIMED, ("promote",), "operator"),
    ],
)
def test_promotion_names_the_command_that_caused_it(
    rollout: dict[str, object], orders: tuple[str, ...], by: str
) -> None:
    cluster = rolling(**rollout)
    for number, order in enumerate(orders):
        cluster.annotations[order] = f"{cluster.revision('2')}/t{number}"
        cluster.run(8)
    cluster.run(60)
    assert outcomes(cluster) == [FIRST, ("2", "Promoted", by)]
