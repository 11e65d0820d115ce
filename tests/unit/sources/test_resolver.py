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

from canarium.core.facts.resolution import ResolveRequest
from canarium.signals.authorities import Authorities, trusting
from canarium.sources.registries import Registries
from canarium.sources.resolver import SourceResolver
from sandbox.pki import Authority
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule
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
