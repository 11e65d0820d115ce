"""Values of adapters behind the API server: one series of the window, in bounded time and size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.kube.aggregated import AT_ONCE, PER_SECOND, SHARE
from canarium.kube.clock import Timing
from canarium.kube.http import Client
from canarium.kube.limiter import ConcurrencyLimits
from canarium.kube.throttle import Throttle
from canarium.signals.external_metrics import parsed, read
from idle import SleepingClock
from kube.conftest import Configuration
from signals.conftest import Responder

rule = pytest.mark.rule
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
NOW = "2026-01-01T00:00:30Z"


def listed(*values: Any, at: str = NOW) -> str:
    items = [
        {"metricName": "age", "metricLabels": {}, "timestamp": at, "value": value}
        for value in values
    ]
    return json.dumps({"kind": "ExternalMetricValueList", "metadata": {}, "items": items})


@pytest_asyncio.fixture
async def client(responder: Responder) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(Configuration(responder.url), session)


async def asked(
    client: Client, metric: str = "age", namespace: str = "risk", **more: Any
) -> Result:
    settings = {"selector": {}, "patience": 5.0, "start": START, **more}
    return await read(client, asyncio.Semaphore(1), namespace, metric, **settings)


async def test_value_is_read_in_the_namespace_of_the_model(
    client: Client, responder: Responder
) -> None:
    responder.responds(listed("1500m"))
    assert await asked(client, selector={"revision": "ab2", "team": "a"}) == Reading(1.5)
    await asked(client, "custom.googleapis.com|queue age@x:y")
    paths = [path for _, path, _ in responder.requests]
    root = "/apis/external.metrics.k8s.io/v1beta1/namespaces/risk"
    assert paths[0] == f"{root}/age?labelSelector=revision%3Dab2,team%3Da"
    assert paths[1] == f"{root}/custom.googleapis.com%7Cqueue%20age@x:y"


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("0", 0.0), ("12", 12.0), ("-3", -3.0), ("1500m", 1.5), ("250u", 0.00025), ("7n", 7e-9),
        ("2k", 2000.0), ("2Ki", 2048.0), ("1.5M", 1.5e6), ("1Gi", 2.0**30), ("1E", 1e18),
        ("1e3", 1000.0), ("12E-1", 1.2), (".5", 0.5), ("5.", 5.0), (3, 3.0),
    ],
)  # fmt: skip
def test_quantity_of_kubernetes_is_a_number(quantity: Any, value: float) -> None:
    found = parsed(listed(quantity).encode(), START)
    assert isinstance(found, Reading)
    assert found.value == pytest.approx(value)


@rule("R17")
@pytest.mark.parametrize(
    ("content", "reason", "error", "said"),
    [
        (listed(), "NoMatch", False, "no series of the metric matches"),
        ('{"items": null}', "NoMatch", False, "no series of the metric matches"),
        (listed("1", "2"), "InvalidQuery", True, "2 series of the metric match"),
        (listed("1", at="2025-12-31T23:59:30Z"), "NoData", False, "30s older than the window"),
        (listed("1e999"), "NoData", False, "not a finite number"),
        (listed("1", at="yesterday"), "InvalidAnswer", True, "not a list of values"),
        (listed("1").replace(f'"{NOW}"', "null"), "InvalidAnswer", True, "not a list of values"),
        (listed("NaN"), "InvalidAnswer", True, "not a list of values"),
        (listed("1 apple"), "InvalidAnswer", True, "not a list of values"),
        ('{"items": [7]}', "InvalidAnswer", True, "not a list of values"),
        ("[]", "InvalidAnswer", True, "not a list of values"),
        ("<html>", "InvalidAnswer", True, "not a list of values"),
    ],
)
def test_anything_else_is_missing(content: str, reason: str, error: bool, said: str) -> None:
    found = parsed(content.encode(), START)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == (reason, error)
    assert said in found.message


def test_timestamp_of_whole_seconds_may_precede_the_window_by_one() -> None:
    assert parsed(listed("1").encode(), START + 30.9) == Reading(1.0)
    assert isinstance(parsed(listed("1").encode(), START + 31.1), Missing)


@rule("R17", "R29")
@pytest.mark.parametrize(
    ("status", "body", "reason", "said"),
    [
        (404, "404 page not found", "QueryFailed", "404 page not found"),
        (403, json.dumps({"reason": "Forbidden", "message": 'cannot list resource "age"\x1b'}),
         "AccessDenied", 'cannot list resource "age"\\x1b'),
        (503, json.dumps({"message": "the server is currently unable to handle the request"}),
         "QueryFailed", "the server is currently unable to handle the request"),
        (503, "[]", "QueryFailed", "[]"),
        (503, '"down"', "QueryFailed", '"down"'),
        (503, '{"reason": 5, "message": null}', "QueryFailed", "5"),
        (200, "x" * (300 << 10), "QueryFailed", "the answer is longer than 256 KiB"),
    ],
)  # fmt: skip
async def test_api_that_is_absent_or_refuses_is_missing_with_its_words(
    client: Client, responder: Responder, status: int, body: str, reason: str, said: str
) -> None:
    responder.responds(body, status)
    found = await asked(client)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == (reason, True)
    assert found.message == f"external.metrics.k8s.io: {said}"
    assert len(responder.requests) == 1, "an adapter that is away is not asked again at once"


@rule("R31")
async def test_adapter_that_never_answers_delays_only_requests_of_its_namespace(
    client: Client, responder: Responder
) -> None:
    responder.handler = responder.hang
    turn = asyncio.Semaphore(1)
    found = await read(client, turn, "risk", "age", {}, patience=0.2, start=START)
    assert isinstance(found, Missing)
    assert found.message == "external.metrics.k8s.io: no answer within 0.2s"
    assert not turn.locked()


@rule("R31")
async def test_adapter_that_is_away_does_not_reduce_requests_to_the_api_server(
    client: Client, responder: Responder
) -> None:
    limits = ConcurrencyLimits.of(8)
    guarded = client.guarded(Throttle(100, 100), None, limits)
    before = limits.reads.limit

    async def away(_: server.Request) -> server.Response:
        return server.Response(status=503)

    responder.handler = away
    for _ in range(10):
        await asked(guarded)
    assert limits.reads.limit == before


@rule("R31")
async def test_reads_of_all_namespaces_are_limited_at_once_and_in_rate(
    responder: Responder,
) -> None:
    """Time passes only where the limit on the rate sleeps."""
    time = SleepingClock()
    busy: dict[str, int] = {}
    most, most_of_one = 0, 0

    async def adapter(request: server.Request) -> server.Response:
        nonlocal most, most_of_one
        namespace = request.path.split("/")[5]
        busy[namespace] = busy.get(namespace, 0) + 1
        most, most_of_one = max(most, sum(busy.values())), max(most_of_one, *busy.values())
        await asyncio.sleep(0.02)
        busy[namespace] -= 1
        return server.Response(text=listed("1"))

    responder.handler = adapter
    async with aiohttp.ClientSession() as session:
        timing = Timing(clock=time, sleep=time.sleep)
        client = Client(Configuration(responder.url), session, timing=timing)
        clients = (client, client.guarded(Throttle(100, 100), None))
        found = await asyncio.gather(
            *(asked(clients[n % 2], namespace="ab"[n % 2]) for n in range(68))
        )
    assert found == [Reading(1.0)] * 68
    assert (most, most_of_one) == (AT_ONCE, SHARE)
    assert time.now == pytest.approx((68 - AT_ONCE) / PER_SECOND)


@pytest.mark.slow
@rule("R31")
@pytest.mark.parametrize("takes", [0.0, 60.0], ids=["quick", "silent"])
async def test_hostile_namespaces_do_not_delay_the_read_of_another_one(
    client: Client, responder: Responder, takes: float
) -> None:
    """Ten namespaces, each of which asks again at once with 24 requests."""

    async def adapter(request: server.Request) -> server.Response:
        if takes and "/namespaces/evil" in request.path:
            return await responder.hang(request)
        return server.Response(text=listed("1"))

    async def hostile(namespace: str) -> None:
        while True:
            await asked(client, namespace=namespace, patience=max(takes, 1.0))

    responder.handler = adapter
    tasks = [asyncio.create_task(hostile(f"evil-{n}")) for n in range(10) for _ in range(24)]
    try:
        await asyncio.sleep(0.5)
        for _ in range(2):
            began = asyncio.get_running_loop().time()
            assert await asked(client, namespace="good") == Reading(1.0)
            # One request of each other namespace precedes it, at the rate or with a seat that a
            # silent adapter holds for a second.
            assert asyncio.get_running_loop().time() - began < 10 / PER_SECOND + 2.5
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.slow
@rule("R31")
async def test_adapter_that_never_answers_holds_no_seat_for_longer_than_a_second(
    client: Client, responder: Responder
) -> None:
    async def adapter(request: server.Request) -> server.Response:
        if "/slow" in request.path:
            return await responder.hang(request)
        return server.Response(text=listed("1"))

    responder.handler = adapter
    slow = [
        asyncio.create_task(asked(client, "slow", f"n{n // SHARE}", patience=60.0))
        for n in range(AT_ONCE)
    ]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(asked(client), 10.0) == Reading(1.0)
    assert not any(task.done() for task in slow)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
