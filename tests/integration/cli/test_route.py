"""`infer --route` beside the real definitions of the Gateway API; a test plays the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube import resources
from integration import gateways
from integration.cli.program import Program
from integration.conftest import Cluster
from integration.gateway_models import behind, put
from integration.gateways import Controller


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """What takes requests for the Gateway: its port, and the hosts and paths that it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.headers["Host"], self.path))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


@pytest_asyncio.fixture
async def accepting(cluster: Cluster) -> AsyncIterator[None]:
    """Routes of the namespace are accepted."""
    gateways.install(cluster.plane)
    task = asyncio.create_task(Controller(cluster.client, cluster.namespace).run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_infer_finds_the_gateway_of_the_route(
    cluster: Cluster, program: Program, proxy: tuple[int, list[tuple[str, str]]], accepting: None
) -> None:
    port, asked = proxy
    gateway = gateways.gateway(cluster.namespace)
    gateway["spec"]["listeners"][0]["port"] = port
    put(cluster, gateway)
    traffic = behind(hostnames=["models.example.org"], pathPrefix="/fraud", rewritePrefix="/")
    runtime = {"image": "model:1", "readiness": {"path": "/ready"}, "predictPath": "/predict"}
    cluster.apply("1", traffic=traffic, runtime=runtime)
    revision = (await cluster.phase("Ready", "1"))["stable"]["revision"]

    away = await program.run("infer", "fraud", "--route", "-f", "-", stdin="{}")
    assert away.code == 5, away.err
    assert f"gateway/public (namespace {cluster.namespace}) has no Service with pods" in away.err
    address = [{"type": "IPAddress", "value": "127.0.0.1"}]
    await cluster.client.merge(
        resources.GATEWAYS,
        cluster.namespace,
        "public",
        {"status": {"addresses": address}},
        "status",
    )
    done = await program.run("infer", "fraud", "--route", "-f", "-", "-o", "json", stdin="{}")
    assert done.code == 0, done.err
    assert done.json["sentTo"] == f"http://127.0.0.1:{port} as host models.example.org"
    assert (done.json["revision"], done.json["knownBy"]) == (
        revision,
        "no other revision has traffic",
    )
    assert asked == [("models.example.org", "/fraud/predict")]

    # Who may not read Gateways learns which right is missing.
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "role", "asker", "--verb=get,list"),
        "--resource=modeldeployments.canarium.dev,controllerrevisions.apps,deployments.apps,pods,"
        "services,horizontalpodautoscalers.autoscaling,httproutes.gateway.networking.k8s.io",
    )
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "rolebinding", "asker", "--role=asker"),
        "--user=asker",
    )
    refused = await program.run("infer", "fraud", "--route", "-f", "-", "--as", "asker", stdin="{}")
    assert refused.code == 5
    assert "gateways" in refused.err
    assert json.dumps(asked).count("predict") == 1
