"""When the lineage of a revision is read, and how often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.web import Response

from canarium.core.facts.training_run import RunRequest
from canarium.sources.lineage import ATTEMPTS, LineageReader
from signals.conftest import Responder
from sources.rig import KEY, SourceRig
from sources.test_training_run import answering, answers

rule = pytest.mark.rule


class Rig(SourceRig):
    """A reader, and the documents of which it woke its model."""

    most_waits = 1

    def __init__(self) -> None:
        super().__init__()
        self.reader = LineageReader(self.registries, self.wake, self.timing)

    async def document(self) -> dict[str, Any]:
        """The next document."""
        await self.until_woken()
        result = self.reader.result(KEY)
        assert result
        found: dict[str, Any] = json.loads(result.document)
        return found

    async def close(self) -> None:
        await self.reader.close()
        await super().close()


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.close()


def request(responder: Responder, revision: str = "one", secret: str | None = None) -> RunRequest:
    return RunRequest(revision, "mlflow://fraud/7", f"{responder.url}/proxy", secret)


async def test_lineage_is_read_once_for_each_revision(rig: Rig, responder: Responder) -> None:
    responder.handler = answering(answers())
    rig.reader.want(KEY, request(responder))
    assert (await rig.document())["runId"] == "f80d"
    rig.reader.want(KEY, request(responder))
    assert len(responder.requests) == 4
    rig.reader.want(KEY, request(responder, "two"))
    assert rig.reader.result(KEY) is None
    assert (await rig.document())["runId"] == "f80d"
    rig.reader.want(KEY, None)
    assert rig.reader.result(KEY) is None
    assert rig.waits == []


@rule("R31")
async def test_server_that_is_away_is_asked_a_few_times_and_the_reason_is_the_result(
    rig: Rig, responder: Responder
) -> None:
    responder.responds("", 503)
    rig.reader.want(KEY, request(responder))
    found = await rig.document()
    assert set(found) == {"unavailable"}
    assert "HTTP 503" in found["unavailable"][0]
    assert len(responder.requests) == ATTEMPTS
    for waited, longest in zip(rig.waits, (5, 10, 20, 40, 80), strict=True):
        assert longest / 2 <= waited <= longest


async def test_secret_that_is_created_later_is_used(rig: Rig, responder: Responder) -> None:
    responder.handler = answering(answers())
    rig.secrets.stored = {"other": {}}
    rig.reader.want(KEY, request(responder, secret="mlflow-read"))
    await asyncio.wait_for(rig.patient.wait(), 10)
    rig.secrets.stored["mlflow-read"] = {"MLFLOW_TRACKING_TOKEN": b"a-token"}
    found = await rig.document()
    assert (found["runId"], "unavailable" in found) == ("f80d", False)
    assert responder.headers[0]["Authorization"] == "Bearer a-token"


@rule("R31")
async def test_endless_answer_ends_an_attempt(
    rig: Rig, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canarium.sources.lineage.PATIENCE", 0.05)
    responder.handler = responder.hang
    rig.reader.want(KEY, request(responder))
    found = await rig.document()
    assert "not complete within" in found["unavailable"][0]
    # On a busy machine, an attempt may end before its request arrives.
    assert len(rig.waits) == ATTEMPTS - 1


async def test_nothing_is_reported_once_it_is_no_longer_wanted(
    rig: Rig, responder: Responder
) -> None:
    asked, over = asyncio.Event(), asyncio.Event()

    async def late(_: Any) -> Any:
        asked.set()
        await over.wait()
        return Response()

    responder.handler = late
    rig.reader.want(KEY, request(responder))
    await asyncio.wait_for(asked.wait(), 10)
    rig.reader.forget(KEY)
    over.set()
    await asyncio.sleep(0.05)
    assert rig.reader.result(KEY) is None
    assert not rig.is_woken
