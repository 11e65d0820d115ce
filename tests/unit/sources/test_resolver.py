"""When a moving reference is resolved, and with which credentials (R26)."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.core.facts.resolution import ResolveRequest
from canarium.signals.access import SharedResources
from canarium.signals.authorities import Authorities, trusting
from canarium.signals.http_client import HttpClient
from canarium.sources.platform import Platform
from canarium.sources.registries import Registries
from canarium.sources.resolver import SourceResolver
from sandbox.pki import Authority
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule
BASIC = f"Basic {base64.b64encode(b'u:p').decode()}"
DOCKER = json.dumps({"auths": {"https://r/v1/": {"auth": BASIC.split()[1]}}}).encode()
PLATFORM = Platform("http://unused.invalid", "hf_platform")
FOUND = json.dumps({"model_version": {"version": "7", "status": "READY"}})


class Rig(SourceRig):
    """A resolver, and the results of which it woke its model."""

    def __init__(self) -> None:
        super().__init__()
        self.resolver = SourceResolver(self.registries, self.wake, self.timing)

    async def result(self) -> tuple[str | None, str | None, str]:
        """The next result."""
        await self.until_woken()
        found = self.resolver.result(KEY)
        assert found
        return found.uri, found.reason, found.message

    async def close(self) -> None:
        await self.resolver.close()
        await super().close()


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.close()


def request(responder: Responder, secret: str | None = None, attempt: str = "1") -> ResolveRequest:
    return ResolveRequest("mlflow://fraud@champion", responder.url, secret, attempt)


@rule("R26")
async def test_result_is_kept_until_another_request_or_none_is_wanted(
    rig: Rig, responder: Responder
) -> None:
    responder.responds(FOUND)
    rig.resolver.want(KEY, request(responder))
    assert rig.resolver.grace_left(KEY) == 1.0
    assert await rig.result() == ("mlflow://fraud/7", None, "")
    assert rig.resolver.grace_left(KEY) is None
    rig.resolver.want(KEY, request(responder))
    assert rig.resolver.result(KEY)
    assert len(responder.requests) == 1
    rig.resolver.want(KEY, request(responder, attempt="2"))
    assert rig.resolver.result(KEY) is None
    await rig.result()
    assert len(responder.requests) == 2
    rig.resolver.want(KEY, None)
    assert rig.resolver.result(KEY) is None


@rule("R26", "R31")
async def test_server_without_an_answer_is_asked_ever_less_often(
    rig: Rig, responder: Responder
) -> None:
    responder.responds("", 503)
    rig.resolver.want(KEY, request(responder))
    assert (await rig.result())[1] == "SourceUnavailable"
    await asyncio.wait_for(rig.patient.wait(), 10)
    responder.responds(FOUND)
    assert (await rig.result())[0] == "mlflow://fraud/7"
    for waited, longest in zip(rig.waits, (1, 2, 4, 8, 16, 30, 30, 30), strict=False):
        assert longest / 2 <= waited <= longest
    assert rig.resolver.grace_left(KEY) is None


@rule("R26")
async def test_decision_waits_for_a_first_result_for_a_second_at_most(
    rig: Rig, responder: Responder
) -> None:
    responder.handler = responder.hang
    rig.resolver.want(KEY, request(responder))
    rig.now = 0.75
    assert rig.resolver.grace_left(KEY) == 0.25
    rig.now = 1.0
    assert rig.resolver.grace_left(KEY) is None


@rule("R26")
@pytest.mark.parametrize(
    ("secret", "sent"),
    [
        ({"MLFLOW_TRACKING_TOKEN": b"t\n"}, "Bearer t"),
        (
            {"MLFLOW_TRACKING_USERNAME": b"u", "MLFLOW_TRACKING_PASSWORD": b"p"},
            f"Basic {base64.b64encode(b'u:p').decode()}",
        ),
        ({"AWS_ACCESS_KEY_ID": b"only the store"}, None),
    ],
)
async def test_credentials_are_those_of_the_fetcher(
    rig: Rig, responder: Responder, secret: dict[str, bytes], sent: str | None
) -> None:
    responder.responds(FOUND)
    rig.secrets.stored["mlflow-read"] = secret
    rig.resolver.want(KEY, request(responder, "mlflow-read"))
    assert (await rig.result())[0] == "mlflow://fraud/7"
    assert responder.headers[0].get("Authorization") == sent


@rule("R26")
@pytest.mark.parametrize(
    ("uri", "secret", "sent"),
    [
        ("hf://o/m@main", {"HF_TOKEN": b"hf_t\n"}, "Bearer hf_t"),
        ("hf://o/m@main", None, None),
        ("oci://r/m:1", {"username": b"u", "password": b"p"}, BASIC),
        ("oci://r/m:1", {".dockerconfigjson": DOCKER}, BASIC),
        ("oci://r/m:1", None, None),
    ],
)
async def test_hub_and_registry_get_the_credentials_of_the_fetcher(
    rig: Rig, responder: Responder, uri: str, secret: dict[str, bytes] | None, sent: str | None
) -> None:
    """The platform's own token is for the platform's hub, not for that of a model."""
    rig.registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=PLATFORM)
    commit, digest = "c" * 40, f"sha256:{'d' * 64}"

    async def answer(request: server.Request) -> server.Response:
        if uri.startswith("oci") and sent and "Authorization" not in request.headers:
            return server.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return server.json_response({"sha": commit}, headers={"Docker-Content-Digest": digest})

    responder.handler = answer
    if secret:
        rig.secrets.stored["read"] = secret
    wanted = ResolveRequest(uri, responder.url, "read" if secret else None, "1")
    found = await rig.registries.resolve(KEY, wanted)
    assert found.uri == (f"hf://o/m@{commit}" if "hf" in uri else f"oci://r/m@{digest}")
    assert responder.headers[-1].get("Authorization") == sent


@rule("R26")
@pytest.mark.parametrize(
    ("uri", "secret", "words"),
    [
        ("hf://o/m", {"AWS_ACCESS_KEY_ID": b"x"}, "none of the keys that hf:// reads: HF_TOKEN"),
        ("oci://r/m", {"username": b"u"}, "username, password, .dockerconfigjson"),
        ("oci://r/m", {".dockerconfigjson": b"[]"}, "not a JSON object"),
        ("oci://r/m", {".dockerconfigjson": b"{}"}, "knows none, but not r"),
        ("oci://other/m", {".dockerconfigjson": DOCKER}, "knows https://r/v1/, but not other"),
        ("oci://r/m", {".dockerconfigjson": b"{" * (256 << 10)}, "larger than 256 KiB"),
    ],
)
async def test_secret_without_credentials_for_the_scheme_is_refused(
    rig: Rig, responder: Responder, uri: str, secret: dict[str, bytes], words: str
) -> None:
    rig.secrets.stored["read"] = secret
    found = await rig.registries.resolve(KEY, ResolveRequest(uri, responder.url, "read", "1"))
    assert (found.uri, found.reason) == (None, "SourceAccessDenied")
    assert found.message.startswith("Secret/read: ")
    assert words in found.message
    assert not responder.requests


@rule("R26", "R31")
@pytest.mark.parametrize("uri", ["hf://o/m", "oci://169.254.169.254/m:1", "oci://127.0.0.1:1/m"])
async def test_address_that_a_model_names_is_checked(rig: Rig, uri: str) -> None:
    guarded = SharedResources(HttpClient())
    registries = Registries(rig.api, guarded.of, rig.timing.clock)
    endpoint = "http://169.254.169.254" if uri.startswith("hf") else ""
    found = await registries.resolve(KEY, ResolveRequest(uri, endpoint, None, "1"))
    await guarded.close()
    assert found.reason == "SourceUnavailable"
    assert "is not an address that the operator connects to" in found.message


@rule("R26")
@pytest.mark.parametrize(
    "secret", [None, {"MLFLOW_TRACKING_TOKEN": b"\xff"}, {"ca.crt": b"no certificate"}]
)
async def test_secret_that_cannot_be_used_is_named_and_nothing_is_sent(
    rig: Rig, responder: Responder, secret: dict[str, bytes] | None
) -> None:
    if secret:
        rig.secrets.stored["mlflow-read"] = secret
    rig.resolver.want(KEY, request(responder, "mlflow-read"))
    uri, reason, message = await rig.result()
    assert (uri, reason) == (None, "SourceAccessDenied")
    assert message.startswith("Secret/mlflow-read: ")
    assert not responder.requests


@rule("R26", "R31")
async def test_refusal_drops_the_credentials_but_not_the_authority(
    rig: Rig, responder: Responder, tmp_path: Path
) -> None:
    loads: list[bool] = []

    def load(certificates: str, system: bool) -> ssl.SSLContext:
        loads.append(system)
        return trusting(certificates, system)

    authority = Authority(tmp_path)
    authority.make()
    ca = authority.certificate.read_bytes()
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, Authorities(load=load))
    wanted = request(responder, "mlflow-read")
    for token in (b"old", b"new"):
        responder.responds(FOUND, 401 if token == b"old" else 200)
        rig.secrets.stored["mlflow-read"] = {"MLFLOW_TRACKING_TOKEN": token, "ca.crt": ca}
        for key in ("fraud", "spam"):
            await registries.resolve(("a", key), wanted)
    sent = [headers["Authorization"] for headers in responder.headers]
    assert sent == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]
    assert loads == [True]
