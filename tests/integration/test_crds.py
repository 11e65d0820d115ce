"""The CRDs on a real API server: structure, what kubectl shows, scaling, shared ownership."""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.controlplane import ControlPlane

NAMESPACE = "crds"


@pytest.fixture(scope="module")
def space(plane: ControlPlane) -> Iterator[str]:
    """A namespace that no operator's answer matters in."""
    plane.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def put(plane: ControlPlane, name: str, spec: dict[str, Any], *words: str) -> str:
    body = {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    said: str = plane.kubectl("apply", *words, "-f", "-", stdin=json.dumps(body))
    return said


SPEC: dict[str, Any] = {
    "model": {"version": "1"},
    "runtime": {"image": "a:1", "readiness": {"path": "/ready"}},
}


def published(plane: ControlPlane, seconds: float = 30) -> None:
    """Waits until kubectl can know the kind: names and schema are published a while after."""
    end = time.monotonic() + seconds
    ours = "apis/canarium.dev/v1alpha1"
    while (
        ours not in plane.kubectl("get", "--raw", "/openapi/v3")
        # The group is listed with its first kind, and the others follow.
        or "/modeldeployments" not in plane.kubectl("get", "--raw", f"/openapi/v3/{ours}")
        or " mdl "
        not in plane.kubectl("api-resources", "--api-group=canarium.dev", "--cached=false")
    ):
        assert time.monotonic() < end, "no schema is published"
        time.sleep(0.2)


def test_every_crd_is_structural_and_accepted(plane: ControlPlane) -> None:
    crds = json.loads(plane.kubectl("get", "crd", "-o", "json"))["items"]
    ours = [c for c in crds if c["spec"]["group"] == "canarium.dev"]
    assert len(ours) == 6
    for crd in ours:
        state = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        assert state["Established"] == state["NamesAccepted"] == "True"
        assert state.get("NonStructuralSchema", "False") == "False"


def test_kubectl_explains_a_field_by_short_name(plane: ControlPlane) -> None:
    published(plane)
    said = plane.kubectl("explain", "modeldeployment.spec.rollout")
    plain = " ".join(said.split())
    for words in ("FIELDS", "steps", "bakeTime", "How long the previous version stays warm"):
        assert words in plain, said
    assert "<no description>" not in said
    assert "<no description>" not in plane.kubectl("explain", "modeldeployment.status")


def test_columns_are_printed_and_the_category_lists_all_kinds(
    plane: ControlPlane, space: str
) -> None:
    put(plane, "listed", SPEC)
    said = plane.kubectl("-n", space, "get", "modeldeployment", "listed")
    assert said.split()[:4] == ["NAME", "PHASE", "READY", "VERSION"]
    assert "listed" in plane.kubectl("-n", space, "get", "canarium")


@pytest.mark.parametrize(
    ("name", "more"),
    [("scaled", {"scaling": {"replicas": 1}}), ("absent", {})],
    ids=["fixed count", "absent count"],
)
def test_kubectl_scale_sets_the_count(
    plane: ControlPlane, space: str, name: str, more: dict[str, Any]
) -> None:
    put(plane, name, {**SPEC, **more})
    plane.kubectl("-n", space, "scale", f"modeldeployment/{name}", "--replicas=4")
    count = "jsonpath={.spec.scaling.replicas}"
    assert plane.kubectl("-n", space, "get", "modeldeployment", name, "-o", count) == "4"


def test_autoscaler_sees_that_replicas_is_absent(plane: ControlPlane, space: str) -> None:
    """It reads the subresource first, as the field's description states."""
    put(plane, "unset", SPEC)
    path = f"/apis/canarium.dev/v1alpha1/namespaces/{space}/modeldeployments/unset/scale"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        plane.kubectl("get", "--raw", path)
    assert ".spec.scaling.replicas" in refused.value.stderr
    assert "does not exist" in refused.value.stderr
    plane.kubectl("-n", space, "scale", "modeldeployment/unset", "--replicas=2")
    assert json.loads(plane.kubectl("get", "--raw", path))["spec"] == {"replicas": 2}


def test_user_autoscaler_scales_a_fixed_count(plane: ControlPlane, space: str) -> None:
    """Kubernetes' own controller, by the scale subresource; too few need no metrics."""
    put(plane, "moved", {**SPEC, "scaling": {"replicas": 1}})
    target = {"apiVersion": "canarium.dev/v1alpha1", "kind": "ModelDeployment", "name": "moved"}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "moved", "namespace": space},
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 3,
            "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    asked = (
        "-n",
        space,
        "get",
        "modeldeployment",
        "moved",
        "-o",
        "jsonpath={.spec.scaling.replicas}",
    )
    end = time.monotonic() + 30
    while plane.kubectl(*asked) != "3":
        events = plane.kubectl("-n", space, "get", "events")
        assert time.monotonic() < end, events
        time.sleep(0.2)


def test_kubectl_cannot_scale_an_autoscaled_model(plane: ControlPlane, space: str) -> None:
    put(plane, "bounds", {**SPEC, "scaling": {"minReplicas": 1, "maxReplicas": 3}})
    with pytest.raises(subprocess.CalledProcessError) as refused:
        plane.kubectl("-n", space, "scale", "modeldeployment/bounds", "--replicas=4")
    assert "spec.scaling.replicas" in refused.value.stderr
    assert "exclude each other" in refused.value.stderr


