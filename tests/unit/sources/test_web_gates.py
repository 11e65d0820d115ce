"""How systems of users are asked at gates, and what their answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.gates import WebGate
from canarium.core.facts.gate_answers import AnswerState, GateAnswer, GateRequest
from canarium.signals.authenticator import Authenticator
from canarium.sources.web_gates import GateClient, WebGates
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule
MISSING, PASSED, PENDING, REJECTED = (
    AnswerState.MISSING,
    AnswerState.PASSED,
    AnswerState.PENDING,
    AnswerState.REJECTED,
)


class Rig(SourceRig):
    """Gates that are asked at once, until the last of the waits, which does not end."""

    stops = True

    def __init__(self) -> None:
        super().__init__()
        self.client = GateClient(
            Authenticator(self.api, self.shared.of, self.timing),
            self.shared.of,
            lambda key: "uid-1",
        )
        self.gates = WebGates(self.client.ask, self.wake, self.timing)

    async def until(self, state: AnswerState) -> GateAnswer:
        while True:
            await self.until_woken()
            answers = self.gates.answers(KEY)
            if answers and answers[0].state is state:
                return answers[0]

    async def close(self) -> None:
        await self.gates.close()
        await super().close()


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.close()


def request(responder: Responder, gate: str = "risk", **web: Any) -> GateRequest:
    settings = WebGate.model_validate({"url": f"{responder.url}/decide?token=abcd", **web})
    return GateRequest("abc", gate, settings, (("revision", "abc"), ("weight", 50)))


@rule("R27")
@pytest.mark.parametrize(
    ("status", "body", "condition", "state", "text"),
    [
        (200, "", None, PASSED, "status 200"),
        (204, "", None, PASSED, "status 204"),
        (200, "fine", None, PASSED, "status 200"),
        (200, "<html>Log in</html>", None, PASSED, "status 200"),
        (200, '{"status": "rejected', None, PASSED, "status 200"),
        (201, '{"message": "score 0.93"}', None, PASSED, "score 0.93"),
        (200, '[{"status": "rejected"}]', None, PASSED, "status 200"),
        (202, "", None, PENDING, ""),
        (202, '{"status": "rejected"}', None, PENDING, ""),
        (200, '{"status": "pending"}', None, PENDING, ""),
        (200, '{"status": "rejected", "message": "bias\\n"}', None, REJECTED, "bias\\n"),
        (200, '{"status": "failed"}', None, REJECTED, "status 200"),
        (200, '{"status": " Denied"}', None, REJECTED, "status 200"),
        (200, '{"status": "Pending"}', None, PENDING, ""),
        (200, '{"status": "Approved"}', None, PASSED, "status 200"),
        (200, '{"status": 200}', None, PASSED, "status 200"),
        (200, '{"status": "queued", "ok": true}', {"path": "$.ok", "value": True}, PASSED,
         "status 200"),
        (200, '{"ok": true}', {"path": "$.ok", "value": True}, PASSED, "status 200"),
        (200, '{"ok": 1}', {"path": "$.ok"}, PASSED, "status 200"),
        (200, '{"status": "pending"}', {"path": "$.ok", "value": True}, PENDING, ""),
        (
            200, '{"ok": false, "message": "psi 0.4"}', {"path": "$.ok", "value": True}, REJECTED,
            "$.ok is false, expected true: psi 0.4",
        ),
        (200, "{}", {"path": "$.ok"}, REJECTED, "$.ok matches nothing"),
        (
            200, '{"drift": 0.3}', {"path": "$.drift", "value": 0, "tolerance": "0.2"}, REJECTED,
            "$.drift is 0.3, expected 0 ± 0.2",
        ),
    ],
)  # fmt: skip
async def test_answer_has_the_meaning_of_the_contract(
    rig: Rig,
    responder: Responder,
    status: int,
    body: str,
    condition: dict[str, Any] | None,
    state: AnswerState,
    text: str,
) -> None:
    responder.responds(body, status)
    answer = await rig.client.ask(KEY, request(responder, condition=condition))
    assert (answer.state, answer.text, answer.by) == (state, text, responder.url)


@rule("R17", "R27")
@pytest.mark.parametrize(
    ("status", "body", "condition", "reason", "text"),
    [
        (301, "", None, "QueryFailed", "status 301"),
        (404, '{"status": "rejected"}', None, "QueryFailed", "status 404"),
        (500, "", None, "QueryFailed", "status 500"),
        (403, "", None, "AccessDenied", "a login is missing: authentication.secretName"),
        (200, "yes", {"path": "$.ok"}, "QueryFailed", "the answer is not valid JSON"),
        (200, "", {"path": "$.ok"}, "QueryFailed", "the answer is not valid JSON"),
        (200, "<html>", {"path": "$.ok"}, "QueryFailed", "the answer is not valid JSON"),
        (200, '{"status": "error"}', None, "QueryFailed", "its status is 'error', which is none"),
        (200, '{"status": ""}', None, "QueryFailed", "its status is '', which is none of"),
        (200, "{}", {"path": "$.ok["}, "InvalidQuery", "is not a valid JSON path"),
    ],
)
async def test_anything_else_counts_as_missing(
    rig: Rig,
    responder: Responder,
    status: int,
    body: str,
    condition: dict[str, Any] | None,
    reason: str,
    text: str,
) -> None:
    responder.responds(body, status)
    answer = await rig.client.ask(KEY, request(responder, condition=condition))
    assert (answer.state, answer.reason) == (MISSING, reason)
    assert text in answer.text
    assert "token=abcd" not in answer.text


@rule("R27")
async def test_unreachable_and_refused_addresses_count_as_missing(
    rig: Rig, responder: Responder
) -> None:
    answer = await rig.client.ask(KEY, request(responder, url="http://127.0.0.1:1/"))
    assert (answer.state, answer.reason) == (MISSING, "Unreachable")
    answer = await rig.client.ask(KEY, request(responder, url="http://169.254.169.254/latest"))
    assert (answer.state, answer.reason) == (MISSING, "AddressRefused")


@rule("R27", "R31")
async def test_slow_answer_counts_as_missing_after_the_timeout_of_the_request(
    rig: Rig, responder: Responder
) -> None:
    responder.handler = responder.hang
    answer = await rig.client.ask(KEY, request(responder, timeout="200ms"))
    assert (answer.state, answer.text) == (MISSING, f"{responder.url}: no answer within 0.2s")


@rule("R27")
async def test_request_names_the_model_and_has_the_same_key_each_time(
    rig: Rig, responder: Responder
) -> None:
    for _ in range(2):
        await rig.client.ask(KEY, request(responder))
    sent = [(method, path, json.loads(body)) for method, path, body in responder.requests]
    body = {"namespace": KEY[0], "model": KEY[1], "revision": "abc", "weight": 50}
    assert sent == [("POST", "/decide?token=abcd", body)] * 2
    assert {h["Idempotency-Key"] for h in responder.headers} == {"uid-1/abc/risk"}
    assert {h["Content-Type"] for h in responder.headers} == {"application/json"}


@rule("R27")
async def test_credentials_are_sent_and_never_repeated(rig: Rig, responder: Responder) -> None:
    rig.secrets.stored["risk"] = {"token": b"s3cret-token"}

    async def echo(request: server.Request) -> server.Response:
        return server.json_response({"message": request.headers["Authorization"]})

    responder.handler = echo
    answer = await rig.client.ask(KEY, request(responder, authentication={"secretName": "risk"}))
    assert responder.headers[0]["Authorization"] == "Bearer s3cret-token"
    assert answer.state is PASSED
    assert "s3cret" not in answer.text


@rule("R27")
async def test_missing_secret_is_reported_and_nothing_is_asked(
    rig: Rig, responder: Responder
) -> None:
    answer = await rig.client.ask(KEY, request(responder, authentication={"secretName": "risk"}))
    assert (answer.state, answer.reason) == (MISSING, "InvalidCredentials")
    assert "Secret risk" in answer.text
    assert not responder.requests


@rule("R27", "R31")
async def test_gate_passes_although_its_token_server_once_had_an_answer_of_another_kind(
    rig: Rig, responder: Responder
) -> None:
    """A lifetime of 400 digits is more than any float."""
    rig.secrets.stored["risk"] = {"client-id": b"a", "client-secret": b"b"}
    digits = "9" * 400

    async def answer(request: server.Request) -> server.Response:
        if request.path == "/token":
            text = f'{{"access_token": "abcd", "expires_in": {digits}}}'
            return server.Response(text=text)
        return server.json_response({"status": "passed"})

    responder.handler = answer
    login = {"secretName": "risk", "oauth2": {"tokenUrl": f"{responder.url}/token"}}
    rig.gates.want(KEY, [request(responder, authentication=login)])
    await rig.until(PASSED)


@rule("R27")
async def test_exception_while_credentials_are_obtained_is_a_missing_answer(
    rig: Rig, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def obtain(*_: Any) -> Any:
        raise OverflowError("int too large to convert to float")

    monkeypatch.setattr("canarium.signals.oauth2.obtain", obtain)
    rig.secrets.stored["risk"] = {"client-id": b"a", "client-secret": b"b"}
    login = {"secretName": "risk", "oauth2": {"tokenUrl": f"{responder.url}/token"}}
    answer = await rig.client.ask(KEY, request(responder, authentication=login))
    assert (answer.state, answer.reason) == (MISSING, "QueryFailed")
    assert "OverflowError" in answer.text


@rule("R27")
async def test_pending_answer_is_asked_again_after_the_interval(
    rig: Rig, responder: Responder
) -> None:
    answers = iter(("pending", "pending", "passed"))

    async def deciding(_: server.Request) -> server.Response:
        return server.json_response({"status": next(answers)})

    responder.handler = deciding
    rig.gates.want(KEY, [request(responder, interval="30s")])
    await rig.until(PASSED)
    assert len(rig.waits) == 2
    assert all(15 <= wait <= 30 for wait in rig.waits)


@rule("R27")
async def test_failed_requests_are_repeated_with_a_longer_wait_each(
    rig: Rig, responder: Responder
) -> None:
    responder.responds("", 500)
    rig.gates.want(KEY, [request(responder)])
    await rig.until(MISSING)
    await asyncio.wait_for(rig.patient.wait(), 20)
    longest = zip(rig.waits, (1, 2, 4, 8, 16, 32, 60, 60), strict=True)
    assert all(limit / 2 <= wait <= limit for wait, limit in longest), rig.waits


@rule("R27")
async def test_each_gate_of_a_model_is_asked_on_its_own(rig: Rig, responder: Responder) -> None:
    responder.responds("", 200)
    both = [request(responder), request(responder, "legal")]
    rig.gates.want(KEY, both)
    while len(rig.gates.answers(KEY)) < 2:
        await rig.until_woken()
    rig.gates.want(KEY, both[:1])
    assert [answer.request.gate for answer in rig.gates.answers(KEY)] == ["risk"]
    assert len(responder.requests) == 2, "a result is not asked for again"
    rig.gates.forget(KEY)
    assert rig.gates.answers(KEY) == ()
