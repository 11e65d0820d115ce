"""Web gates with a real API server, the operator's process and a system that decides (R27)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from http_server import HttpServer
from integration import rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
STEPS = [{"weight": 25, "pause": "500ms"}, {"weight": 50, "pause": "500ms"}]


@dataclass
class System:
    """A system that decides, and that can be pending, slow, down or broken."""

    status: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    requests: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = HttpServer(self._handle)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if request.path != "/decide":
            return web.Response(status=404)
        self.requests.append((json.loads(await request.text()), dict(request.headers)))
        status, body = self.status, self.body
        await asyncio.sleep(self.delay)
        return web.json_response(body, status=status)

    def gate(self, **more: Any) -> dict[str, Any]:
        settings = {"url": f"{self.server.url}/decide", "interval": "1s"}
        web_gate = {**settings, **more.pop("web", {})}
        return {"name": "risk", "before": "Weight", "weight": 50, "web": web_gate, **more}


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    flags = ("--allow-address", "127.0.0.0/8", "--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, plane.folder.parent / "operator-web-gates.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@pytest_asyncio.fixture
async def system() -> AsyncIterator[System]:
    system = System()
    async with system.server:
        yield system


def gates(status: dict[str, Any]) -> dict[str, Any]:
    found = status.get("gates") or [{}]
    first: dict[str, Any] = found[0]
    return first


async def rolling(cluster: Cluster, *gates: dict[str, Any]) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout={"steps": STEPS, "bakeTime": "1s", "gates": list(gates)})


@rule("R27")
async def test_rollout_waits_while_the_answer_is_pending_and_passes_with_its_evidence(
    cluster: Cluster, system: System
) -> None:
    cluster.plane.kubectl(
        "-n", cluster.namespace, "create", "secret", "generic", "risk", "--from-literal=token=abcde"
    )
    system.status = 202
    condition = {"path": "$.approved", "value": True}
    secret = {"secretName": "risk"}
    await rolling(cluster, system.gate(web={"condition": condition, "authentication": secret}))
    status = await cluster.until(lambda s: "decision is pending" in s["message"])
    assert (status["weight"], status["waitingFor"]["reason"]) == (25, "WaitingForGate")
    asked = len(system.requests)
    system.status, system.body = 200, {"approved": True, "message": "psi 0.02"}
    await cluster.phase("Ready", "2")
    assert len(system.requests) > asked >= 1
    risk = gates((await cluster.model())["status"])
    assert (risk["state"], risk["message"]) == ("Passed", "psi 0.02")
    body, headers = system.requests[-1]
    model = await cluster.model()
    assert body["model"] == "fraud"
    assert body["namespace"] == cluster.namespace
    assert (body["version"], body["weight"], body["currentWeight"]) == ("2", 50, 25)
    assert body["stable"]["version"] == "1"
    assert headers["Authorization"] == "Bearer abcde"
    key = f"{model['metadata']['uid']}/{body['revision']}/risk"
    assert {sent["Idempotency-Key"] for _, sent in system.requests} == {key}
    assert "WaitingForGate" in await cluster.event_reasons("GatePassed")


@rule("R8", "R27")
async def test_negative_answer_rolls_back_at_once(cluster: Cluster, system: System) -> None:
    system.body = {"status": "rejected", "message": "bias in age groups"}
    await rolling(cluster, system.gate())
    status = await cluster.phase("RolledBack", "1")
    assert status["failure"]["reason"] == "GateRejected"
    url = system.server.url
    assert status["failure"]["message"] == (f"gate risk was rejected by {url}: bias in age groups")
    asked = len(system.requests)
    cluster.apply("2", rollout={"steps": STEPS, "bakeTime": "1s", "gates": [system.gate()]})
    await asyncio.sleep(1.0)
    assert len(system.requests) == asked, "a quarantined version is not asked about again"


@rule("R17", "R27")
async def test_system_that_is_down_slow_or_broken_delays_the_rollout_and_nothing_else(
    cluster: Cluster, system: System
) -> None:
    gate = system.gate(web={"timeout": "500ms"})
    await system.server.stop()
    await rolling(cluster, gate)
    status = await cluster.until(lambda s: "connection was refused" in s["message"])
    assert (status["weight"], status["waitingFor"]["reason"]) == (25, "GateUnavailable")
    ready = next(c for c in status["conditions"] if c["type"] == "GatesReady")
    assert (ready["status"], ready["reason"]) == ("False", "Unreachable")
    assert ready["message"].startswith("spec.rollout.gates[risk].web: ")
    assert "Unreachable" in await cluster.event_reasons("Unreachable")
    system.status = 500
    await system.server.start()
    await cluster.until(lambda s: "status 500" in s["message"], 60)
    system.status, system.delay = 200, 2.0
    await cluster.until(lambda s: "no answer within 0.5s" in s["message"], 90)
    # Another model of the namespace is not delayed by it.
    began = time.monotonic()
    cluster.apply("1", name="other")
    await cluster.until(lambda s: s.get("phase") == "Ready", name="other")
    assert time.monotonic() - began < 15
    system.delay = 0.0
    await cluster.phase("Ready", "2", 90)


@rule("R18", "R27")
async def test_recorded_answer_is_not_asked_for_again_after_a_restart(
    cluster: Cluster, system: System
) -> None:
    board = {**system.gate(), "name": "board", "before": "Promotion"}
    board.pop("weight")
    board["web"] = {**board["web"], "url": f"{system.server.url}/missing"}
    await rolling(cluster, system.gate(), board)
    status = await cluster.until(lambda s: "status 404" in s["message"])
    assert (status["weight"], gates(status)["state"]) == (50, "Passed")
    asked = len(system.requests)
    cluster.operator.stop()
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "modeldeployment", "fraud", "--subresource=status",
        "--type=json", "-p", json.dumps([{"op": "replace", "path": "/status", "value": {}}]),
    )  # fmt: skip
    cluster.operator.start()
    await cluster.leading()
    status = await cluster.until(lambda s: gates(s).get("state") == "Passed")
    assert (status["weight"], len(system.requests)) == (50, asked)


@rule("R21", "R27")
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"web": {"url": "risk.example"}}, "gates[0].web.url"),
        ({"web": {"url": "http://[::1"}}, "url must be a valid URL"),
        ({"web": {"url": "https:///decide"}}, "gates[0].web.url"),
        ({"web": {"interval": "10ms"}}, "interval must be at least 1s"),
        ({"web": {"condition": {"path": "ok"}}}, "gates[0].web.condition.path"),
        ({"web": {"method": "GET"}}, "web.method"),
        ({"approval": {}}, "one of approval, web and job"),
    ],
    ids=["scheme", "no-url", "no-host", "interval", "path", "unknown", "two-kinds"],
)
async def test_invalid_web_gates_are_refused_at_apply(
    cluster: Cluster, system: System, change: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        cluster.apply("1", rollout={"steps": STEPS, "gates": [system.gate(**change)]})
    assert refusal in str(failed.value.stderr)
