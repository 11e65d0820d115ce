"""A followed alias that moves is rolled out as a change of the spec (R26)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from core.cluster import Cluster, spec

rule = pytest.mark.rule
SEVEN, EIGHT, NINE = (f"mlflow://fraud/{number}" for number in (7, 8, 9))
FLAPS = (
    "SourceFlapping",
    "what mlflow://fraud@champion names changed more than 5 times within an hour. Nothing new is "
    "rolled out until 10 successive answers agree, for 12 minutes or longer",
)
AWAY = ("SourceUnavailable", "alias 'champion' of model 'fraud': the connection was refused")


def followed(**extra: Any) -> dict[str, Any]:
    uri, endpoint = "mlflow://fraud@champion", "https://mlflow.example"
    model = {"uri": uri, "endpoint": endpoint, "follow": {"interval": "2m"}}
    return {**spec("1"), "model": model, **extra}


def live(**extra: Any) -> Cluster:
    cluster = Cluster(followed(**extra))
    cluster.registry = SEVEN
    cluster.run(15)
    assert cluster.status.phase == "Ready"
    return cluster


def moved(cluster: Cluster, uri: str, seconds: float = 90.0) -> Cluster:
    cluster.registry = uri
    return cluster.run(seconds)


def stable(cluster: Cluster) -> str | None:
    assert cluster.status.stable
    return cluster.status.stable.resolved


def results(cluster: Cluster) -> list[str | None]:
    return [r.resolved for r in sorted(cluster.records, key=lambda r: r.number)]


def condition(cluster: Cluster) -> tuple[str, str, str]:
    found = next(c for c in cluster.status.conditions if c.type == "SourceResolved")
    return found.status, found.reason, found.message


@rule("R26")
def test_new_result_is_rolled_out_by_the_steps_and_baked() -> None:
    cluster = live()
    moved(cluster, EIGHT, 5)
    assert cluster.status.phase == "Progressing"
    assert cluster.status.candidate
    assert cluster.status.candidate.resolved == EIGHT
    cluster.run(12)
    assert cluster.status.weight in (25, 50)
    cluster.run(15)
    assert cluster.status.phase == "Baking"
    cluster.run(30)
    assert cluster.status.phase == "Ready"
    assert (stable(cluster), results(cluster)) == (EIGHT, [SEVEN, EIGHT])
    status, reason, message = condition(cluster)
    assert (status, reason) == ("True", "Resolved")
    assert "every 2m" in message


@rule("R26")
def test_result_that_is_not_confirmed_changes_nothing() -> None:
    cluster = live()
    writes = cluster.writes
    cluster.confirmed = False
    moved(cluster, EIGHT)
    assert (cluster.status.phase, results(cluster)) == ("Ready", [SEVEN])
    assert cluster.writes == writes
    cluster.confirmed = True
    cluster.run(90)
    assert stable(cluster) == EIGHT


@rule("R26")
def test_alias_is_not_followed_without_the_field() -> None:
    plain = followed()
    del plain["model"]["follow"]
    cluster = Cluster(plain)
    cluster.registry = SEVEN
    cluster.run(15)
    moved(cluster, EIGHT)
    assert (stable(cluster), results(cluster)) == (SEVEN, [SEVEN])
    assert cluster.requests.resolve is None
    # Changing the field creates no new revision, and the alias is followed from now on.
    cluster.spec = followed()
    cluster.run(90)
    assert (stable(cluster), results(cluster)) == (EIGHT, [SEVEN, EIGHT])
    cluster.spec = plain
    moved(cluster, NINE)
    assert (stable(cluster), results(cluster)) == (EIGHT, [SEVEN, EIGHT])


@rule("R11", "R18", "R26")
def test_alias_that_returns_makes_the_earlier_revision_stable_again() -> None:
    cluster = live()
    first = cluster.status.revision
    moved(cluster, EIGHT)
    assert stable(cluster) == EIGHT
    moved(cluster, SEVEN)
    assert stable(cluster) == SEVEN
    assert cluster.status.revision == first, "its record is used again"
    assert results(cluster) == [EIGHT, SEVEN], "and is the newest"
    writes = cluster.writes
    cluster.status = Status()
    cluster.registry = None
    cluster.run(60)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", SEVEN)
    cluster.registry = SEVEN
    cluster.run(60)
    assert cluster.writes == writes + 1, "only the status is written again"


@rule("R11", "R26")
def test_alias_that_returns_during_the_rollout_withdraws_the_candidate() -> None:
    cluster = live()
    moved(cluster, EIGHT, 8)
    assert cluster.status.phase == "Progressing"
    moved(cluster, SEVEN, 30)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", SEVEN)
    assert cluster.status.history[0].outcome == "Withdrawn"
    moved(cluster, EIGHT)
    assert (stable(cluster), results(cluster)) == (EIGHT, [SEVEN, EIGHT])


@rule("R10", "R26")
def test_alias_that_moves_again_during_the_rollout_replaces_the_candidate() -> None:
    cluster = live()
    moved(cluster, EIGHT, 8)
    moved(cluster, NINE, 5)
    assert cluster.status.candidate
    assert cluster.status.candidate.resolved == NINE
    cluster.run(90)
    assert stable(cluster) == NINE


@rule("R9", "R26")
def test_quarantined_result_is_not_tried_again_until_a_retry() -> None:
    cluster = live()
    cluster.broken.add(EIGHT)
    moved(cluster, EIGHT, 30)
    assert (cluster.status.phase, stable(cluster)) == ("RolledBack", SEVEN)
    assert "Move the reference, update the spec, or annotate" in cluster.status.message
    failed = cluster.status.revision
    cluster.run(300)
    assert (cluster.status.phase, results(cluster)) == ("RolledBack", [SEVEN, EIGHT])
    moved(cluster, NINE)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", NINE)
    moved(cluster, EIGHT)
    assert (cluster.status.phase, stable(cluster)) == ("RolledBack", NINE)
    assert cluster.status.revision == failed
    cluster.broken.clear()
    cluster.annotations["retry"] = f"{failed}/one"
    cluster.run(90)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", EIGHT)
    assert results(cluster) == [SEVEN, NINE, EIGHT, EIGHT]


@rule("R9", "R26")
def test_alias_that_returns_to_stable_after_a_rollback_ends_the_failure() -> None:
    cluster = live()
    cluster.broken.add(EIGHT)
    moved(cluster, EIGHT, 30)
    assert cluster.status.phase == "RolledBack"
    moved(cluster, SEVEN, 30)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", SEVEN)


@rule("R26")
def test_registry_that_is_away_changes_only_the_condition() -> None:
    cluster = live()
    pods = {pod.name for pod in cluster.pods}
    cluster.registry = AWAY
    cluster.run(60)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", SEVEN)
    status, reason, message = condition(cluster)
    assert (status, reason) == ("False", "SourceUnavailable")
    assert message.startswith("spec.model.follow: alias 'champion'")
    writes = cluster.writes
    cluster.registry = None  # Another operator, before its first answer.
    cluster.run(60)
    assert condition(cluster)[:2] == ("False", "SourceUnavailable")
    assert cluster.writes == writes
    assert {pod.name for pod in cluster.pods} == pods
    cluster.registry = SEVEN
    cluster.run(5)
    assert condition(cluster)[:2] == ("True", "Resolved")


@rule("R26")
def test_reference_that_flaps_changes_only_the_condition_and_writes_it_once() -> None:
    cluster = live()
    cluster.flapping = FLAPS
    cluster.run(5)
    status, reason, message = condition(cluster)
    assert (status, reason) == ("False", "SourceFlapping")
    assert "10 successive answers agree, for 12 minutes or longer. Revision " in message
    writes = cluster.writes
    for answer in (EIGHT, SEVEN, NINE, SEVEN):
        cluster.confirmed = answer == SEVEN
        moved(cluster, answer, 20)
    assert (cluster.status.phase, stable(cluster), results(cluster)) == ("Ready", SEVEN, [SEVEN])
    assert cluster.writes == writes
    cluster.flapping, cluster.confirmed = (None, ""), True
    moved(cluster, EIGHT)
    assert (stable(cluster), condition(cluster)[1]) == (EIGHT, "Resolved")


@rule("R26")
def test_changed_spec_takes_the_first_answer_of_a_reference_that_flaps() -> None:
    """Otherwise, a model whose registry never settles could not be changed any more."""
    cluster = live()
    cluster.flapping, cluster.confirmed = FLAPS, False
    cluster.spec = {**followed(), "restartToken": "again"}
    moved(cluster, EIGHT)
    assert stable(cluster) == EIGHT


@rule("R26")
def test_registry_that_is_lost_during_a_rollout_does_not_end_it() -> None:
    cluster = live()
    moved(cluster, EIGHT, 8)
    cluster.registry = AWAY
    cluster.run(90)
    assert stable(cluster) == EIGHT


@rule("R16", "R26")
def test_pause_of_the_spec_holds_a_new_result() -> None:
    cluster = live(paused=True)
    moved(cluster, EIGHT)
    assert (cluster.status.phase, results(cluster)) == ("Ready", [SEVEN])
    status, reason, message = condition(cluster)
    assert (status, reason) == ("True", "ResultHeld")
    assert EIGHT in message
    assert "spec.paused" in message
    cluster.spec = followed()
    cluster.run(90)
    assert stable(cluster) == EIGHT


@rule("R16", "R18", "R26")
@pytest.mark.parametrize("loses_status", [False, True])
def test_command_pause_of_a_candidate_holds_a_newer_result_until_resume(
    loses_status: bool,
) -> None:
    cluster = live()
    moved(cluster, EIGHT, 8)
    candidate = cluster.status.revision
    cluster.annotations["pause"] = f"{candidate}/one"
    cluster.run(5)
    if loses_status:
        cluster.status = Status()
    moved(cluster, NINE)
    assert cluster.status.revision == candidate
    assert condition(cluster)[1] == "ResultHeld"
    cluster.annotations["resume"] = f"{candidate}/two"
    cluster.run(90)
    assert stable(cluster) == NINE


@rule("R18", "R26")
@pytest.mark.parametrize("write", range(1, 7))
def test_operator_that_dies_at_a_write_continues_with_the_same_result(write: int) -> None:
    for uri in (EIGHT, SEVEN):
        cluster = live()
        moved(cluster, EIGHT, 90 if uri == SEVEN else 0)
        cluster.die_at = cluster.writes + write
        moved(cluster, uri, 1)
        cluster.requests = type(cluster.requests)()  # What it had asked for is lost as well.
        cluster.run(90)
        assert (cluster.status.phase, stable(cluster)) == ("Ready", uri)
        assert len(cluster.records) == 2


@rule("R18", "R26")
def test_status_that_is_lost_during_the_rollout_of_a_result_changes_nothing() -> None:
    cluster = live()
    moved(cluster, EIGHT, 8)
    cluster.status = Status()
    cluster.registry = None
    cluster.run(5)
    assert cluster.status.candidate
    assert cluster.status.candidate.resolved == EIGHT


@rule("R18", "R26")
def test_record_of_a_result_that_was_returned_to_is_restored_as_the_newest() -> None:
    cluster = live()
    moved(cluster, EIGHT)
    moved(cluster, SEVEN)
    first = cluster.status.revision
    pods = {pod.name for pod in cluster.pods}
    cluster.registry = None
    cluster.records = [r for r in cluster.records if r.revision != first]
    cluster.run(60)
    assert (cluster.status.revision, results(cluster)) == (first, [EIGHT, SEVEN])
    assert {pod.name for pod in cluster.pods} == pods


@rule("R16", "R26")
def test_annotation_resolve_is_passed_on_and_ignored_without_follow() -> None:
    cluster = live()
    cluster.annotations["resolve"] = "abc"
    cluster.run(1)
    assert cluster.requests.follow
    assert cluster.requests.follow.token == "abc"
    assert not cluster.status.commands
    plain = followed()
    del plain["model"]["follow"]
    cluster.spec = plain
    cluster.run(10)
    (echo,) = cluster.status.commands
    assert (echo.command, echo.result) == ("resolve", "Ignored")
    assert "spec.model.follow" in echo.message


@rule("R1", "R26")
def test_follow_is_not_part_of_the_identity() -> None:
    cluster = live()
    revision = cluster.status.revision
    cluster.spec = followed()
    cluster.spec["model"]["follow"] = {"interval": "1h"}
    cluster.run(30)
    assert cluster.status.revision == revision
    assert cluster.requests.follow
    assert cluster.requests.follow.interval == 3600.0
