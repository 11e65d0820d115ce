"""A pod that the API server would reject is reported with the field that the user wrote."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.apply.dry_run import rejection_of
from canarium.kube.errors import ApiError

NAME = 'Pod "m-rev-trial" is invalid: '


def translated(message: str, spec: dict[str, Any]) -> str:
    found = rejection_of(ApiError(422, "Invalid", message), spec)
    assert found is not None
    return found.message


OVERLAID = {
    "podTemplate": {"spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "server"}]}}
}
LIMITED = {"containers": [{"name": "server", "resources": {"limits": {}}}]}


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("path", "spec", "shown"),
    [
        ("spec.nodeSelector.a", OVERLAID, "spec.podTemplate.spec.nodeSelector.a"),
        ("spec.nodeSelector.a", {"pod": {"nodeSelector": {"a": "b"}}}, "spec.pod.nodeSelector.a"),
        ("spec.tolerations[0].key", {"pod": {"tolerations": [{}]}}, "spec.pod.tolerations[0].key"),
        ("spec.securityContext.runAsUser", {"pod": {"runAsUser": -1}}, "spec.pod.runAsUser"),
        (
            "spec.topologySpreadConstraints[0].maxSkew",
            {"pod": {"topologySpread": [{}]}},
            "spec.pod.topologySpread[0].maxSkew",
        ),
        (
            "spec.containers[0].resources.requests",
            {"resources": {"requests": {}}},
            "spec.resources.requests",
        ),
        (
            "spec.containers[0].resources.limits",
            {"resources": {"requests": {}}, "podTemplate": {"spec": LIMITED}},
            "spec.podTemplate.spec.containers[0].resources.limits",
        ),
        ("spec.containers[0].env[1].name", {"runtime": {"env": []}}, "spec.runtime.env[1].name"),
        ("spec.volumes[0].name", {"pod": {"volumes": [{}]}}, "the pod's spec.volumes[0].name"),
        ("metadata.annotations", OVERLAID, "the pod's metadata.annotations"),
    ],
)
def test_rejection_names_the_field_that_the_user_wrote(
    path: str, spec: dict[str, Any], shown: str
) -> None:
    assert translated(f'{NAME}{path}: Invalid value: "2"', spec) == f'{shown}: Invalid value: "2"'


@pytest.mark.rule("R21")
def test_unknown_field_is_named_by_its_place_in_the_template() -> None:
    message = (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.nodeSelectors"'
    )
    spec = {"podTemplate": {"spec": {"nodeSelectors": {}}}}
    assert translated(message, spec) == 'unknown field "spec.podTemplate.spec.nodeSelectors"'
