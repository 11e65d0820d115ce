"""Credentials of requests: read from the Secret that a model names, and sent as it asks."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.authentication import Authentication
from canarium.api.reasons import CheckReason
from canarium.core.evidence.faulty_object import FaultyObject, ObjectProblem
from canarium.core.evidence.measures import Missing, Reading
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals import json_metric
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.authorities import Authorities, trusting
from canarium.signals.credentials import Unavailable
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import HttpClient
from http_server import HttpServer
from idle import Clock
from sandbox.pki import Authority
from signals.conftest import LOOPBACK, Responder
from signals.secrets_api import Secrets

rule = pytest.mark.rule
CLIENT = {"client-id": b"canarium", "client-secret": b"s3cret/+ of mine\n"}


class Rig:
    """A token server at /token, a server of numbers that takes only its last token, and Secrets."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self.secrets, self.clock = Secrets(), Clock()
        self.shared = SharedResources(HttpClient(LOOPBACK))
        self.timing = Timing(clock=self.clock)
        self.authenticator = Authenticator(cast(Api, self.secrets), self.shared.of, self.timing)
        self.tokens: list[dict[str, list[str]]] = []
        self.logins: list[str] = []
        self.answer: tuple[int, Any] | None = None
        self.revoked = False
        responder.handler = self._handle

    async def _handle(self, request: server.Request) -> server.Response:
        if request.path != "/token":
            sent = request.headers.get("Authorization")
            valid = sent == f"Bearer token-{len(self.tokens)}" and not self.revoked
            return server.json_response({"x": 1.5}, status=200 if valid else 401)
        self.tokens.append(parse_qs(await request.text()))
        self.logins.append(request.headers["Authorization"])
        self.revoked = False
        status, body = self.answer or (200, self.token())
        text = body if isinstance(body, str) else json.dumps(body)
        return server.Response(text=text, status=status)

    def token(self, **fields: Any) -> dict[str, Any]:
        name = f"token-{len(self.tokens)}"
        return {"access_token": name, "token_type": "bearer", "expires_in": 600, **fields}

    def oauth2(self, **fields: Any) -> dict[str, Any]:
        return {
            "secretName": "login",
            "oauth2": {"tokenUrl": f"{self.responder.url}/token", **fields},
        }

    async def endpoint(self, **authentication: Any) -> Endpoint:
        settings = Authentication.model_validate({"secretName": "login", **authentication})
        url = f"{self.responder.url}/numbers"
        return await self.authenticator.endpoint("risk", url, settings, 10.0)

    async def refusal(self, **authentication: Any) -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await self.endpoint(**authentication)
        return caught.value

    async def number(self, endpoint: Endpoint) -> Any:
        return await json_metric.ask(self.shared.of("risk"), endpoint, "$.x")


@pytest_asyncio.fixture
async def rig(responder: Responder) -> AsyncIterator[Rig]:
    made = Rig(responder)
    yield made
    await made.authenticator.close()
    await made.shared.close()


async def test_token_is_obtained_with_the_secret_and_sent_to_the_server(rig: Rig) -> None:
    rig.secrets.stored["login"] = CLIENT
    more = {"scopes": ["metrics.read", "b"], "parameters": {"audience": "x", "grant_type": "no"}}
    endpoint = await rig.endpoint(**rig.oauth2(**more))
    assert await rig.number(endpoint) == Reading(1.5)
    assert rig.tokens == [
        {"grant_type": ["client_credentials"], "scope": ["metrics.read b"], "audience": ["x"]}
    ]
    login = base64.b64decode(rig.logins[0].removeprefix("Basic ")).decode()
    assert login == "canarium:s3cret%2F%2B+of+mine"
    assert "token-1" not in repr(endpoint)


async def test_token_is_kept_for_all_checks_until_it_expires_or_the_secret_changes(
    rig: Rig,
) -> None:
    rig.secrets.stored["login"] = CLIENT
    await asyncio.gather(*(rig.endpoint(**rig.oauth2()) for _ in range(20)))
    assert len(rig.tokens) == 1
    rig.clock.now += 550
    await rig.endpoint(**rig.oauth2())
    assert len(rig.tokens) == 2
    rig.secrets.stored["login"] = {**CLIENT, "client-secret": b"another"}
    await rig.endpoint(**rig.oauth2())
    await rig.endpoint(**rig.oauth2(scopes=["other"]))
    assert len(rig.tokens) == 4


async def test_token_that_the_server_refuses_is_replaced_at_the_next_use(rig: Rig) -> None:
    rig.secrets.stored["login"] = CLIENT
    endpoint = await rig.endpoint(**rig.oauth2())
    rig.revoked = True
    found = await rig.number(endpoint)
    assert isinstance(found, Missing)
    assert found.reason == CheckReason.ACCESS_DENIED
    assert await rig.number(await rig.endpoint(**rig.oauth2())) == Reading(1.5)


