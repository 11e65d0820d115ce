"""The chart's admission policy: the operator creates no route that the model's author could not."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from integration import rights
from sandbox.controlplane import ControlPlane

EDITOR = "editor"
PLATFORM = "platform"
GATEWAY = {"parentRefs": [{"name": "shared"}], "hostnames": ["bank.example.com"]}


def model(name: str, **traffic: Any) -> dict[str, Any]:
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "routes"},
        "spec": {
            "model": {"version": "1"},
            "runtime": {"image": "model:1", "readiness": {"path": "/ready"}},
            **({"traffic": traffic} if traffic else {}),
        },
    }


class Author:
    """A user who applies models under a separate name."""

    def __init__(self, plane: ControlPlane, name: str) -> None:
        self._plane, self._name = plane, name

    def apply(self, body: dict[str, Any]) -> str:
        """What the API server answers against it; empty when it takes it."""
        try:
            self._plane.kubectl(
                "--as", self._name, "apply", "-f", "-", stdin=json.dumps(body)
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        return ""


@pytest.fixture(scope="module")
def policy(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The policy in force, an editor of models, and one who may create routes as well."""
    plane.kubectl("create", "namespace", "routes")
    edits = "--verb=get,create,update,patch"
    for role, resources in (
        ("models", "modeldeployments.canarium.dev"),
        ("routes", "httproutes.gateway.networking.k8s.io"),
        ("mesh", "virtualservices.networking.istio.io"),
    ):
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": role, "namespace": "routes"},
            "rules": [
                {
                    "apiGroups": [resources.split(".", 1)[1]],
                    "resources": [resources.split(".")[0]],
                    "verbs": edits.removeprefix("--verb=").split(","),
                }
            ],
        }
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    for user, roles in ((EDITOR, ("models",)), (PLATFORM, ("models", "routes", "mesh"))):
        for role in roles:
            plane.kubectl(
                "-n", "routes", "create", "rolebinding", f"{user}-{role}",
                f"--role={role}", f"--user={user}",
            )  # fmt: skip
    bodies = [
        body
        for body in rights.rendered("routeAuthorization.enabled=true")
        if body["kind"].startswith("ValidatingAdmissionPolicy")
    ]
    text = yaml.safe_dump_all(bodies)
    plane.kubectl("apply", "-f", "-", stdin=text)
    # The API server compiles a policy a moment after it takes it.
    end = time.monotonic() + 30
    while not Author(plane, EDITOR).apply(model("probe", router="Gateway", gateway=GATEWAY)):
        plane.kubectl("-n", "routes", "delete", "modeldeployment", "probe")
        assert time.monotonic() < end, "the policy is not in force"
        time.sleep(0.2)
    yield plane
    plane.kubectl("delete", "-f", "-", stdin=text)
    plane.kubectl("delete", "namespace", "routes", "--wait=false")


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("traffic", "resource"),
    [
        ({"router": "Gateway", "gateway": GATEWAY}, "httproutes.gateway.networking.k8s.io"),
        (
            {"router": "Gateway", "gateway": {**GATEWAY, "protocol": "GRPC"}},
            "grpcroutes.gateway.networking.k8s.io",
        ),
        ({"router": "Istio", "istio": {}}, "virtualservices.networking.istio.io"),
    ],
    ids=["http", "grpc", "istio"],
)
def test_author_without_the_right_to_a_route_is_denied_a_model_that_has_one(
    policy: ControlPlane, traffic: dict[str, Any], resource: str
) -> None:
    # H10
    denied = Author(policy, EDITOR).apply(model("denied", **traffic))
    assert f"spec.traffic: editor cannot create {resource} in namespace routes" in denied


def test_author_with_the_right_to_a_route_may_ask_for_it(policy: ControlPlane) -> None:
    author = Author(policy, PLATFORM)
    assert author.apply(model("allowed", router="Gateway", gateway=GATEWAY)) == ""
    assert author.apply(model("meshed", router="Istio", istio={})) == ""


def test_model_without_a_route_needs_no_right_to_one(policy: ControlPlane) -> None:
    assert Author(policy, EDITOR).apply(model("plain")) == ""


def test_other_fields_of_a_routed_model_can_be_edited_without_the_right(
    policy: ControlPlane,
) -> None:
    body = model("shared", router="Gateway", gateway=GATEWAY)
    assert Author(policy, PLATFORM).apply(body) == ""
    body["spec"]["model"]["version"] = "2"
    assert Author(policy, EDITOR).apply(body) == ""
    body["spec"]["traffic"]["gateway"]["hostnames"] = ["other.example.com"]
    assert "cannot create httproutes" in Author(policy, EDITOR).apply(body)
