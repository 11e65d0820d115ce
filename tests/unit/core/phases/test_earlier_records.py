"""Followed references whose record is by an earlier operator, without their result in its identity.

Such a record may have the note of a fetcher, which the cache reads as its result, or none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.revision import (
    ALGORITHM,
    BY_NAME,
    QUARANTINED,
    RESOLVED,
    Record,
    new_record,
)
from core.cluster import Cluster, spec

rule = pytest.mark.rule
AWAY = ("SourceUnavailable", "revision 'main' of o/m: the connection was refused")
HUB = ("hf://o/m@main", f"hf://o/m@{'c' * 40}", f"hf://o/m@{'d' * 40}")
OCI = ("oci://r/m:prod", f"oci://r/m@sha256:{'c' * 64}", f"oci://r/m@sha256:{'d' * 64}")
references = pytest.mark.parametrize(("uri", "first", "second"), [HUB, OCI])


def wanted(version: str, uri: str, follow: bool = True, **extra: Any) -> dict[str, Any]:
    follows = {"follow": {"interval": "2m"}} if follow else {}
    return {**spec(version), "model": {"version": version, "uri": uri, **follows}, **extra}


def earlier(version: str, uri: str, number: int = 1, **facts: Any) -> Record:
    """A record by the algorithm without results."""
    new = new_record(wanted(version, uri), [])
    assert new.algorithm == ALGORITHM
    identity = (new.revision, number, new.algorithm, new.digest, new.identity, version)
    verdict = facts.pop("verdict", None)
    return Record(*identity, served=None, verdict=verdict, uri=uri, **facts)


def live(uri: str, follow: bool = True, noted: str | None = None, **extra: Any) -> Cluster:
    cluster = Cluster(wanted("1", uri, follow, **extra))
    cluster.records = [earlier("1", uri, resolved=noted)]
    cluster.registry = AWAY
    cluster.run(20)
    assert (cluster.status.phase, len(cluster.records)) == ("Ready", 1)
    return cluster


def condition(cluster: Cluster) -> tuple[str, str, str] | None:
    found = (c for c in cluster.status.conditions if c.type == "SourceResolved")
    return next(((c.status, c.reason, c.message) for c in found), None)


def moved(cluster: Cluster, answer: str) -> list[str]:
    """Returns the algorithms of the records once the registry has answered, the newest last."""
    cluster.registry = answer
    cluster.run(120)
    assert cluster.status.phase == "Ready"
    return [r.algorithm for r in sorted(cluster.records, key=lambda r: r.number)]


def stable(cluster: Cluster) -> str | None:
    assert cluster.status.stable
    return cluster.status.stable.resolved


@rule("R1", "R26")
@references
def test_record_from_before_branches_and_tags_were_resolved_stays_valid(
    uri: str, first: str, second: str
) -> None:
    """A registry that is away asks nothing of it, and following it starts no rollout: the first
    answer may be what serves already. Earlier, that answer was rolled out whether or not anything
    had moved, past a quarantine as well (R9)."""
    cluster = live(uri, follow=False)
    assert condition(cluster) is None
    cluster.spec = wanted("1", uri)
    cluster.run(20)
    pods = {pod.name for pod in cluster.pods}
    assert moved(cluster, first) == [ALGORITHM]
    assert {pod.name for pod in cluster.pods} == pods
    assert stable(cluster) is None, "the first answer proves nothing about what was fetched"
    status, reason, message = condition(cluster) or ("", "", "")
    assert (status, reason) == ("True", "Resolved")
    assert f"counts as that: {first}" in message
    assert moved(cluster, second) == [ALGORITHM, RESOLVED], "a later change is rolled out"
    assert stable(cluster) == second


@rule("R18", "R26")
def test_first_answer_is_compared_with_later_ones_of_another_operator() -> None:
    uri, first, second = HUB
    cluster = live(uri)
    moved(cluster, first)
    cluster.status = type(cluster.status)()
    cluster.registry = None
    cluster.run(20)
    assert moved(cluster, second) == [ALGORITHM, RESOLVED]
    assert stable(cluster) == second


@rule("R1", "R18", "R26")
def test_record_that_was_restored_by_its_name_is_followed() -> None:
    """Its Deployment has neither the URI nor a result."""
    uri, first, second = HUB
    cluster = live(uri, follow=False)
    (record,) = cluster.records
    name = record.revision
    cluster.records = [replace(record, algorithm=BY_NAME, digest=name, identity={}, uri=None)]
    cluster.spec = wanted("1", uri)
    assert moved(cluster, first) == [BY_NAME]
    assert f"what {uri} named" in (condition(cluster) or ("", "", ""))[2]
    assert moved(cluster, second) == [BY_NAME, RESOLVED]


@rule("R26")
def test_first_answer_counts_only_once_it_is_confirmed() -> None:
    uri, first, second = HUB
    cluster = live(uri)
    cluster.confirmed = False
    assert moved(cluster, second) == [ALGORITHM]
    assert (condition(cluster) or ())[:2] == ("False", "SourceUnresolved")
    cluster.confirmed = True
    moved(cluster, first)
    assert cluster.records[0].first_answer == first


@rule("R26")
@references
def test_noted_commit_or_digest_that_is_named_still_starts_no_rollout(
    uri: str, first: str, second: str
) -> None:
    cluster = live(uri, noted=first)
    writes = cluster.writes
    assert moved(cluster, first) == [ALGORITHM]
    assert cluster.writes == writes + 1, "only the condition is written"
    assert stable(cluster) == first
    assert moved(cluster, second) == [ALGORITHM, RESOLVED]
    assert moved(cluster, first) == [RESOLVED, ALGORITHM], "its record is used again"
    assert stable(cluster) == first


@rule("R9", "R26")
@pytest.mark.parametrize("noted", [True, False])
@references
def test_quarantined_record_is_not_tried_again_without_a_retry(
    uri: str, first: str, second: str, noted: bool
) -> None:
    """The commit that it failed with, or the first answer, which counts as that."""
    cluster = live(uri, noted=first)
    failed = earlier("2", uri, 2, resolved=first if noted else None, verdict=QUARANTINED)
    cluster.records.append(failed)
    cluster.spec = wanted("2", uri)
    cluster.registry = first
    cluster.run(120)
    assert (cluster.status.phase, cluster.status.revision) == ("RolledBack", failed.revision)
    assert [record.algorithm for record in cluster.records] == [ALGORITHM, ALGORITHM]
    cluster.annotations["retry"] = f"{failed.revision}/one"
    cluster.run(120)
    assert (cluster.status.phase, stable(cluster)) == ("Ready", first)
    assert [record.algorithm for record in cluster.records][2:] == [RESOLVED]


@rule("R9", "R26")
def test_change_after_the_first_answer_ends_the_quarantine() -> None:
    uri, first, second = HUB
    cluster = live(uri, noted=first)
    cluster.records.append(earlier("2", uri, 2, verdict=QUARANTINED))
    cluster.spec = wanted("2", uri)
    cluster.registry = first
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    moved(cluster, second)
    assert stable(cluster) == second


@rule("R26")
@pytest.mark.parametrize("noted", [HUB[1], None])
def test_registry_that_is_away_is_reported(noted: str | None) -> None:
    cluster = live(HUB[0], noted=noted)
    status, reason, message = condition(cluster) or ("", "", "")
    assert (status, reason) == ("False", "SourceUnavailable")
    assert message.startswith("spec.model.follow: revision 'main'")


@rule("R26")
def test_model_that_waits_for_its_first_answer_reports_that() -> None:
    cluster = Cluster(wanted("1", HUB[0]))
    cluster.records = [earlier("1", HUB[0])]
    cluster.registry = None
    cluster.run(20)
    assert condition(cluster) == (
        "False",
        "SourceUnresolved",
        f"spec.model.follow: waiting for the registry to resolve {HUB[0]}. "
        f"Revision {cluster.status.revision} stays.",
    )


@rule("R16", "R26")
@pytest.mark.parametrize("noted", [HUB[1], None])
def test_new_result_that_a_pause_holds_is_reported(noted: str | None) -> None:
    uri, first, second = HUB
    cluster = live(uri, noted=noted, paused=True)
    assert moved(cluster, first) == [ALGORITHM]
    assert moved(cluster, second) == [ALGORITHM]
    status, reason, message = condition(cluster) or ("", "", "")
    assert (status, reason) == ("True", "ResultHeld")
    assert second in message


@rule("R26")
def test_noted_result_is_reported_without_following() -> None:
    cluster = live(HUB[0], follow=False, noted=HUB[1])
    status, reason, message = condition(cluster) or ("", "", "")
    assert (status, reason) == ("True", "Resolved")
    assert message.endswith(f"was created from {HUB[1]}")
