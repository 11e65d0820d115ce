"""Reasons are enumerated, explained and documented, and no literal replaces one (R30)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import canarium
from canarium.api import reasons
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection
from canarium.evaluation.errors import ErrorReason
from core.cluster import Cluster, spec

rule = pytest.mark.rule
ROOT = Path(canarium.__file__).parent
ENUMS = [x for x in vars(reasons).values() if isinstance(x, type) and issubclass(x, reasons.Reason)]
WORDS = {word.value for enum in ENUMS for word in enum}
#: Words that are also phases, outcomes, commands, or reasons of Kubernetes and gateways.
ELSEWHERE = {
    "Accepted",
    "Aborted",
    "CrashLoopBackOff",
    "Manual",
    "OOMKilled",
    "Paused",
    "Pending",
    "Progressing",
    "Promoted",
    "Ready",
    "RolledBack",
    "SchedulingGated",
    "Terminating",
    "Undone",
    "Unschedulable",
    "Unknown",
    # How a pause ended (`status.progress.released`).
    "InsufficientData",
}


def sources(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_reasons_are_members_of_an_enum_and_no_literals() -> None:
    found = [
        f"{path}:{node.lineno}: {node.value!r}"
        for path, tree in sources("core", "engine", "signals", "host", "render")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in WORDS - ELSEWHERE
    ]
    assert found == []


def test_every_word_is_explained() -> None:
    for enum in ENUMS:
        for word in enum:
            for text in (word.meaning, word.reaction, word.advice):
                assert text.endswith(".")
                assert text[0].isupper() or text[0] == "`" or text.startswith("kstatus"), text
                assert len(text) <= 200


def test_reasons_of_evaluations_are_reasons_of_checks() -> None:
    assert {fault.value for fault in ErrorReason} <= {
        reason.value for reason in reasons.CheckReason
    }


@rule("R29")
def test_every_type_and_reason_of_a_rollout_is_in_the_reference() -> None:
    cluster = Cluster(spec("1"))
    known = {kind.value for kind in reasons.ConditionType}
    phases = {"Invalid", "Ready", "Baking", "Degraded", "Starting", "Progressing", "RollingBack"}
    for version, seconds in (("1", 20), ("2", 200), ("3", 8), ("4", 40)):
        cluster.spec = spec(version)
        cluster.rejection = Rejection(ObjectRef("Service", "m"), "no") if version == "4" else None
        for _ in range(seconds):
            cluster.run(1)
            assert {c.type for c in cluster.status.conditions} <= known
            assert {c.reason for c in cluster.status.conditions} <= WORDS | phases
            assert {e.reason for e in cluster.events} <= WORDS


@rule("R26")
def test_reference_that_flaps_is_a_reason_of_its_condition_and_not_of_an_invalid_spec() -> None:
    assert "SourceFlapping" not in set(reasons.SpecReason)
    assert reasons.ConditionReason.SOURCE_FLAPPING.meaning.startswith("`SourceResolved`: ")


@rule("R30")
def test_reasons_of_a_source_fit_models_without_an_endpoint_and_without_a_secret() -> None:
    """A hub or an OCI registry is usually named by the URI alone, and a refusal may lie in the
    ConfigMap of authorities, or in the rights of the operator."""
    unavailable = reasons.SpecReason.SOURCE_UNAVAILABLE.meaning
    assert "spec.model.endpoint" in unavailable
    assert "spec.model.uri" in unavailable
    denied = reasons.SpecReason.SOURCE_ACCESS_DENIED
    assert "token service" in denied.meaning
    assert "ConfigMap" in denied.meaning
    for cause in ("spec.model.credentials", "fetch.ca", "right to read Secrets", "spec.model.uri"):
        assert cause in denied.advice