@rule("R17", "R21")
@pytest.mark.parametrize(
    ("status", "body", "reason", "said"),
    [
        (401, {"error": "invalid_client", "error_description": "s3cret/+ of mine is wrong\n"},
         "AccessDenied", "status 401: invalid_client: [redacted] is wrong\\n"),
        (400, {"error": "invalid_scope"}, "AccessDenied", "status 400: invalid_scope"),
        (403, "<html>", "AccessDenied", "status 403"),
        (302, "", "QueryFailed", "status 302"),
        (503, "down", "QueryFailed", "status 503"),
        (200, "<html>Log in</html>", "InvalidAnswer", "the answer has no usable access_token"),
        (200, "x" * (100 << 10), "QueryFailed", "the answer is longer than 64 KiB"),
        (200, "[" * 5000, "InvalidAnswer", "the answer has no usable access_token"),
        (200, {"access_token": "a\r\nX-Evil: 1"}, "InvalidAnswer", "no usable access_token"),
        (200, {"access_token": "a" * 20_000}, "InvalidAnswer", "no usable access_token"),
        (200, {"access_token": "a", "token_type": "mac"}, "InvalidAnswer",
         "the token is of type mac, not Bearer"),
    ],
)  # fmt: skip
async def test_answer_without_a_token_is_reported_and_nothing_is_sent(
    rig: Rig, status: int, body: Any, reason: str, said: str
) -> None:
    rig.secrets.stored["login"] = CLIENT
    rig.answer = (status, body)
    refusal = await rig.refusal(**rig.oauth2())
    assert (refusal.reason, said in str(refusal)) == (reason, True), refusal
    assert str(refusal).startswith(f"token server {rig.responder.url}: ")
    assert "s3cret" not in str(refusal)


async def test_secret_that_is_refused_is_sent_once_in_ten_seconds(rig: Rig) -> None:
    rig.secrets.stored["login"] = CLIENT
    rig.answer = (401, {"error": "invalid_client"})
    for _ in range(5):
        await rig.refusal(**rig.oauth2())
    assert len(rig.tokens) == 1
    rig.answer = None
    rig.secrets.stored["login"] = {**CLIENT, "client-secret": b"the right one"}
    assert (await rig.endpoint(**rig.oauth2())).has_credentials


@pytest.mark.parametrize(
    ("lifetime", "kept"),
    [("600", 500), (None, 40), ("soon", 40), (-5, 0), (10**400, 40), (float("nan"), 0)],
    ids=["text", "none", "word", "negative", "400 digits", "not a number"],
)
async def test_lifetime_that_is_text_or_missing_is_accepted(
    rig: Rig, lifetime: Any, kept: float
) -> None:
    rig.secrets.stored["login"] = CLIENT
    rig.answer = (200, {"access_token": "a", "expires_in": lifetime})
    await rig.endpoint(**rig.oauth2())
    rig.clock.now += kept
    await rig.endpoint(**rig.oauth2())
    assert len(rig.tokens) == 1
    rig.clock.now += 60
    await rig.endpoint(**rig.oauth2())
    assert len(rig.tokens) == 2


async def test_token_server_is_subject_to_the_rules_on_addresses(rig: Rig) -> None:
    rig.secrets.stored["login"] = CLIENT
    refusal = await rig.refusal(
        secretName="login", oauth2={"tokenUrl": "http://169.254.169.254/token"}
    )
    assert refusal.reason == CheckReason.ADDRESS_REFUSED
    refusal = await rig.refusal(secretName="login", oauth2={"tokenUrl": "http://127.0.0.1:1/"})
    assert refusal.reason == CheckReason.UNREACHABLE


