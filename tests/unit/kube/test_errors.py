"""What is left of an API server's text where the object is named already."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource


@pytest.mark.rule("R29")
@pytest.mark.parametrize(
    ("resource", "message", "detail"),
    [
        (resources.SERVICES, 'services "m" is forbidden: quota', "quota"),
        (resources.DEPLOYMENTS, 'deployments.apps "m" is forbidden: quota', "quota"),
        (resources.DEPLOYMENTS, 'Deployment.apps "m" is invalid: spec.a: no', "spec.a: no"),
        (resources.PODS, 'Pod "m" is invalid: spec.b: Required', "spec.b: Required"),
        (resources.SECRETS, 'secrets "m" not found', "not found"),
    ],
)
def test_object_is_named_once(resource: Resource, message: str, detail: str) -> None:
    assert ApiError(403, "Forbidden", message).detail(resource, "m") == detail


@pytest.mark.rule("R29")
@pytest.mark.parametrize(
    "message",
    [
        'services "other" is forbidden: quota',
        'services "m-2" is forbidden: quota',
        'configmaps "m" is forbidden: quota',
        'deployments.apps "m" is forbidden: quota',
        'services "m" is forbidden',
        'admission webhook "a.io" denied the request: services "m" is forbidden: no',
        "",
    ],
)
def test_text_about_anything_else_is_kept(message: str) -> None:
    error = ApiError(403, "Forbidden", message)
    assert error.detail(resources.SERVICES, "m") == (message or "Forbidden")
