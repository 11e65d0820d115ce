"""What is wrong is refused at `kubectl apply`, with the field's path and what is right."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import Any

import pytest

from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
COMMIT = "4f1c2d9" + "0" * 33
PUBLIC = {"parentRefs": [{"name": "public"}]}


def refusal(plane: ControlPlane, body: dict[str, Any]) -> str:
    """Error of the API server for `body`; the test fails when it accepts it."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    said: str = refused.value.stderr
    return said


@rule("R21")
@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("scaling", "replicas"), "three", ["spec.scaling.replicas", "must be of type integer"]),
        (("scaling", "replica"), 3, ['unknown field "spec.scaling.replica"']),
        (("modle",), {}, ['unknown field "spec.modle"']),
        (
            ("model", "uri"),
            "ftp://models/a",
            ["spec.model.uri", "begin it as one of s3://bucket/path"],
        ),
        (("model", "uri"), "hf://model", ["spec.model.uri", "hf://owner/model@revision"]),
        (("model", "uri"), "s3://models/../a", ["spec.model.uri", "must not contain '..'"]),
        (("model", "uri"), "https://me:word@host/a", ["spec.model.uri", "into a Secret"]),
        (("model", "digest"), "sha256:abc", ["spec.model.digest", "should match"]),
        *(
            (
                ("model",),
                {"uri": uri, "endpoint": "http://s3"},
                ["spec.model.endpoint", "applies only to"],
            )
            for uri in ("https://host/a", "pvc://claim/a", "file:///a")
        ),
        (("model", "uri"), "mlflow://fraud/7", ["spec.model.endpoint", "the tracking server"]),
        (
            ("model",),
            {"uri": "mlflow://fraud", "endpoint": "http://mlflow"},
            ["spec.model.uri", "mlflow://model@alias"],
        ),
        *(
            (
                ("model",),
                {"uri": uri, "follow": {"interval": "2m"}, **more},
                ["spec.model.follow", "applies only to a uri that can move"],
            )
            for uri, more in (
                ("mlflow://fraud/7", {"endpoint": "http://mlflow"}),
                ("mlflow://runs/ab12/model", {"endpoint": "http://mlflow"}),
                ("s3://models/fraud", {}),
                ("https://host/a@b", {}),
                (f"hf://owner/model@{COMMIT}", {}),
                (f"hf://owner/model@{COMMIT}/a@b", {}),
                (f"oci://registry/m:1@sha256:{'a' * 64}", {}),
            )
        ),
        *(
            (
                ("model",),
                {
                    "uri": "mlflow://fraud@champion",
                    "endpoint": "http://mlflow",
                    "follow": {"interval": interval},
                },
                ["spec.model.follow.interval", text],
            )
            for interval, text in (("29s", "30s to 24h"), ("25h", "30s to 24h"), ("soon", "match"))
        ),
        *(
            (
                ("model",),
                {"uri": uri, "writeBack": {}, **more},
                ["spec.model.writeBack", "applies only to a registered model"],
            )
            for uri, more in (
                ("mlflow://runs/ab12/model", {"endpoint": "http://mlflow"}),
                ("s3://models/fraud", {}),
            )
        ),
        (
            ("model",),
            {
                "uri": "mlflow://fraud/7",
                "endpoint": "http://mlflow",
                "writeBack": {"credentials": {}},
            },
            ["spec.model.writeBack.credentials.secretName", "Required"],
        ),
        (("model", "credentials"), {"secretName": "s"}, ["spec.model.credentials", "not to file:"]),
        (("rollout", "steps"), [{"weight": 101}], ["spec.rollout.steps[0].weight", "100"]),
        (
            ("rollout", "steps"),
            [{"weight": 50}, {"weight": 20}],
            ["spec.rollout.steps", "the weights of steps must not decrease"],
        ),
        (
            ("rollout", "steps"),
            [{"weight": 50, "pause": "soon"}],
            ["spec.rollout.steps[0].pause", "should match"],
        ),
        (
            ("rollout", "smokeTests"),
            [{"fromSignature": True}],
            ["spec.rollout.smokeTests", "requires spec.model.uri of mlflow"],
        ),
        *(
            (
                ("rollout", "smokeTests"),
                [{"fromSignature": True, **more}],
                [f"spec.rollout.smokeTests[0].{field}", text],
            )
            for more, field, text in (
                ({"body": {}}, "fromSignature", "sends the logged input example"),
                ({"method": "GET"}, "fromSignature", "sends the logged input example"),
                ({"path": "/v1/completions"}, "path", "(/invocations)"),
            )
        ),
        (
            ("scaling",),
            {"minReplicas": 5, "maxReplicas": 2},
            ["spec.scaling.minReplicas", "must not be above maxReplicas"],
        ),
        (
            ("scaling",),
            {"replicas": 2, "maxReplicas": 4},
            ["spec.scaling.replicas", "exclude each other"],
        ),
        (("scaling",), {"minReplicas": 2}, ["spec.scaling.minReplicas", "needs maxReplicas"]),
        *(
            (
                ("scaling",),
                {"minReplicas": 0, "maxReplicas": 2, **metrics},
                ["spec.scaling.minReplicas", "requires a metric of type Object or External"],
            )
            for metrics in (
                {},
                {"metrics": []},
                {"metrics": [{"type": "Resource", "resource": {"name": "cpu"}}]},
                {"metrics": [{"external": {}}]},
            )
        ),
        (
            ("resources",),
            {"claims": [{"name": "gpu"}]},
            ["spec.resources.claims", "must be listed in spec.pod.resourceClaims"],
        ),
        *(
            (
                ("pod",),
                {"resourceClaims": [{"name": "gpu", **sources}]},
                ["spec.pod.resourceClaims[0]", "set resourceClaimTemplateName"],
            )
            for sources in (
                {},
                {"resourceClaimName": "a", "resourceClaimTemplateName": "b"},
            )
        ),
        (("rollout", "strategy"), "BlueGreen", ["spec.rollout.steps", "strategy Canary"]),
        (("rollout", "strategy"), "Rolling", ["spec.rollout.strategy", '"Canary"']),
        (
            ("runtime",),
            {"image": "a:1"},
            ["spec.runtime.readiness", "readiness is required"],
        ),
        (("traffic",), {"router": "Gateway"}, ["spec.traffic.gateway", "set both or neither"]),
        (("traffic",), {"gateway": PUBLIC}, ["spec.traffic.gateway", "set both or neither"]),
        (("traffic", "gateway"), {"parentRefs": []}, ["spec.traffic.gateway.parentRefs"]),
        (
            ("traffic", "gateway"),
            {**PUBLIC, "protocol": "GRPC", "pathPrefix": "/a"},
            ["spec.traffic.gateway.protocol", "a GRPCRoute does not support"],
        ),
        (
            ("traffic", "gateway"),
            {**PUBLIC, "rewritePrefix": "/"},
            ["spec.traffic.gateway.rewritePrefix", "set both"],
        ),
        (
            ("rollout", "steps"),
            [{"weight": 0, "pause": "1m"}],
            ["spec.rollout.steps", "require spec.traffic.router Gateway"],
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_field_is_refused_with_its_path(
    plane: ControlPlane, sample: dict[str, Any], path: tuple[str, ...], value: Any, said: list[str]
) -> None:
    body = copy.deepcopy(sample)
    node = body["spec"]
    for name in path[:-1]:
        node = node.setdefault(name, {"router": "Gateway"} if name == "traffic" else {})
    node[path[-1]] = value
    answer = refusal(plane, body)
    for words in said:
        assert words in answer


@rule("R21")
def test_model_without_a_server_is_refused(plane: ControlPlane, sample: dict[str, Any]) -> None:
    body = copy.deepcopy(sample)
    del body["spec"]["model"]["format"]
    assert "no server is selected" in refusal(plane, body)


@rule("R24")
@pytest.mark.parametrize("name", ["a" * 46, "1st", "a.b"])
def test_name_that_is_too_long_for_children_is_refused(
    plane: ControlPlane, sample: dict[str, Any], name: str
) -> None:
    assert "metadata.name" in refusal(plane, {**sample, "metadata": {"name": name}})
