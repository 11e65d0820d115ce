"""`version`: what fits together, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium import VERSION
from canarium.api import crd
from cli.standin import VERSIONS, Standin


def _answer(kubectl: Standin, operator: str | None, definitions: list[Any]) -> dict[str, Any]:
    kubectl.answers(
        "version",
        out={
            "clientVersion": {"gitVersion": "v1.36.0"},
            "serverVersion": {"gitVersion": "v1.35.1"},
        },
    )
    labels = {"app.kubernetes.io/version": operator}
    deployments = [{"metadata": {"labels": labels}}] if operator else []
    kubectl.answers("get", "deployments", out={"kind": "List", "items": deployments})
    kubectl.answers("get", "crd", out={"kind": "List", "items": definitions})
    done = kubectl.run("version", "-o", "json")
    assert done.code == 0, done.err
    answer: dict[str, Any] = json.loads(done.out)
    return answer


@pytest.mark.parametrize(
    ("operator", "skew"),
    [(VERSION, "none"), ("0.0.9", "client-newer"), ("1.0.0", "client-older"), (None, "unknown")],
)
def test_operator_of_another_version_is_a_skew(
    kubectl: Standin, operator: str | None, skew: str
) -> None:
    answer = _answer(kubectl, operator, crd.kinds())
    assert answer["skew"] == skew
    assert answer["client"] == VERSION
    assert (answer["kubectl"], answer["kubernetes"]) == ("v1.36.0", "v1.35.1")
    assert answer["verdict"].endswith(".")


def test_older_newer_and_missing_definitions_are_a_skew(kubectl: Standin) -> None:
    assert _answer(kubectl, VERSION, crd.kinds()[:1])["skew"] == "missing"


def test_newer_definitions_mean_an_older_client(kubectl: Standin) -> None:
    kinds = crd.kinds()
    spec = kinds[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["shadow"] = {"type": "string"}
    assert _answer(kubectl, VERSION, kinds)["skew"] == "client-older"


def test_older_definitions_mean_a_newer_client(kubectl: Standin) -> None:
    kinds = crd.kinds()
    spec = kinds[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["rollout"]
    answer = _answer(kubectl, VERSION, kinds)
    assert (answer["skew"], answer["crds"]) == ("client-newer", "older than this client")


def test_client_alone_asks_no_cluster(kubectl: Standin) -> None:
    done = kubectl.run("version", "--client", "-o", "json")
    assert (done.code, json.loads(done.out)) == (0, {"client": VERSION})
    assert kubectl.calls == []


def test_missing_rights_are_not_an_error(kubectl: Standin) -> None:
    kubectl.answers("version", out=VERSIONS)
    kubectl.fails("Error from server (Forbidden): no", "get")
    done = kubectl.run("version")
    assert done.code == 0
    assert "not readable" in done.out
    assert "Cannot compare" in done.out