def test_field_managers_share_an_object_and_keep_what_is_theirs(
    plane: ControlPlane, space: str
) -> None:
    """One team ships versions, another sets the number: each by server-side apply."""
    ours = copy.deepcopy(SPEC)
    ours["runtime"]["env"] = [{"name": "A", "value": "1"}]
    put(plane, "shared", ours, "--server-side", "--field-manager=ship")
    theirs = copy.deepcopy(SPEC)
    theirs["runtime"]["env"] = [{"name": "B", "value": "2"}]
    put(
        plane, "shared", {**theirs, "scaling": {"replicas": 5}},
        "--server-side", "--field-manager=scale",
    )  # fmt: skip
    put(plane, "shared", ours, "--server-side", "--field-manager=ship")
    found = json.loads(plane.kubectl("-n", space, "get", "modeldeployment", "shared", "-o", "json"))
    assert found["spec"]["scaling"] == {"replicas": 5}
    assert [e["name"] for e in found["spec"]["runtime"]["env"]] == ["A", "B"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        put(
            plane, "shared", {**SPEC, "model": {"version": "2"}},
            "--server-side", "--field-manager=third",
        )  # fmt: skip
    assert ".spec.model.version" in refused.value.stderr


@pytest.mark.rule("R21")
@pytest.mark.parametrize("time", ["2024-99-99T99:99:99Z", "2023-02-29T00:00:00Z", "soon"])
def test_status_with_an_impossible_time_is_refused(
    plane: ControlPlane, space: str, time: str
) -> None:
    put(plane, "timed", SPEC)
    edit = (
        "-n",
        space,
        "patch",
        "modeldeployment",
        "timed",
        "--subresource=status",
        "--type=merge",
        "-p",
    )
    plane.kubectl(*edit, json.dumps({"status": {"bakeStartTime": "2024-02-29T00:00:00.123Z"}}))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        plane.kubectl(*edit, json.dumps({"status": {"bakeStartTime": time}}))
    assert "status.bakeStartTime" in refused.value.stderr


@pytest.mark.parametrize("uri", ["pvc://claim/models", "oci://registry/models:1", None])
def test_patterns_are_refused_where_no_file_can_be_chosen(
    plane: ControlPlane, space: str, uri: str | None
) -> None:  # I12
    model = {"allowPatterns": ["*.safetensors"], **({"uri": uri} if uri else {})}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        put(plane, "patterns", {**SPEC, "model": model})
    assert "spec.model.allowPatterns" in refused.value.stderr
    put(plane, "patterns", {**SPEC, "model": {**model, "uri": "hf://owner/model@main"}})


_KEY = {"configMapKeyRef": {"name": "keys", "key": "release.pub"}}


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("verify", "words"),
    [
        ({}, "set exactly one of key and certificateIdentity"),
        (
            {"certificateIdentity": "release@example.com"},
            "certificateIdentity and certificateAuthorities belong together",
        ),
        (
            {"key": _KEY, "certificateAuthorities": _KEY},
            "certificateIdentity and certificateAuthorities belong together",
        ),
        (
            {"key": _KEY, "certificateIdentity": "a@b", "certificateAuthorities": _KEY},
            "set exactly one of key and certificateIdentity",
        ),
        (
            {"certificateIdentity": "", "certificateAuthorities": _KEY},
            "spec.model.verify.certificateIdentity",
        ),
        (
            {"certificateIdentity": "a@b", "certificateAuthorities": {}},
            "set exactly one of configMapKeyRef and secretKeyRef",
        ),
        ({"key": {}}, "set exactly one of configMapKeyRef and secretKeyRef"),
        (
            {"key": {**_KEY, "secretKeyRef": {"name": "keys", "key": "cosign.pub"}}},
            "set exactly one of configMapKeyRef and secretKeyRef",
        ),
        (
            {"key": {"configMapKeyRef": {"name": "keys"}}},
            "spec.model.verify.key.configMapKeyRef.key: Required value",
        ),
        (
            {"key": {"configMapKeyRef": {"name": "keys", "key": "a/b"}}},
            "spec.model.verify.key.configMapKeyRef.key",
        ),
        ({"key": _KEY, "signature": "a/../../model.sig"}, "must not contain '..'"),
        ({"key": _KEY, "signature": "/model.sig"}, "spec.model.verify.signature"),
    ],
)
def test_verification_that_would_verify_nothing_is_refused(
    plane: ControlPlane, space: str, verify: dict[str, Any], words: str
) -> None:
    model = {"uri": "s3://models/fraud", "verify": verify}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        put(plane, "verify", {**SPEC, "model": model}, "--validate=false")
    assert words in refused.value.stderr


@pytest.mark.rule("R21")
@pytest.mark.parametrize("uri", ["file:///models/fraud", None])
def test_verification_is_refused_where_nothing_is_fetched(
    plane: ControlPlane, space: str, uri: str | None
) -> None:
    model = {"verify": {"key": _KEY}, **({"uri": uri} if uri else {})}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        put(plane, "verify", {**SPEC, "model": model})
    assert "spec.model.verify: Invalid value" in refused.value.stderr
    put(plane, "verify", {**SPEC, "model": {**model, "uri": "pvc://models/fraud"}})
