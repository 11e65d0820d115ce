"""G2, I11: a lost connection is not evidence about a version, for every cause.

The packet filters are real ones, in a network namespace of the test's own: what a NetworkPolicy
does (drop or reject), and what a mesh that demands mutual TLS does (accept, then close).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
from typing import Any

import pytest
from aiohttp import web as server

from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.core.evidence.measures import Missing
from canarium.signals import smoke
from canarium.signals.access import NamespaceAccess, SharedResources
from canarium.signals.http_client import HttpClient
from canarium.signals.replay import ReplayComparison, compare
from canarium.signals.smoke import Failed, Target, Unreached
from signals import netns
from signals.conftest import Responder, smoke_test

POD = "10.99.0.1"
HTTP = smoke_test({"path": "/predict", "body": {"a": 1}, "timeout": "500ms"})
#: What the packet filter does to the ports of a pod, HTTP and the next one for gRPC.
POLICIES = {
    8000: ("none", "accept"),
    8010: ("drop", "drop"),
    8020: ("reset", "reject with tcp reset"),
    8030: ("reject", "reject"),
    8040: ("prohibited", "reject with icmpx admin-prohibited"),
}


async def outcome(test: EffectiveSmokeTest, port: int = 8000, address: str = POD) -> list[str]:
    """What one test of one pod gives: the class, and how the connection was lost."""
    shared = SharedResources(HttpClient())
    try:
        found = await smoke.run(
            shared.of("risk"), [test], [Target("pod-a", address, port)], bodies={},
            predict_path=None,
        )  # fmt: skip
    finally:
        await shared.close()
    if isinstance(found, Unreached):
        return ["Unreached", found.loss.value]
    return [type(found).__name__] if found else ["passed"]


def filter_packets() -> None:
    """Installs the rules of all policies."""
    lines = [f"tcp dport {{ {port}, {port + 1} }} {rule}" for port, (_, rule) in POLICIES.items()]
    chain = "\n".join(("type filter hook input priority 0;", *lines))
    script = f"flush ruleset\ntable inet filtering {{\nchain input {{\n{chain}\n}}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


async def filtered() -> dict[str, Any]:
    """Runs in the namespace: the outcome of HTTP and gRPC under each kind of policy, at once."""

    async def answer(request: server.BaseRequest) -> server.Response:
        return server.Response(text="{}")

    runner = server.ServerRunner(server.Server(answer))
    await runner.setup()
    for port in POLICIES:
        await server.TCPSite(runner, POD, port).start()
    filter_packets()
    outcomes = {"no route": outcome(HTTP, address="203.0.113.7")}
    for port, (name, rule) in POLICIES.items():
        outcomes[name] = outcome(HTTP, port)
        if rule != "accept":
            grpc = smoke_test({"grpc": {"port": port + 1}, "timeout": "500ms"})
            outcomes[f"{name} gRPC"] = outcome(grpc, port)
    results = await asyncio.gather(*outcomes.values())
    await runner.cleanup()
    return dict(zip(outcomes, results, strict=True))


@pytest.mark.slow
@pytest.mark.rule("R7")
def test_network_policy_against_the_operator_does_not_fail_the_version() -> None:  # G2
    assert netns.run("signals.test_unreachable", "filtered") == {
        "none": ["passed"],
        "drop": ["Unreached", "ConnectionTimedOut"],
        "drop gRPC": ["Unreached", "ConnectionTimedOut"],
        "reset": ["Unreached", "ConnectionRefused"],
        "reset gRPC": ["Unreached", "ConnectionRefused"],
        "reject": ["Unreached", "ConnectionRefused"],
        "reject gRPC": ["Unreached", "ConnectionRefused"],
        "prohibited": ["Unreached", "NoRouteToHost"],
        "prohibited gRPC": ["Unreached", "NoRouteToHost"],
        "no route": ["Unreached", "NoRouteToHost"],
    }


class Mesh:
    """A proxy before the pod: it accepts `times` connections only to end them, then lets through.

    `speak` is what it sends before it does.
    """

    def __init__(self, times: int, *, reset: bool, speak: bytes = b"") -> None:
        self.times, self.reset, self.speak = times, reset, speak
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if self.connections > self.times:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        elif self.speak:
            writer.write(self.speak)
        if self.reset and self.connections <= self.times:
            await writer.drain()
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


async def through(mesh: Mesh, pod: NamespaceAccess) -> Failed | Unreached | None:
    made = await asyncio.start_server(mesh.serve, "127.0.0.1", 0)
    try:
        port = made.sockets[0].getsockname()[1]
        target = Target("pod-a", "127.0.0.1", port)
        return await smoke.run(pod, [HTTP], [target], bodies={}, predict_path=None)
    finally:
        made.close()


@pytest.mark.rule("R7")
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_single_lost_connection_is_tried_again_for_post_too(
    web: NamespaceAccess, reset: bool
) -> None:
    mesh = Mesh(1, reset=reset)  # I11
    assert await through(mesh, web) is None
    assert mesh.connections == 2


@pytest.mark.rule("R7")
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_mesh_that_ends_every_connection_is_unreachable(
    web: NamespaceAccess, reset: bool
) -> None:
    found = await through(Mesh(100, reset=reset), web)  # G2
    assert isinstance(found, Unreached)
    assert (found.pod, found.loss.value) == ("pod-a", "ConnectionReset")


@pytest.mark.rule("R7")
async def test_interrupted_response_fails_the_version(web: NamespaceAccess) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    found = await through(Mesh(100, reset=False, speak=begun), web)
    assert isinstance(found, Failed)
    assert found.message == "the answer broke off"


@pytest.mark.rule("R7")
async def test_pod_that_accepts_and_never_answers_fails_the_version(web: NamespaceAccess) -> None:
    silent = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    made = await asyncio.start_server(wait, "127.0.0.1", 0)
    target = Target("pod-a", "127.0.0.1", made.sockets[0].getsockname()[1])
    test = smoke_test({"path": "/predict", "timeout": "200ms"})
    found = await smoke.run(web, [test], [target], bodies={}, predict_path=None)
    silent.set()
    made.close()
    assert isinstance(found, Failed)
    assert found.message == "no answer within 0.2s"


@pytest.mark.rule("R7")
async def test_wrong_answer_of_one_pod_outweighs_a_lost_connection_to_another(
    web: NamespaceAccess,
) -> None:
    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    made = await asyncio.start_server(wrong, "127.0.0.1", 0)
    port = made.sockets[0].getsockname()[1]
    targets = [Target("pod-a", "127.0.0.1", 1), Target("pod-b", "127.0.0.1", port)]
    found = await smoke.run(web, [HTTP], targets, bodies={}, predict_path=None)
    made.close()
    assert isinstance(found, Failed)
    assert found.pod == "pod-b"


async def test_recorded_request_whose_connection_is_lost_is_not_a_difference(
    web: NamespaceAccess, responder: Responder
) -> None:  # I11
    responder.responds('{"score": 1}')
    how = ReplayComparison(
        "/predict", "/predict", json_path="$.score", tolerance=0.0, patience=10.0
    )
    good = Target("s", "127.0.0.1", responder.port)
    for candidate, stable in ((Target("c", "127.0.0.1", 1), good), (good, Target("s", "::1", 1))):
        found = await compare(web, how, [b"{}", b"{}"], candidate, stable)
        assert isinstance(found, Missing)
        assert (found.reason, found.error) == ("PodsUnreachable", False)
