"""Where a registry is asked, with which token, and what is reported if it refuses (R26)."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.core.facts.resolution import ResolveRequest
from canarium.signals.access import NamespaceAccess
from canarium.signals.http_client import Response
from canarium.sources.platform import Platform
from canarium.sources.rate_limits import MOST, RateLimits, retry_after
from canarium.sources.registries import Registries
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule
DIGEST = f"sha256:{'a' * 64}"
COMMIT = "c" * 40


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SourceRig]:
    made = SourceRig()
    yield made
    await made.close()


@rule("R26")
@pytest.mark.parametrize("name", ["https://index.docker.io/v1/", "docker.io"])
async def test_docker_hub_is_asked_at_its_server_with_the_login_of_docker(
    rig: SourceRig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    auth = base64.b64encode(b"me:hunter22").decode()
    config = json.dumps({"auths": {name: {"auth": auth}}})
    rig.secrets.stored["pull"] = {".dockerconfigjson": config.encode()}
    asked: list[tuple[str, str | None]] = []

    async def request(
        access: object, method: str, url: str, *, headers: Mapping[str, str], **options: Any
    ) -> Response:
        asked.append((url, headers.get("Authorization")))
        if len(asked) == 1:
            return Response(401, b"", 0, {"WWW-Authenticate": "Basic"})
        return Response(200, b"", 0, {"Docker-Content-Digest": DIGEST})

    monkeypatch.setattr(NamespaceAccess, "request", request)
    wanted = ResolveRequest("oci://docker.io/busybox:1", "", "pull", "1")
    found = await rig.registries.resolve(KEY, wanted)
    assert found.uri == f"oci://docker.io/busybox@{DIGEST}", found.message
    url = "https://registry-1.docker.io/v2/library/busybox/manifests/1"
    assert asked == [(url, None), (url, f"Basic {auth}")]


@rule("R26")
async def test_logins_of_several_repositories_are_read_once(rig: SourceRig) -> None:
    """Each repository has its login; the Secret is cached."""
    auths = {
        f"127.0.0.1:1/{team}": {"username": team, "password": "p"} for team in ("risk", "fraud")
    }
    rig.secrets.stored["pull"] = {".dockerconfigjson": json.dumps({"auths": auths}).encode()}
    for team in ("risk", "fraud", "risk"):
        wanted = ResolveRequest(f"oci://127.0.0.1:1/{team}/m:1", "", "pull", "1")
        assert (await rig.registries.resolve(KEY, wanted)).reason == "SourceUnavailable"
        rig.secrets.stored.pop("pull", None)
    wanted = ResolveRequest("oci://127.0.0.1:1/spam/m:1", "", "pull", "1")
    found = await rig.registries.resolve(KEY, wanted)
    assert found.reason == "SourceAccessDenied"
    assert "knows 127.0.0.1:1/fraud, 127.0.0.1:1/risk, but not 127.0.0.1:1/spam/m" in found.message


@rule("R26")
@pytest.mark.parametrize("slash", ["", "/"])
async def test_token_of_the_platform_is_for_its_hub_also_if_the_model_names_it(
    rig: SourceRig, responder: Responder, slash: str
) -> None:
    responder.responds(json.dumps({"sha": COMMIT}))
    platform = Platform.of({"HF_ENDPOINT": responder.url, "HF_TOKEN": "hf_platform"})
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    other = responder.url.replace("127.0.0.1", "localhost")
    for endpoint in ("", responder.url + slash, other, f"{responder.url}/mirror"):
        await registries.resolve(KEY, ResolveRequest("hf://o/m", endpoint, None, "1"))
    sent = [headers.get("Authorization") for headers in responder.headers]
    assert sent[:2] == ["Bearer hf_platform"] * 2
    assert set(sent[2:]) <= {None}


@rule("R26")
@pytest.mark.parametrize(
    ("uri", "secret", "end"),
    [
        ("oci://r/m:1", None, "name a digest in spec.model.uri (@sha256:…)"),
        ("oci://r/m:1", "missing", "name a digest in spec.model.uri (@sha256:…)"),
        ("oci://r/m:1", "other", "name a digest in spec.model.uri (@sha256:…)"),
        ("hf://o/m", None, "name a commit in spec.model.uri (@ and 40 digits)"),
    ],
)
async def test_refusal_ends_with_the_way_that_needs_no_request(
    rig: SourceRig, responder: Responder, uri: str, secret: str | None, end: str
) -> None:
    config = {"auths": {f"{'x' * 500}.example": {"username": "u", "password": "p"}}}
    rig.secrets.stored["other"] = {".dockerconfigjson": json.dumps(config).encode()}
    responder.responds("denied", 403)
    found = await rig.registries.resolve(KEY, ResolveRequest(uri, responder.url, secret, "1"))
    assert found.reason == "SourceAccessDenied"
    assert found.message.endswith(f". To resolve without a request, {end}")
    assert len(found.message) < 600
    responder.responds("away", 503)
    found = await rig.registries.resolve(KEY, ResolveRequest(uri, responder.url, None, "1"))
    assert "without a request" not in found.message


@rule("R26")
async def test_registry_that_limits_requests_wants_none_from_those_credentials(
    rig: SourceRig, responder: Responder
) -> None:
    async def answer(request: server.Request) -> server.Response:
        return server.Response(status=429, headers={"Retry-After": "60"})

    responder.handler = answer
    rig.secrets.stored["read"] = {"HF_TOKEN": b"hf_own"}
    wanted = ResolveRequest("hf://o/m", responder.url, None, "1")
    assert rig.registries.wait_left("a", wanted) == 0
    await rig.registries.resolve(KEY, wanted)
    assert rig.registries.wait_left("a", wanted) == 60
    same = ResolveRequest("hf://o/other@v2", responder.url, None, "2")
    assert rig.registries.wait_left("a", same) == 60
    for namespace, other in (
        ("b", wanted),
        ("a", ResolveRequest("hf://o/m", responder.url, "read", "1")),
        ("a", ResolveRequest("hf://o/m", "https://other.example", None, "1")),
    ):
        assert rig.registries.wait_left(namespace, other) == 0
    rig.now += 60
    assert rig.registries.wait_left("a", wanted) == 0
    found = await rig.registries.resolve(KEY, wanted)
    assert "HTTP 429" in found.message, "what a new revision needs is requested all the same"


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("Mon, 30 Nov 2026 12:01:00 GMT", 60.0),
        ("Mon, 30 Nov 2026 11:59:00 GMT", None),
        (None, None),
        ("", None),
        ("0", None),
        ("-5", None),
        ("²", None),
        ("9" * 5000, None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:01:00 GMT", None),
        ("Mon, 30 Nov 2026 12:01:00 +9999", None),
        ("30 Nov 2026 12:01:00 +9999999999999", None),
        ("01 Jan 0001 00:00:00 +2359", None),
        ("31 Dec 9999 23:59:59 -2359", 251606347139.0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(
    header: str | None, wait: float | None
) -> None:
    assert retry_after(header, datetime(2026, 11, 30, 12, tzinfo=UTC)) == wait


@rule("R31")
def test_waits_are_bounded_in_time_and_number() -> None:
    limits = RateLimits(lambda: 0.0)
    first = ("a", None, "first")
    limits.note(first, 86_400.0)
    assert limits.left(first) == 600.0
    limits.note(first, 1.0)
    assert limits.left(first) == 600.0, "the longest counts"
    for number in range(MOST):
        limits.note(("a", None, str(number)), 1.0)
    assert limits.left(first) == 0.0
    assert limits.left(("a", None, str(MOST - 1))) == 1.0


@rule("R31")
def test_waits_of_one_namespace_do_not_displace_those_of_another() -> None:
    limits = RateLimits(lambda: 0.0)
    other = ("b", None, "other")
    limits.note(other, 60.0)
    for number in range(2 * MOST):
        limits.note(("a", None, str(number)), 60.0)
    assert limits.left(other) == 60.0
    assert limits.left(("a", None, str(MOST))) == 0.0
    assert limits.left(("a", None, str(2 * MOST - 1))) == 60.0
