"""A real API server and its controllers, the engine, and model servers that really answer.

Only the node is simulated: pods have addresses that no network leads to, so requests to them are
sent to servers on this machine, one per address. Callers go where the EndpointSlices point.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.engine.engine import Engine
from canarium.kube import resources
from canarium.kube.http import Client
from canarium.signals.addresses import AddressPolicy
from canarium.signals.http_client import HttpClient, Response
from http_server import HttpServer
from integration.kubelet import Kubelet
from sandbox.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
BOUNDS = (0.005, 0.05, 0.25, float("inf"))
_serial = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.api)


class Servers:
    """A model server per pod address; the version in its image selects its behaviour.

    `wrong` answers 200 and nonsense, `slow` takes 100 ms, `flaky` fails every twentieth request.
    """

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.known: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.codes: dict[str, Counter[int]] = {}
        self.took: dict[str, Counter[float]] = {}
        self.port = 0

    async def answer(self, request: server.BaseRequest) -> server.StreamResponse:
        address = request.headers["X-Pod"]
        await self.known[address].wait()
        version = self.versions[address]
        codes = self.codes.setdefault(address, Counter({200: 0, 500: 0}))
        took = self.took.setdefault(address, Counter(dict.fromkeys(BOUNDS, 0)))
        if request.path == "/metrics":
            return server.Response(text=self.metrics(codes, took))
        if request.path == "/predict":
            return server.json_response({"score": 0.1 if version == "wrong" else 0.9})
        began = time.monotonic()
        await asyncio.sleep(0.1 if version == "slow" else 0)
        code = 500 if version == "flaky" and codes.total() % 20 == 19 else 200
        codes[code] += 1
        for bound in BOUNDS:
            took[bound] += time.monotonic() - began <= bound
        return server.Response(text=version, status=code)

    @staticmethod
    def metrics(codes: Counter[int], took: Counter[float]) -> str:
        lines = [f'requests_total{{code="{code}"}} {n}' for code, n in codes.items()]
        for bound, n in took.items():
            text = "+Inf" if bound == float("inf") else str(bound)
            lines.append(f'took_seconds_bucket{{le="{text}"}} {n}')
        return "\n".join(lines) + "\n"


class ByAddress(HttpClient):
    """Sends requests for a pod's address to its server here."""

    def __init__(self, servers: Servers) -> None:
        super().__init__(AddressPolicy.of(("127.0.0.0/8",)))
        self._servers = servers

    async def request(self, method: str, url: str, **more: Any) -> Response:
        address = url.removeprefix("http://").split(":")[0]
        if address.startswith("10.244."):
            path = url.split("/", 3)[3]
            url = f"http://127.0.0.1:{self._servers.port}/{path}"
            more["headers"] = {**(more.get("headers") or {}), "X-Pod": address}
        return await super().request(method, url, **more)


class Stage:
    """Actions and queries of the tests."""

    def __init__(self, plane: ControlPlane, client: Client, servers: Servers, ns: str) -> None:
        self.plane, self.client, self.servers, self.namespace = plane, client, servers, ns
        self.answers: list[tuple[float, str, int]] = []

    def apply(self, version: str, **rollout: Any) -> None:
        runtime = {
            "image": f"model:{version}",
            "readiness": {"path": "/ready"},
            "metrics": {
                "requests": {"names": ["requests_total"]},
                "errors": {"names": ["requests_total"], "labels": {"code": "5.."}},
                "latency": {"name": "took_seconds"},
            },
        }
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "fraud", "namespace": self.namespace},
            "spec": {
                "model": {"version": version},
                "runtime": runtime,
                "scaling": {"replicas": 2},
                "rollout": {
                    "steps": [{"weight": 50, "pause": "2s"}], "bakeTime": "1s", **rollout
                },
            },
        }  # fmt: skip
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    async def until(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 40) -> Any:
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end:
            model = await self.client.get(resources.MODELS, self.namespace, "fraud")
            status = model.get("status", {})
            fresh = status.get("observedGeneration") == model["metadata"]["generation"]
            if fresh and holds(status):
                return status
            await asyncio.sleep(0.05)
        raise AssertionError(f"not seen in {seconds} s: {json.dumps(status, indent=1)}")

    async def phase(self, phase: str, version: str | None = None) -> Any:
        return await self.until(
            lambda s: s.get("phase") == phase and version in (None, s.get("version"))
        )

    async def endpoints(self) -> list[str]:
        slices = (await self.client.list(resources.ENDPOINT_SLICES, self.namespace))["items"]
        return [
            address
            for one in slices
            for endpoint in one.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
            for address in endpoint["addresses"]
        ]

    async def call(self, rate: float = 100.0, most: int = 20_000) -> None:
        """A caller that sends each request to a random endpoint of the Service."""
        chance = random.Random(7)
        async with aiohttp.ClientSession() as session:
            for _ in range(most):
                for address in [chance.choice(known)] if (known := await self.endpoints()) else []:
                    at, url = time.monotonic(), f"http://127.0.0.1:{self.servers.port}/"
                    async with session.get(url, headers={"X-Pod": address}) as response:
                        self.answers.append((at, await response.text(), response.status))
                await asyncio.sleep(1 / rate)

    def versions(self, since: float = 0.0) -> set[str]:
        return {version for at, version, _ in self.answers if at >= since}


async def _tell_pods(client: Client, servers: Servers, namespace: str) -> None:
    """Only of this test: a pod that another test left behind may have the same address."""
    while True:
        for pod in (await client.list(resources.PODS, namespace))["items"]:
            address = pod["status"].get("podIP")
            if address:
                image: str = pod["spec"]["containers"][0]["image"]
                servers.versions[address] = image.removeprefix("model:")
                servers.known[address].set()
        await asyncio.sleep(0.02)


async def _tell_parents(client: Client, engine: Engine) -> None:
    while True:
        for raw in (await client.list(resources.MODELS))["items"]:
            engine.store.parents.observe(raw)
        await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without another operator."""
    plane = ControlPlane(tmp_path_factory.mktemp("analysis"))
    try:
        plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        plane.api.await_definitions()
        yield plane
    finally:
        plane.down()


@pytest_asyncio.fixture
async def stage(own_plane: ControlPlane) -> AsyncIterator[Stage]:
    namespace = f"analysis-{next(_serial)}"
    own_plane.kubectl("create", "namespace", namespace)
    servers = Servers()
    listening = HttpServer(servers.answer)
    await listening.start()
    servers.port = listening.port
    async with Client.connect(str(own_plane.kubeconfig)) as client:
        engine = Engine(client, namespaces=[namespace], web=ByAddress(servers))
        made = Stage(own_plane, client, servers, namespace)
        tasks = [
            asyncio.create_task(work)
            for work in (
                Kubelet(client).run(),
                engine.run(),
                _tell_pods(client, servers, namespace),
                _tell_parents(client, engine),
            )
        ]
        yield made
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    own_plane.kubectl("delete", "namespace", namespace, "--wait=false")
    await listening.stop()