async def test_authority_of_the_secret_is_trusted_for_the_token_server_too(
    rig: Rig, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    authority.make()
    authority.serving("login", ["127.0.0.1"], ["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.pair("login"))
    async with HttpServer(rig.responder.answer, tls=context) as listening:
        url = f"https://127.0.0.1:{listening.port}/token"
        rig.secrets.stored["login"] = CLIENT
        refusal = await rig.refusal(oauth2={"tokenUrl": url})
        assert refusal.reason == CheckReason.UNTRUSTED_CERTIFICATE
        rig.secrets.stored["login"] = {**CLIENT, "ca.crt": authority.certificate.read_bytes()}
        endpoint = await rig.endpoint(oauth2={"tokenUrl": url})
        endpoint = replace(endpoint, url=f"https://127.0.0.1:{listening.port}/numbers")
        assert await rig.number(endpoint) == Reading(1.5)


@rule("R31")
async def test_trust_of_the_system_is_loaded_off_the_event_loop_and_once_for_an_authority(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[bool] = []
    load = ssl.SSLContext.load_default_certs

    def recorded(context: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        loads.append(threading.current_thread() is threading.main_thread())
        load(context, purpose)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", recorded)
    authority = Authority(tmp_path)
    authority.make()
    ca = authority.certificate.read_bytes()
    rig.secrets.stored["login"] = {**CLIENT, "ca.crt": ca}
    for scope in ("a", "b"):
        await rig.endpoint(**rig.oauth2(scopes=[scope]))
    assert (len(rig.tokens), loads) == (2, [False])


@rule("R31")
async def test_authority_of_a_secret_is_loaded_off_the_event_loop_and_once_for_all_namespaces(
    rig: Rig, tmp_path: Path
) -> None:
    loads: list[bool] = []

    def load(certificates: str, system: bool) -> ssl.SSLContext:
        loads.append(threading.current_thread() is threading.main_thread())
        return trusting(certificates, system)

    rig.authenticator.authorities = Authorities(rig.timing, load)
    authority = Authority(tmp_path)
    authority.make()
    ca = authority.certificate.read_bytes()
    rig.secrets.stored["login"] = {"token": b"a", "ca.crt": ca}
    settings = Authentication.model_validate({"secretName": "login"})
    endpoints = [
        await rig.authenticator.endpoint(namespace, "https://x/", settings, 10.0)
        for namespace in ("risk", "fraud", "risk")
    ]
    assert loads == [False]
    assert len({id(endpoint.tls) for endpoint in endpoints}) == 1, "connections can be shared"


async def test_headers_have_their_values_from_the_secret(rig: Rig) -> None:
    rig.secrets.stored["login"] = {"api": b"k3y-one\n", "app": b"k3y-two"}
    names = [{"name": "DD-API-KEY", "key": "api"}, {"name": "DD-APPLICATION-KEY", "key": "app"}]
    endpoint = await rig.endpoint(headers=names)
    await rig.number(endpoint)
    sent = rig.responder.headers[-1]
    assert (sent["DD-API-KEY"], sent["DD-APPLICATION-KEY"]) == ("k3y-one", "k3y-two")
    assert endpoint.secrets == ("k3y-one", "k3y-two")


@rule("R21")
@pytest.mark.parametrize(
    ("stored", "authentication", "said"),
    [
        (None, {}, "Secret login: not found"),
        ({}, {}, "Secret login: needs token, username and password, or ca.crt"),
        ({"token": b" \n"}, {}, "Secret login: the value of token is empty"),
        ({"token": b"a\r\nX: 1"}, {}, "the value of token is not one line of printable characters"),
        ({"token": b"\xff"}, {}, "Secret login: the value of token is not text"),
        ({"username": b"me"}, {}, "Secret login has no key password"),
        ({"password": b"me"}, {}, "Secret login has no key username"),
        ({"token": b"a", "ca.crt": b"x"}, {}, "Secret login: ca.crt is not a certificate in PEM"),
        ({"token": b"a", "ca.crt": b"x" * 70_000}, {}, "Secret login: ca.crt has more than 64 KiB"),
        ({"client-id": b"a"}, {"oauth2": {"tokenUrl": "http://x"}},
         "Secret login has no key client-secret"),
        ({"client-secret": b"a"}, {"oauth2": {"tokenUrl": "http://x"}},
         "Secret login has no key client-id"),
        ({"AWS_ACCESS_KEY_ID": b"a"}, {"sigV4": {"region": "eu-central-1", "service": "aps"}},
         "Secret login has no key AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": b"a", "AWS_SECRET_ACCESS_KEY": b"b", "AWS_SESSION_TOKEN": b""},
         {"sigV4": {"region": "eu-central-1", "service": "aps"}},
         "Secret login: the value of AWS_SESSION_TOKEN is empty"),
        ({"b": b"a"}, {"headers": [{"name": "X-Key", "key": "a"}]}, "Secret login has no key a"),
    ],
)  # fmt: skip
async def test_key_that_cannot_be_used_is_named(
    rig: Rig, stored: dict[str, bytes] | None, authentication: dict[str, Any], said: str
) -> None:
    if stored is not None:
        rig.secrets.stored["login"] = stored
    refusal = await rig.refusal(**authentication)
    assert refusal.reason == CheckReason.INVALID_CREDENTIALS
    assert said in str(refusal)
    assert refusal.faulty
    assert (refusal.faulty.kind, refusal.faulty.name) == ("Secret", "login")
    assert refusal.faulty.key in said


@rule("R29")
@pytest.mark.parametrize(
    ("stored", "key", "problem"),
    [
        (None, "", ObjectProblem.NOT_FOUND),
        ({}, "", ObjectProblem.MISSING_KEY),
        ({"username": b"me"}, "password", ObjectProblem.MISSING_KEY),
        ({"token": b" "}, "token", ObjectProblem.EMPTY),
        ({"token": b"a\nb"}, "token", ObjectProblem.NOT_ONE_LINE),
        ({"token": b"\xff"}, "token", ObjectProblem.NOT_TEXT),
        ({"token": b"a", "ca.crt": b"x"}, "ca.crt", ObjectProblem.NOT_A_CERTIFICATE),
        ({"token": b"a", "ca.crt": b"x" * 70_000}, "ca.crt", ObjectProblem.TOO_LONG),
    ],
)
async def test_each_fault_of_a_secret_has_a_separate_problem(
    rig: Rig, stored: dict[str, bytes] | None, key: str, problem: ObjectProblem
) -> None:
    if stored is not None:
        rig.secrets.stored["login"] = stored
    refusal = await rig.refusal()
    assert refusal.faulty == FaultyObject("Secret", "login", key, problem)
