"""The liveness probe of the whole process: each part that can be stuck is stuck in turn.

tests/unit/engine/test_liveness.py has the parts of the engine: watches, workers, the queue.
"""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from yarl import URL

from canarium.config import Config
from canarium.engine.engine import Engine
from canarium.host.app import Application
from canarium.host.kopf_watch import Insights, KopfWatch
from canarium.kube.clock import Timing
from canarium.kube.identity import Identity
from canarium.kube.lease import Lease
from canarium.kube.trust import Trust
from canarium.telemetry.probes import serve_probes
from idle import Clock, Silent


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Hosted:
    """The operator's part in a process whose API server never answers; kopf is played."""

    def __init__(self, clock: Clock) -> None:
        silent: Any = Silent()
        timing = Timing(clock=clock)
        self.application = Application(Config(lease_namespace="ns"))
        self.application.engine = Engine(silent, timing=timing)
        self.application.watching = KopfWatch(
            silent, self.application.engine, Insights(), timing=timing
        )
        self.lease = Lease(silent, "ns", "canarium", Identity("me"), timing=timing)
        self.reflectors: list[Any] = []
        informers: Any = SimpleNamespace(
            namespaces={"risk"}, ended=list, reflectors=lambda: self.reflectors
        )
        self.application.engine.informers = informers

    async def kopf_asks(self, query: str = "") -> None:
        url = f"https://api/apis/canarium.dev/v1alpha1/namespaces/risk/modeldeployments{query}"
        params: Any = SimpleNamespace(url=URL(url))
        session: Any = None
        for notify in self.application.watching.trace().on_request_start:
            await notify(session, SimpleNamespace(), params)

    def stuck(self) -> list[str]:
        return self.application.stuck()


@pytest.fixture
async def hosted(clock: Clock) -> Hosted:
    return Hosted(clock)


def watcher() -> asyncio.Task[Any]:
    """kopf's task, as it names it."""
    name = "watcher for modeldeployments.v1alpha1.canarium.dev@risk"
    return asyncio.create_task(asyncio.Event().wait(), name=name)


async def ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_polling_watcher_of_kopf_is_healthy(hosted: Hosted, clock: Clock) -> None:
    task = watcher()
    for _ in range(5):
        clock.now += 290
        await hosted.kopf_asks()
        await hosted.kopf_asks("?watch=true")
        assert hosted.stuck() == []
    await ended(task)


async def test_watcher_of_kopf_that_never_begins_is_named(hosted: Hosted, clock: Clock) -> None:
    clock.now += 409
    assert hosted.stuck() == []
    clock.now += 2
    assert hosted.stuck() == ["the watch of modeldeployments in risk has been silent for 411 s"]


async def test_watcher_of_kopf_that_hangs_is_named(hosted: Hosted, clock: Clock) -> None:
    task = watcher()
    await hosted.kopf_asks()
    await hosted.kopf_asks("?watch=true")
    clock.now += 411
    assert hosted.stuck() == ["the watch of modeldeployments in risk has been silent for 411 s"]
    await ended(task)


async def test_watcher_of_kopf_that_has_ended_is_named_at_once(hosted: Hosted) -> None:
    task = watcher()
    await hosted.kopf_asks()
    await hosted.kopf_asks("?watch=true")
    assert hosted.stuck() == []
    await ended(task)
    assert hosted.stuck() == ["the watch of modeldeployments in risk has ended"]


async def test_api_server_whose_certificate_is_refused_for_long_is_named(
    hosted: Hosted, clock: Clock
) -> None:  # G3
    configuration: Any = SimpleNamespace(
        ssl_ca_cert=None, ca_cert_data=None, cert_file=None, verify_ssl=True, proxy=None,
        proxy_headers=None, retries=None, connection_pool_maxsize=1,
        disable_strict_ssl_verification=False,
    )  # fmt: skip
    task = watcher()
    trust = hosted.application._trust = Trust(configuration, clock)
    trust.refused()
    for _ in range(2):
        clock.now += 90
        await hosted.kopf_asks()
        await hosted.kopf_asks("?watch=true")
        assert hosted.stuck() == []
    clock.now += 1
    (complaint,) = hosted.stuck()
    assert complaint.startswith("the API server's certificate has not been trusted for 181 s")
    trust.accepted()
    assert hosted.stuck() == []
    await ended(task)


async def test_informer_that_hangs_is_named(hosted: Hosted) -> None:
    class Pods:
        def age(self) -> float:
            return 181.0

        def __str__(self) -> str:
            return "watch of pods in risk"

    hosted.reflectors.append(Pods())
    assert hosted.stuck() == ["the watch of pods in risk has been silent for 181 s"]


async def test_lease_renewer_that_hangs_is_named(hosted: Hosted, clock: Clock) -> None:
    hosted.application._lease = hosted.lease
    attempt = asyncio.create_task(hosted.lease.acquire())
    await asyncio.sleep(0)
    await hosted.kopf_asks()
    clock.now += 31
    assert hosted.stuck() == [], "a standby waits for as long as it takes"
    hosted.application._leading = True
    assert hosted.stuck() == ["the Lease has not been renewed for 31 s"]
    await ended(attempt)


async def test_task_of_the_process_that_has_ended_is_named(hosted: Hosted) -> None:
    async def fails() -> None:
        raise RuntimeError

    hosted.application._spawn("comparison of models", fails())
    await asyncio.sleep(0)
    assert hosted.stuck() == ["the comparison of models has ended"]
    (task,) = hosted.application._tasks.values()
    assert isinstance(task.exception(), RuntimeError)


@pytest.fixture
def probe() -> Iterator[tuple[asyncio.AbstractEventLoop, int]]:
    """A process's event loop in a separate thread, and the port of its probe."""
    loop, ports = asyncio.new_event_loop(), []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serve_probes("127.0.0.1", 0, alive=list, ready=list) as port:
            ports.append(port)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield loop, ports[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def asked(port: int, seconds: float) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=seconds) as answer:
        return int(answer.status)


def test_event_loop_that_is_stuck_answers_no_probe(
    probe: tuple[asyncio.AbstractEventLoop, int],
) -> None:
    loop, port = probe
    assert asked(port, 10) == 200
    released = threading.Event()
    loop.call_soon_threadsafe(released.wait)
    try:
        with pytest.raises((TimeoutError, urllib.error.URLError)):
            asked(port, 0.5)
    finally:
        released.set()
    assert asked(port, 10) == 200
