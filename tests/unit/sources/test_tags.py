"""How the tags of a version are written, and what is reported until they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.web import Response

from canarium.api.states import RegistryState
from canarium.core.facts.write_back import TagRequest, TagResult
from canarium.sources.tags import LONGEST, TagWriter
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule
TAG = "canarium.dev/prod-eu.a.fraud"


class Rig(SourceRig):
    """A writer, and the results of which it woke its model."""

    most_waits = 9

    def __init__(self, cluster: str = "prod-eu") -> None:
        super().__init__()
        self.writer = TagWriter(self.registries, self.wake, cluster, self.timing)

    async def result(self) -> TagResult:
        """The next result."""
        await self.until_woken()
        result = self.writer.result(KEY)
        assert result
        return result

    async def close(self) -> None:
        await self.writer.close()
        await super().close()


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.close()


def request(responder: Responder, secret: str | None = None) -> TagRequest:
    text = "ServerExited: exit code 1 (revision one)"
    state = RegistryState.ROLLED_BACK
    return TagRequest("one", "mlflow://fraud%20v2/7", responder.url, secret, state, text)


def sent(responder: Responder) -> list[tuple[str, str, Any]]:
    return [(method, path, json.loads(body)) for method, path, body in responder.requests]


@rule("R26")
async def test_reason_is_written_before_the_state(rig: Rig, responder: Responder) -> None:
    responder.responds("{}")
    rig.secrets.stored["writer"] = {"MLFLOW_TRACKING_TOKEN": b"a-token"}
    wanted = request(responder, "writer")
    rig.writer.want(KEY, wanted)
    assert await rig.result() == TagResult(wanted)
    version, path = {"name": "fraud v2", "version": "7"}, "/api/2.0/mlflow/model-versions/set-tag"
    assert sent(responder) == [
        ("POST", path, {**version, "key": f"{TAG}/reason", "value": wanted.text}),
        ("POST", path, {**version, "key": TAG, "value": "RolledBack"}),
    ]
    assert {headers["Authorization"] for headers in responder.headers} == {"Bearer a-token"}
    rig.writer.want(KEY, wanted)
    await asyncio.sleep(0.05)
    assert len(responder.requests) == 2


@rule("R26", "R31")
async def test_tag_that_is_refused_is_tried_ever_less_often_until_it_is_written(
    rig: Rig, responder: Responder
) -> None:
    responder.responds("", 503)
    wanted = request(responder)
    rig.writer.want(KEY, wanted)
    result = await rig.result()
    assert result.reason == "SourceUnavailable"
    assert TAG in result.message
    assert "HTTP 503" in result.message
    await asyncio.wait_for(rig.patient.wait(), 10)
    responder.responds("{}")
    while result.reason:
        result = await rig.result()
    assert result == TagResult(wanted)
    for waited, longest in zip(rig.waits, (5, 10, 20, 40, 80, 160, 300, 300, 300), strict=False):
        assert longest / 2 <= waited <= longest


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, '{"message": "a-token may not write"}', "SourceAccessDenied"),
        (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "a-token"}', "SourceNotFound"),
        (500, "x" * (1 << 20), "SourceUnavailable"),
    ],
)
async def test_refusal_has_a_reason_and_no_secret(
    rig: Rig, responder: Responder, status: int, body: str, reason: str
) -> None:
    responder.responds(body, status)
    rig.secrets.stored["writer"] = {"MLFLOW_TRACKING_TOKEN": b"a-token"}
    rig.writer.want(KEY, request(responder, "writer"))
    result = await rig.result()
    assert result.reason == reason
    assert "a-token" not in result.message
    assert len(result.message) < 500


async def test_replaced_secret_is_read_again(rig: Rig, responder: Responder) -> None:
    async def guarded(asked: Any) -> Response:
        allowed = asked.headers.get("Authorization") == "Bearer new"
        if not allowed:
            rig.secrets.stored["writer"] = {"MLFLOW_TRACKING_TOKEN": b"new"}
        return Response(status=200 if allowed else 403, text="{}")

    responder.handler = guarded
    rig.secrets.stored["writer"] = {"MLFLOW_TRACKING_TOKEN": b"old"}
    rig.writer.want(KEY, request(responder, "writer"))
    result = await rig.result()
    while result.reason:
        result = await rig.result()


async def test_missing_secret_is_named(rig: Rig, responder: Responder) -> None:
    rig.secrets.stored["other"] = {}
    rig.writer.want(KEY, request(responder, "writer"))
    result = await rig.result()
    assert result.reason == "SourceAccessDenied"
    assert "Secret/writer" in result.message
    assert responder.requests == []


async def test_cluster_without_a_name_writes_nothing_and_reports_it(responder: Responder) -> None:
    rig = Rig(cluster="")
    try:
        rig.writer.want(KEY, request(responder))
        result = await rig.result()
        assert result.reason == "ClusterNameMissing"
        assert "clusterName" in result.message
        assert (responder.requests, rig.waits) == ([], [])
    finally:
        await rig.close()


@rule("R31")
async def test_reason_is_one_short_line(rig: Rig, responder: Responder) -> None:
    responder.responds("{}")
    rig.writer.want(KEY, replace(request(responder), text="exit\n\x1b\u202e" * 1000))
    await rig.result()
    value = sent(responder)[0][2]["value"]
    assert len(value) <= LONGEST
    assert value.isprintable()
