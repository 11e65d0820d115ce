"""The operator's Prometheus: its credentials reach no other server, and its queries name their
namespace."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from canarium.api.effective_analysis import effective_analysis
from canarium.api.model_deployment import Rollout
from canarium.config import Config
from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.measures import Missing, Reading
from canarium.core.evidence.windows import Window
from canarium.kube.errors import ApiError
from canarium.options import identity
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.check_sources import CheckSources
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.http_client import HttpClient
from canarium.signals.target import AnalysisTarget
from signals.conftest import LOOPBACK, Responder

rule = pytest.mark.rule
NOW = 1_000_000.0


class Secrets:
    """An API server whose Secret `own` belongs to the model."""

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        if name != "own":
            raise ApiError(404, "NotFound", "not found")
        return {"data": {"token": base64.b64encode(b"of the model").decode()}}


async def measured(
    responder: Responder,
    default: DefaultPrometheus | None,
    policy: Any = LOOPBACK,
    **prometheus: Any,
) -> Any:
    body = {"name": "drift", "prometheus": {"query": "drift", **prometheus}, "max": "1"}
    rollout = Rollout.model_validate({"analysis": {"checks": [body]}})
    assert rollout.analysis
    analysis = effective_analysis(rollout.analysis)
    row = {"metric": {}, "value": [NOW, "0.5"]}
    data = {"resultType": "vector", "result": [row]}
    responder.responds(json.dumps({"status": "success", "data": data}))
    shared = SharedResources(HttpClient(policy))
    api: Any = Secrets()
    sources = CheckSources(api, shared, Authenticator(api, shared.of), default)
    request = AnalysisRequest("r", None, NOW - 60)
    target = AnalysisTarget("risk", "fraud", analysis)
    try:
        return await sources.measure(
            target, request, analysis.checks[0], "r", Window(), NOW - 60, NOW
        )
    finally:
        await shared.close()


def parameters(responder: Responder) -> dict[str, list[str]]:
    (_, path, _) = responder.requests[-1]
    return parse_qs(urlsplit(path).query)


def login(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@rule("R17")
async def test_check_without_url_asks_it_with_its_login_and_the_namespace(
    responder: Responder, tmp_path: Path
) -> None:
    folder = login(tmp_path, token="of the operator")
    default = DefaultPrometheus(responder.url, folder, namespace_parameter="namespace")
    query = "sum(drift)&namespace=other"
    assert await measured(responder, default, query=query) == Reading(0.5)
    assert parameters(responder) == {
        "namespace": ["risk"],
        "query": [query],
        "time": ["1000000.000"],
    }
    assert responder.headers[-1]["Authorization"] == "Bearer of the operator"
    login(folder, token="renewed")
    await measured(responder, default)
    assert responder.headers[-1]["Authorization"] == "Bearer renewed"


@rule("R17")
async def test_its_login_is_never_sent_to_a_url_of_a_check(
    responder: Responder, tmp_path: Path
) -> None:
    folder = login(tmp_path, username="operator", password="secret")
    default = DefaultPrometheus("http://prometheus.invalid", folder, namespace_parameter="ns")
    assert await measured(responder, default, url=responder.url) == Reading(0.5)
    assert "Authorization" not in responder.headers[-1]
    assert "ns" not in parameters(responder)
    own = {"authentication": {"secretName": "own"}}
    await measured(responder, default, url=responder.url, **own)
    assert responder.headers[-1]["Authorization"] == "Bearer of the model"


@rule("R17")
async def test_login_of_a_check_is_not_sent_to_it(responder: Responder) -> None:
    default = DefaultPrometheus(responder.url)
    own = {"authentication": {"secretName": "own"}}
    assert await measured(responder, default, **own) == Reading(0.5)
    assert "Authorization" not in responder.headers[-1]


@rule("R21")
async def test_check_without_url_and_default_names_the_field(responder: Responder) -> None:
    found = await measured(responder, None)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("NoPrometheus", False)
    assert found.message.startswith("prometheus.url is not set")
    assert not responder.requests


@rule("R17")
async def test_rules_for_addresses_apply_to_it(responder: Responder) -> None:
    from canarium.signals.addresses import AddressPolicy

    found = await measured(responder, DefaultPrometheus(responder.url), AddressPolicy.DEFAULT)
    assert isinstance(found, Missing)
    assert found.reason == "AddressRefused"
    assert not responder.requests


@rule("R21")
@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "needs token"),
        ({"ca.crt": "x"}, "not a certificate"),
        ({"token": "x" * 70_000}, "48 KiB"),
    ],
)
async def test_login_that_cannot_be_used_is_reported_without_its_content(
    responder: Responder, tmp_path: Path, files: dict[str, str], text: str
) -> None:
    found = await measured(responder, DefaultPrometheus(responder.url, login(tmp_path, **files)))
    assert isinstance(found, Missing)
    assert found.reason == "InvalidCredentials"
    assert "Secret of the operator's Prometheus" in found.message
    assert text in found.message
    assert "xxx" not in found.message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "requires either"),
        ({"all_namespaces": True, "namespace_parameter": "namespace"}, "requires either"),
        ({"url": "prometheus:9090", "all_namespaces": True}, "http:// or https://"),
        ({"url": "http://me:word@prometheus", "all_namespaces": True}, "without credentials"),
        ({"url": "http://prometheus?a=b", "all_namespaces": True}, "and parameters"),
        ({"url": "http://[::1", "all_namespaces": True}, "http:// or https://"),
        ({"namespace_parameter": "query"}, "must be the name of a parameter"),
        ({"namespace_parameter": "a&b"}, "must be the name of a parameter"),
        ({"url": "", "credentials": "/etc/x"}, "require --prometheus-url"),
        ({"url": "", "identity": ("Azure", "", "")}, "require --prometheus-url"),
        ({"all_namespaces": True, "identity": ("Azure", "", "")}, "of https://"),
        (
            {
                "url": "https://p",
                "all_namespaces": True,
                "credentials": "/etc/x",
                "identity": ("Azure", "", ""),
            },
            "excludes",
        ),
        ({"all_namespaces": True, "timeout": 0.0}, "above 0"),
    ],
)
def test_settings_that_leak_or_cannot_work_are_refused(
    settings: dict[str, Any], words: str
) -> None:
    values = {f"prometheus_{key}": value for key, value in settings.items()}
    with pytest.raises(ValueError, match=words):
        Config(**{"prometheus_url": "http://prometheus", **values})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("Azure", ("Azure", "", "")),
        ("AWS:eu-central-1:aps", ("AWS", "eu-central-1", "aps")),
        ("AWS", None),
        ("AWS:eu-central-1", None),
        ("AWS:EU:aps", None),
        ("Google:a:b", None),
        ("Oracle", None),
    ],
)
def test_identity_is_a_cloud_with_what_a_signature_needs(
    text: str, parsed: tuple[str, str, str] | None
) -> None:
    if parsed:
        assert identity(text) == parsed
        return
    with pytest.raises(argparse.ArgumentTypeError, match="is not Azure, Google, or AWS:REGION"):
        identity(text)
