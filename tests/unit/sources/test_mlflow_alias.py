"""The version that an alias of a tracking server names, and why there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess, SharedResources
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import HttpClient
from canarium.sources.errors import Unresolved
from canarium.sources.mlflow_alias import resolved
from canarium.sources.tracking_server import TrackingServer
from signals.conftest import LOOPBACK, Responder

rule = pytest.mark.rule
CHAMPION = parse("mlflow://fraud@champion")


@pytest_asyncio.fixture
async def web() -> AsyncIterator[NamespaceAccess]:
    shared = SharedResources(HttpClient(LOOPBACK))
    yield shared.of("a")
    await shared.close()


def endpoint(responder: Responder) -> Endpoint:
    token = {"Authorization": "Bearer a-token"}
    return Endpoint(f"{responder.url}/proxy/", 2, token, None, ("a-token",))


@rule("R26")
async def test_alias_is_resolved_to_a_version_that_cannot_move(
    web: NamespaceAccess, responder: Responder
) -> None:
    responder.responds(json.dumps({"model_version": {"version": "7", "status": "READY"}}))
    address = parse("mlflow://fraud%20v2@champion")
    assert address.moves
    found = await resolved(TrackingServer(web, endpoint(responder)), address)
    assert found == "mlflow://fraud%20v2/7"
    assert not parse(found).moves
    query = "name=fraud+v2&alias=champion"
    assert [path for _, path, _ in responder.requests] == [
        f"/proxy/api/2.0/mlflow/registered-models/alias?{query}"
    ]
    assert responder.headers[0]["Authorization"] == "Bearer a-token"


@rule("R26")
@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "a-token"}', "SourceNotFound"),
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "none"}', "SourceNotFound"),
        (401, "who are you", "SourceAccessDenied"),
        (503, "", "SourceUnavailable"),
        (200, "<h1>Sign in</h1>", "SourceUnavailable"),
        (200, "[" * 100_000, "SourceUnavailable"),
        (200, json.dumps({"a": "b" * (256 << 10)}), "SourceUnavailable"),
        (200, "{}", "SourceNotFound"),
        (200, '{"model_version": {"version": "../8"}}', "SourceNotFound"),
        (200, '{"model_version": {"version": "8", "status": "FAILED"}}', "SourceNotFound"),
    ],
)
async def test_alias_without_a_version_has_a_reason_and_no_secret(
    web: NamespaceAccess, responder: Responder, status: int, body: str, reason: str
) -> None:
    responder.responds(body, status)
    with pytest.raises(Unresolved, match="champion") as refused:
        await resolved(TrackingServer(web, endpoint(responder)), CHAMPION)
    assert refused.value.reason == reason
    assert "a-token" not in str(refused.value)


@rule("R26", "R29")
async def test_plain_text_of_a_server_is_quoted_without_the_secret(
    web: NamespaceAccess, responder: Responder
) -> None:
    responder.responds("Invalid Host header for a-token", 403)
    with pytest.raises(Unresolved) as refused:
        await resolved(TrackingServer(web, endpoint(responder)), CHAMPION)
    assert "HTTP 403 Invalid Host header for [hidden]" in str(refused.value)


@rule("R26")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://169.254.169.254", ""])
async def test_server_that_cannot_be_reached_is_unavailable(web: NamespaceAccess, url: str) -> None:
    with pytest.raises(Unresolved) as refused:
        await resolved(TrackingServer(web, Endpoint(url, 2)), CHAMPION)
    assert refused.value.reason == "SourceUnavailable"
