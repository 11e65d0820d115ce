"""R1: what makes a new revision, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.revision import (
    Record,
    digest_matches,
    find,
    identity_v1,
    new_record,
    newer_algorithm,
    next_number,
    recorded_version,
    resolved_facts,
    seal,
    seal_is_valid,
)
from core.cluster import spec

rule = pytest.mark.rule


def stored(raw: dict[str, Any], number: int = 1) -> Record:
    stored = new_record(raw, [])
    return Record(
        stored.revision, number, stored.algorithm, stored.digest, stored.identity, None, None, None
    )


@rule("R1")
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"model": {"version": "1", "lineage": {"runId": "7"}}}, True),
        ({"scaling": {"replicas": 9}}, True),
        ({"rollout": {}}, True),
        ({"paused": True}, True),
        ({"restartToken": ""}, True),
        ({"model": {"version": "2"}}, False),
        ({"model": {"version": "1", "allowPatterns": ["*.safetensors"]}}, False),
        ({"model": {"version": "1", "ignorePatterns": ["*.bin"]}}, False),
        ({"model": {"version": "1", "verify": {"key": {"secretKeyRef": {}}}}}, False),
        ({"runtime": {"image": "other:1"}}, False),
        ({"resources": {"limits": {"cpu": "1"}}}, False),
        ({"podTemplate": {"spec": {"nodeName": "a"}}}, False),
        ({"restartToken": "again"}, False),
    ],
    ids=str,
)
def test_identity_is_only_what_decides_what_serves(change: dict[str, Any], same: bool) -> None:
    assert (find({**spec("1"), **change}, [stored(spec("1"))]) is not None) is same


@rule("R1")
def test_record_of_an_unknown_algorithm_does_not_match() -> None:
    assert find(spec("1"), [replace(stored(spec("1")), algorithm="v9")]) is None


@rule("R1")
def test_newest_record_of_a_newer_operator_may_match_the_spec() -> None:
    newer = replace(stored(spec("2"), 2), algorithm="v9")
    assert newer_algorithm(spec("2"), [stored(spec("1")), newer]) == newer
    assert newer_algorithm(spec("3"), [stored(spec("1")), newer]) == newer


@rule("R1")
def test_certain_matches_are_decided_beside_records_of_a_newer_operator() -> None:
    newer = replace(stored(spec("2"), 2), algorithm="v9")
    assert newer_algorithm(spec("1"), [stored(spec("1")), newer]) is None
    assert newer_algorithm(spec("3"), [newer, stored(spec("1"), 3)]) is None
    assert newer_algorithm(spec("1"), []) is None


@rule("R1")
def test_hash_never_changes() -> None:
    """Changing this value would start a rollout of every model at an upgrade."""
    assert (
        new_record(spec("1"), []).revision
        == new_record(dict(reversed(spec("1").items())), []).revision
    )
    assert (
        new_record({"model": {"version": "1"}, "runtime": {"image": "a"}}, []).revision
        == "vkxf7wr8"
    )


@rule("R1")
def test_second_record_of_an_identity_has_its_own_name() -> None:
    first = stored(spec("1"))
    assert new_record(spec("1"), [first]).revision == f"{first.revision}-2"


@rule("R1")
@pytest.mark.parametrize("part", ["template", "runtime", "model"])
def test_seal_breaks_when_what_a_deployment_is_made_from_changes(part: str) -> None:
    data = {"template": {"spec": {}}, "runtime": {"name": "a"}, "model": {"version": "1"}}
    kept = {**data, "seal": seal(data)}
    assert seal_is_valid(kept)
    assert not seal_is_valid({**kept, part: {"other": 1}})
    assert not seal_is_valid(data), "the seal is missing"


MOVING = {**spec("1"), "model": {"version": "1", "uri": "mlflow://fraud@champion"}}


def resolved_to(uri: str, number: int) -> Record:
    new = new_record(MOVING, [], resolved=uri)
    found, digest = resolved_facts(new.algorithm, new.identity)
    return replace(
        Record(new.revision, number, new.algorithm, new.digest, {}, None, None, None),
        resolved=found,
        spec_digest=digest,
    )


@rule("R1", "R26")
def test_result_of_a_moving_reference_is_part_of_the_identity() -> None:
    first, second = resolved_to("mlflow://fraud/7", 1), resolved_to("mlflow://fraud/8", 2)
    assert first.resolved == "mlflow://fraud/7"
    assert first.revision != second.revision
    identity = {**identity_v1(MOVING), "resolved": "mlflow://fraud/7"}
    assert digest_matches("v2", first.digest, identity)
    assert not digest_matches("v2", first.digest, {**identity, "resolved": "mlflow://fraud/8"})


@rule("R1", "R18", "R26")
def test_newest_result_stands_until_the_spec_changes() -> None:
    first, second = resolved_to("mlflow://fraud/7", 1), resolved_to("mlflow://fraud/8", 2)
    assert find(MOVING, [second, first]) is second
    assert find(MOVING, [second, first], "mlflow://fraud/7") is first
    assert find(MOVING, [second, first], "mlflow://fraud/9") is None
    assert find(MOVING, [second, replace(first, number=next_number([first, second]))]) == replace(
        first, number=3
    ), "a reference that returns makes its record the newest"
    assert newer_algorithm(MOVING, [second, first]) is None
    assert find({**MOVING, "restartToken": "again"}, [second, first]) is None


@rule("R1", "R26")
def test_record_of_an_alias_without_a_result_stays_valid() -> None:
    old = stored(MOVING)
    assert old.algorithm == "v1"
    assert find(MOVING, [old]) is old


@rule("R1", "R26")
@pytest.mark.parametrize(
    ("model", "resolved", "version"),
    [
        ({"uri": "mlflow://fraud@champion"}, "mlflow://fraud/7", "7"),
        ({"uri": "mlflow://fraud@champion", "version": "may"}, "mlflow://fraud/7", "may"),
        ({"uri": "mlflow://fraud%20v2/12"}, None, "12"),
        ({"uri": "mlflow://runs/ab12/model"}, None, None),
        ({"uri": "s3://models/fraud/7"}, None, None),
        ({}, None, None),
    ],
)
def test_version_without_a_name_is_the_number_of_its_registry(
    model: dict[str, str], resolved: str | None, version: str | None
) -> None:
    identity = {"model": model, **({"resolved": resolved} if resolved else {})}
    assert recorded_version({"model": model, "identity": identity}) == version
