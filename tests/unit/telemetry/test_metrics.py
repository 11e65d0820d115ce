"""The operator's metrics, as a Prometheus would read them."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from canarium.engine.queue import Urgency, WorkQueue
from canarium.kube import resources
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.operator_state import State
from canarium.telemetry.rolling_max import RollingMax
from http_server import HttpServer


def state(**given: object) -> State:
    facts = {
        "queue_depth": lambda: 3,
        "queue_oldest": lambda: 1.5,
        "oldest_watch": lambda: 0.5,
        "leading": lambda: True,
        "phases": lambda: ["Ready", "Ready", "Pending"],
        **given,
    }
    return State(**facts)  # type: ignore[arg-type]


async def read(port: int) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, which are sorted by name."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()
    return {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


async def test_work_and_state_are_served() -> None:
    metrics = OperatorMetrics()
    metrics.describe(state())
    metrics.dequeued("FAULT", 0.02)
    metrics.reconciled("done", 0.004)
    metrics.ended(("ml", "fraud"), "RolledBack", "CheckFailed", 90.0)
    metrics.commanded("abort", "Accepted")
    metrics.rolled_back(0.03)
    async with serve_metrics(metrics.registry, "127.0.0.1", 0) as port:
        found = await read(port)
    assert found["canarium_rollouts_total", "Promoted"] == 0
    assert found["canarium_queue_depth",] == 3
    assert found["canarium_queue_oldest_seconds",] == 1.5
    assert found["canarium_leader",] == 1
    assert found["canarium_models", "Ready"] == 2
    assert found["canarium_models", "Pending"] == 1
    assert found["canarium_queue_wait_seconds_count", "FAULT"] == 1
    assert found["canarium_reconcile_duration_seconds_sum", "done"] == pytest.approx(0.004)
    assert found["canarium_rollouts_total", "RolledBack"] == 1
    assert found["canarium_rollout_duration_seconds_bucket", "120.0", "RolledBack"] == 1
    assert found["canarium_rollout_duration_seconds_bucket", "60.0", "RolledBack"] == 0
    assert found["canarium_commands_total", "abort", "Accepted"] == 1
    assert found["canarium_rollback_delay_seconds_sum",] == pytest.approx(0.03)
    assert found["process_resident_memory_bytes",] > 1e6


async def test_ended_reconciler_is_an_infinitely_old_watch() -> None:
    def ended() -> float:
        raise RuntimeError("ended")

    metrics = OperatorMetrics()
    metrics.describe(state(oldest_watch=ended))
    async with serve_metrics(metrics.registry, "127.0.0.1", 0) as port:
        assert (await read(port))["canarium_oldest_watch_seconds",] == float("inf")


# G7
async def test_blocked_loop_is_seen_by_every_reader() -> None:
    metrics = OperatorMetrics()
    task = asyncio.create_task(metrics.measure_loop_lag())
    await asyncio.sleep(0.15)
    time.sleep(0.3)  # noqa: ASYNC251 — what is measured
    await asyncio.sleep(0.15)
    task.cancel()
    async with serve_metrics(metrics.registry, "127.0.0.1", 0) as port:
        first = (await read(port))["canarium_event_loop_lag_max_seconds",]
        assert first > 0.15
        assert (await read(port))["canarium_event_loop_lag_max_seconds",] == first


# G7
async def test_no_metric_changes_by_being_read() -> None:
    metrics = OperatorMetrics()
    metrics.describe(state())
    metrics.dequeued("FAULT", 1.0)
    async with serve_metrics(metrics.registry, "127.0.0.1", 0) as port:
        first, second = await read(port), await read(port)
    assert {k: v for k, v in first.items() if not k[0].startswith("process_")} == {
        k: v for k, v in second.items() if not k[0].startswith("process_")
    }


def test_largest_lag_expires_after_the_window() -> None:
    lags = RollingMax(120)
    assert lags.at(0) == 0
    for now, lag in ((0, 0.2), (10, 3.0), (20, 0.5), (100, 1.0)):
        lags.add(now, lag)
    assert [lags.at(now) for now in (100, 129, 131, 219, 221)] == [3.0, 3.0, 1.0, 1.0, 0.0]


class Anonymous:
    """Credentials that change no request."""

    async def middleware(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        return await handler(request)


async def test_requests_of_a_session_are_counted_by_verb_and_resource() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=409)

    metrics = OperatorMetrics()
    async with (
        HttpServer(answer) as server,
        aiohttp.ClientSession(trace_configs=[metrics.trace()]) as session,
    ):
        configuration = SimpleNamespace(host=server.url)
        client = Client(configuration, session, credentials=Anonymous())  # type: ignore[arg-type]
        for request in (
            client.list(resources.PODS, "a"),
            client.get(resources.PODS, "a", "p"),
            client.get(resources.NAMESPACES, None, "a"),
            client.create(resources.DEPLOYMENTS, "a", {}),
            client.apply(resources.SERVICES, "a", "m", {}, force=True),
            client.merge(resources.DEPLOYMENTS, "a", "m", {}, "scale"),
            client.replace(resources.MODELS, "a", "m", {}, "status"),
            client.delete(resources.SERVICES, "a", "m"),
            anext(client.watch(resources.PODS, None)),
        ):
            with pytest.raises(ApiError):
                await request
        await session.get(f"{server.url}/version")
    async with serve_metrics(metrics.registry, "127.0.0.1", 0) as port:
        found = await read(port)
    counted = {tuple(key[2:]) for key in found if key[:2] == ("canarium_api_requests_total", "409")}
    assert counted == {
        ("pods", "list"),
        ("pods", "get"),
        ("namespaces", "get"),
        ("deployments", "create"),
        ("services", "patch"),
        ("deployments/scale", "patch"),
        ("modeldeployments/status", "update"),
        ("services", "delete"),
        ("pods", "watch"),
        ("other", "get"),
    }


def test_queue_reports_the_wait_of_its_oldest_due_key() -> None:
    now = [100.0]
    queue: WorkQueue[str] = WorkQueue(Timing(clock=lambda: now[0]))
    assert queue.oldest() == 0
    queue.add("a", Urgency.RESYNC)
    now[0] += 2
    queue.add("b", Urgency.FAULT)
    queue.add("a", Urgency.FAULT)
    assert queue.oldest() == 2
    assert queue.take() == "b"
    assert queue.take() == "a"
    assert queue.oldest() == 0


def test_background_keys_do_not_count_as_queue_lag() -> None:
    now = [100.0]
    queue: WorkQueue[str] = WorkQueue(Timing(clock=lambda: now[0]))
    queue.add("a", Urgency.IDLE)
    now[0] += 20
    queue.add("b", Urgency.RESYNC)
    now[0] += 2
    assert queue.oldest() == 2


def test_noticed_is_when_the_most_urgent_change_was_added() -> None:
    now = [100.0]
    queue: WorkQueue[str] = WorkQueue(Timing(clock=lambda: now[0]))
    queue.add("a", Urgency.CHANGE)
    now[0] += 5
    queue.add("a", Urgency.FAULT)
    now[0] += 1
    queue.add("a", Urgency.FAULT)
    now[0] += 1
    assert queue.take() == "a"
    assert queue.added_at("a") == 105
    # A change during the work counts from when it was added, not from the end of the work.
    now[0] += 1
    queue.add("a", Urgency.CHANGE)
    now[0] += 10
    queue.done("a")
    now[0] += 1
    assert queue.take() == "a"
    assert queue.added_at("a") == 108
    queue.done("a")
    queue.add_after("a", 3)
    now[0] += 3
    assert queue.take() == "a"
    assert queue.added_at("a") == now[0]
