"""What the CRDs of every kind owe their readers and the API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chart import rendering
from generators import crds

ROOT = Path(__file__).parents[2]
CRDS = sorted((ROOT / "crds").glob("*.yaml"))
#: Client-side apply keeps the whole object in an annotation of at most 262,144 bytes.
LARGEST = 200_000

every_crd = pytest.mark.parametrize("path", CRDS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    body: dict[str, Any]
    (body,) = rendering.load(path.read_text())
    return body


def nodes(crd: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema node of every version, with its path."""

    def walk(path: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        yield path, node
        for name, child in node.get("properties", {}).items():
            yield from walk(f"{path}.{name}", child)
        if "items" in node:
            yield from walk(f"{path}[]", node["items"])
        if isinstance(node.get("additionalProperties"), dict):
            yield from walk(f"{path}{{}}", node["additionalProperties"])

    for version in crd["spec"]["versions"]:
        yield from walk("", version["schema"]["openAPIV3Schema"])


def test_committed_crds_are_generated_from_the_models() -> None:
    stale = [str(p) for p, text in crds.files(ROOT).items() if p.read_text() != text]
    assert stale == []


@every_crd
def test_every_field_is_documented(path: Path) -> None:
    bare = [
        where
        for where, node in nodes(load(path))
        if where != ".metadata"
        and not where.endswith(("[]", "{}"))
        and len(node.get("description", "")) < 9
    ]
    assert bare == []


@every_crd
def test_description_is_a_sentence(path: Path) -> None:
    """`kubectl explain` shows them one below the other."""
    odd = [
        (where, node["description"])
        for where, node in nodes(load(path))
        if "description" in node
        and not (node["description"].endswith(".") and node["description"][0].isupper())
    ]
    assert odd == []


@every_crd
def test_no_crd_is_too_large_for_client_side_apply(path: Path) -> None:
    assert len(json.dumps(load(path))) < LARGEST
    assert path.stat().st_size < LARGEST


@every_crd
def test_every_list_and_string_of_the_spec_is_bounded(path: Path) -> None:
    """CEL's cost is estimated from the bounds; without them a rule can be refused."""
    unbounded = [
        where
        for where, node in nodes(load(path))
        if where.startswith(".spec")
        and (
            (node.get("type") == "array" and "maxItems" not in node)
            or (node.get("type") == "string" and not ({"maxLength", "enum"} & node.keys()))
        )
    ]
    assert unbounded == []


@every_crd
def test_list_of_named_objects_is_a_map_by_name(path: Path) -> None:
    """Then two field managers can each own an entry. This does not apply to lists of references:
    two may name the same Gateway, with different listeners."""
    atomic = [
        where
        for where, node in nodes(load(path))
        if where.startswith(".spec")
        and node.get("type") == "array"
        and "name" in node["items"].get("properties", {})
        and not where.endswith("Refs")
        and node.get("x-kubernetes-list-map-keys") != ["name"]
    ]
    assert atomic == []


@every_crd
def test_no_default_inside_a_list_item_and_none_in_a_spec_at_all(path: Path) -> None:
    """GitOps tools see a default that the server fills in as drift. The only one marks, in the
    status, objects that were not reconciled yet."""
    found = {where: node["default"] for where, node in nodes(load(path)) if "default" in node}
    assert found in ({}, {".status": {"observedGeneration": -1}})


@every_crd
def test_numbers_in_a_spec_are_whole(path: Path) -> None:
    floats = [
        w for w, n in nodes(load(path)) if w.startswith(".spec") and n.get("type") == "number"
    ]
    assert floats == []


@every_crd
def test_rule_has_a_message(path: Path) -> None:
    for where, node in nodes(load(path)):
        for rule in node.get("x-kubernetes-validations", ()):
            said = rule.get("message") or rule.get("messageExpression")
            assert said, (where, rule)
            if where and node.get("type") == "object" and where != ".spec":
                assert "fieldPath" in rule, (where, rule)


@every_crd
def test_crds_have_short_names_and_categories(path: Path) -> None:
    names = load(path)["spec"]["names"]
    assert names["shortNames"]
    assert "canarium" in names["categories"]


#: Short names of kinds that many clusters have: kubectl takes the first of two groups.
TAKEN = frozenset({
    "md", "ms", "ma", "mp", "mhc",  # Cluster API: MachineDeployment and its siblings
    "cm", "deploy", "hpa", "ns", "po", "rs", "svc",  # Kubernetes
    "gtw", "gc", "isvc", "ksvc", "rt", "cfg", "ro", "vs", "dr",  # gateways, KServe, Knative, Istio
})  # fmt: skip


@every_crd
def test_short_names_are_those_of_no_other_project(path: Path) -> None:  # G5
    assert not TAKEN & set(load(path)["spec"]["names"]["shortNames"])


@every_crd
def test_printed_columns_point_at_fields_that_exist(path: Path) -> None:
    crd = load(path)
    metadata = ("creationTimestamp", "namespace", "labels")
    known = {where for where, _ in nodes(crd)} | {f".metadata.{name}" for name in metadata}
    for version in crd["spec"]["versions"]:
        for column in version.get("additionalPrinterColumns", ()):
            assert column["jsonPath"].split("[")[0] in known, column


@every_crd
def test_descriptions_cite_no_rule_numbers(path: Path) -> None:
    texts = [
        (where, text)
        for where, node in nodes(load(path))
        for text in (
            node.get("description", ""),
            *(rule.get("message", "") for rule in node.get("x-kubernetes-validations", ())),
        )
    ]
    assert texts
    assert [where for where, text in texts if re.search(r"\bR\d+\b", text)] == []
