"""How a version stands, as its registry shows it: written once, and without holding anything up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.decision.plan import Plan
from core.cluster import Cluster, spec
from sweep import every

rule = pytest.mark.rule
SEVEN, EIGHT = "mlflow://fraud/7", "mlflow://fraud/8"
ENDPOINT = "https://mlflow.example"
AWAY = ("SourceUnavailable", "tag canarium.dev/prod.risk.m of mlflow://fraud/7: HTTP 503")


def written(uri: str, **model: Any) -> dict[str, Any]:
    """A spec whose outcomes are written back, with `uri` as the name of the version as well."""
    settings = {"uri": uri, "version": uri, "endpoint": ENDPOINT, "writeBack": {}, **model}
    return {**spec("1"), "model": settings}


def live(**model: Any) -> Cluster:
    cluster = Cluster(written(SEVEN, **model)).run(15)
    assert cluster.status.phase == "Ready"
    return cluster


def condition(cluster: Cluster) -> tuple[str, str] | None:
    conditions = cluster.status.conditions
    return next(((c.status, c.reason) for c in conditions if c.type == "RegistryTagged"), None)


def decided(cluster: Cluster) -> Plan:
    return cluster._decide()


@rule("R26")
def test_promoted_version_is_tagged_and_the_one_before_is_replaced() -> None:
    cluster = live()
    assert cluster.tags == {SEVEN: "Promoted"}
    assert condition(cluster) == ("True", "TagsWritten")
    cluster.spec = written(EIGHT)
    cluster.run(8)
    assert cluster.status.phase == "Progressing"
    assert cluster.tags == {SEVEN: "Promoted"}, "nothing is decided yet"
    cluster.run(60)
    assert cluster.status.phase == "Ready"
    assert cluster.tags == {EIGHT: "Promoted", SEVEN: "Replaced"}


@rule("R8", "R26")
def test_version_that_fails_is_rolled_back_and_the_stable_one_stays_promoted() -> None:
    cluster = live()
    cluster.spec = written(EIGHT)
    cluster.run(8).crash(EIGHT).run(15)
    assert cluster.status.phase == "RolledBack"
    assert cluster.tags == {SEVEN: "Promoted", EIGHT: "RolledBack"}


@rule("R15", "R26")
def test_promotion_that_is_undone_is_rolled_back_in_the_registry_too() -> None:
    cluster = live()
    cluster.spec = written(EIGHT)
    cluster.run(35)
    assert cluster.status.phase == "Baking"
    assert cluster.tags == {EIGHT: "Promoted", SEVEN: "Replaced"}
    cluster.crash(EIGHT).run(15)
    assert cluster.status.phase == "RolledBack"
    assert cluster.tags == {EIGHT: "RolledBack", SEVEN: "Promoted"}


@rule("R3", "R26")
def test_first_version_that_fails_has_failed() -> None:
    cluster = Cluster(written(SEVEN))
    cluster.broken.add(SEVEN)
    cluster.run(30)
    assert cluster.status.phase == "Failed"
    assert cluster.tags == {SEVEN: "Failed"}


@rule("R26")
def test_alias_tags_the_version_that_it_named() -> None:
    cluster = Cluster(written("mlflow://fraud@champion"))
    cluster.registry = SEVEN
    cluster.run(15)
    assert cluster.tags == {SEVEN: "Promoted"}


@pytest.mark.parametrize(
    "model",
    [
        {"writeBack": None},
        {"uri": "mlflow://runs/f80d/model"},
        {"uri": "s3://models/fraud/7"},
        {"endpoint": None},
    ],
)
def test_nothing_is_written_for_another_source_or_unless_it_is_asked_for(
    model: dict[str, Any],
) -> None:
    cluster = Cluster(written(SEVEN))
    changed = {**cluster.spec["model"], **model}
    cluster.spec["model"] = {k: v for k, v in changed.items() if v is not None}
    cluster.run(15)
    assert cluster.status.phase == "Ready"
    assert cluster.tags == {}
    assert condition(cluster) is None


@rule("R18", "R26")
def test_tag_is_not_written_again_once_it_is_recorded() -> None:
    cluster = live()
    (record,) = cluster.records
    assert record.tagged
    assert record.tagged.startswith("Promoted/")
    writes = cluster.writes
    cluster.requests = type(cluster.requests)()  # Another operator.
    cluster.decided_on = None
    cluster.run(60)
    assert cluster.requests.tag is None
    assert cluster.writes == writes


@rule("R8", "R26")
def test_registry_that_is_away_delays_no_rollout_and_is_reported() -> None:
    cluster = live()
    undisturbed = live()
    cluster.tagging = AWAY
    for one in (cluster, undisturbed):
        one.spec = written(EIGHT)
        one.run(60)
    assert (cluster.status.phase, cluster.now) == ("Ready", undisturbed.now)
    assert condition(cluster) == ("False", "SourceUnavailable")
    promoted = [
        next(o.time for o in one.status.history if o.outcome == "Promoted")
        for one in (cluster, undisturbed)
    ]
    assert promoted[0] == promoted[1]
    cluster.tagging = True
    cluster.run(5)
    assert cluster.tags == {EIGHT: "Promoted", SEVEN: "Replaced"}
    assert condition(cluster) == ("True", "TagsWritten")


@rule("R26")
def test_condition_stands_until_the_registry_has_answered() -> None:
    cluster = live()
    cluster.tagging = None
    cluster.spec = written(EIGHT)
    cluster.run(60)
    assert cluster.requests.tag
    assert condition(cluster) == ("True", "TagsWritten")


@rule("R26")
def test_version_that_serves_with_other_pods_stays_promoted() -> None:
    cluster = live()
    cluster.spec = {**written(SEVEN, version="other"), "restartToken": "1"}
    cluster.broken.add("other")
    cluster.run(40)
    assert cluster.status.phase == "RolledBack"
    assert cluster.tags == {SEVEN: "Promoted"}


@rule("R26")
def test_version_that_is_retried_has_the_outcome_of_the_retry() -> None:
    cluster = live()
    cluster.spec = written(EIGHT)
    cluster.run(8).crash(EIGHT).run(15)
    assert cluster.tags[EIGHT] == "RolledBack"
    failed = cluster.revision(EIGHT)
    cluster.broken.clear()
    cluster.annotations = {"retry": f"{failed}/one"}
    cluster.run(90)
    assert cluster.status.phase == "Ready"
    assert cluster.tags == {EIGHT: "Promoted", SEVEN: "Replaced"}


@rule("R26")
def test_versions_of_another_registry_are_left_alone() -> None:
    cluster = live()
    cluster.tags.clear()
    cluster.spec = written(EIGHT, endpoint="https://other.example")
    cluster.run(60)
    assert cluster.tags == {EIGHT: "Promoted"}


@rule("R26")
def test_tag_has_a_reason_and_the_credentials_that_may_write() -> None:
    cluster = live(credentials={"secretName": "read"})
    cluster.tagging = None
    own = {"writeBack": {"credentials": {"secretName": "write"}}}
    cluster.spec = written(EIGHT, credentials={"secretName": "read"}, **own)
    cluster.run(8).crash(EIGHT).run(15)
    request = decided(cluster).requests.tag
    assert request
    assert request.text.startswith("ServerExited: ")
    assert request.text.endswith(f" (revision {cluster.revision(EIGHT)})")
    assert (request.uri, request.state, request.secret) == (EIGHT, "RolledBack", "write")
    cluster.spec = written(EIGHT, credentials={"secretName": "read"})
    request = decided(cluster).requests.tag
    assert request
    assert request.secret == "read"


def test_tag_of_a_failure_without_a_recorded_cause_states_that() -> None:
    cluster = live()
    cluster.tagging = None
    cluster.spec = written(EIGHT)
    cluster.run(8).crash(EIGHT).run(15)
    cluster.records = [replace(record, failure=None) for record in cluster.records]
    request = decided(cluster).requests.tag
    assert request
    assert request.text.startswith("the cause is not recorded (revision ")


@rule("R1", "R26")
def test_write_back_is_not_part_of_the_identity() -> None:
    cluster = live()
    del cluster.spec["model"]["writeBack"]
    cluster.run(15)
    assert (cluster.status.phase, len(cluster.records)) == ("Ready", 1)


@rule("R18", "R26")
@pytest.mark.parametrize("write", every(range(40)))
def test_every_tag_is_written_although_the_operator_crashes(write: int) -> None:
    cluster = live()
    cluster.die_at = cluster.writes + write
    cluster.spec = written(EIGHT)
    cluster.run(8)
    if cluster.status.phase == "Progressing":
        cluster.crash(EIGHT)
    cluster.run(60)
    cluster.broken.clear()
    cluster.run(60)
    failed = cluster.status.phase == "RolledBack"
    expected = (
        {SEVEN: "Promoted", EIGHT: "RolledBack"}
        if failed
        else {SEVEN: "Replaced", EIGHT: "Promoted"}
    )
    assert cluster.tags == expected
    assert cluster.requests.tag is None
