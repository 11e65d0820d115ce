"""`logs`, `events`, `checks` and `infer` beside a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import socket
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

_BAD = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}


async def test_events_of_the_model_and_its_pods_are_in_order(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1", name="fraud-eu")
    cluster.apply("1")
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    watch = await program.start("events", "fraud", "--watch")
    cluster.apply("2", podTemplate=_BAD)
    failed = (await cluster.phase("RolledBack"))["failure"]["revision"]

    async def lines() -> str:
        assert watch.stdout
        seen = ""
        while f"deployment/fraud-{failed}" not in seen or "RolledBack" not in seen:
            seen += (await watch.stdout.readline()).decode()
        return seen

    try:
        followed = await asyncio.wait_for(lines(), 30)
    finally:
        watch.terminate()
        await watch.wait()
    assert "fraud-eu" not in followed
    listed = (await program.run("events", "fraud", "-o", "json")).json
    assert {"modeldeployment/fraud", f"deployment/fraud-{first}"} <= {x["object"] for x in listed}
    assert not any("fraud-eu" in x["object"] for x in listed)
    times = [x["time"] for x in listed]
    assert [x[:19] for x in times] == sorted(x[:19] for x in times)


async def test_logs_and_checks_report_why_there_are_none(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    checks = await program.run("checks", "fraud")
    assert checks.code == 0
    assert "checks are evaluated while a candidate receives traffic" in checks.err
    candidate = await program.run("logs", "fraud", "--candidate")
    assert candidate.code == 4
    assert "has no pods of role candidate" in candidate.err
    # No kubelet answers for the simulated node.
    stable = await program.run("logs", "fraud", "--stable")
    assert stable.code != 0
    assert "Traceback" not in stable.err


class _Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"model_version": "1", "asked": json.loads(body)}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A model server on this host, at an address that the API server may connect to: it refuses
    loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it only asks the kernel which address it would send from.
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    with http.server.ThreadingHTTPServer((address, 0), _Server) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        yield address, listening.server_port
        listening.shutdown()


async def test_infer_asks_the_service_through_the_api_server(
    cluster: Cluster, program: Program, server: tuple[str, int]
) -> None:
    cluster.kubelet.bind_to(server[0])
    runtime = {"image": "model:1", "port": server[1], "readiness": {"path": "/ready"}}
    runtime |= {"predictPath": "/v2/models/fraud/infer", "protocol": "V2"}
    cluster.apply("1", runtime=runtime)
    revision = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    done = await program.run("infer", "fraud", "-o", "json")
    assert done.code == 0, done.err
    found = done.json
    assert (found["status"], found["revision"]) == (200, revision)
    assert found["knownBy"] == "model_version in the answer"
    assert found["answer"]["asked"]["inputs"][0]["shape"] == [1, 1]
    own = await program.run("infer", "fraud", "-f", "-", "-o", "json", stdin='{"mine": 1}')
    assert own.json["answer"]["asked"] == {"mine": 1}
    split = (await program.run("infer", "fraud", "--repeat", "5", "-o", "json")).json
    assert [(x["revision"], x["requests"]) for x in split["split"]] == [(revision, 5)]

    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "rolebinding", "reader", "--clusterrole=view"),
        "--user=asker",
    )
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "role", "models", "--verb=get,list"),
        "--resource=modeldeployments.canarium.dev,controllerrevisions.apps",
    )
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "rolebinding", "models", "--role=models"),
        "--user=asker",
    )
    forbidden = await program.run("infer", "fraud", "--as", "asker")
    assert forbidden.code == 5
    assert "services/proxy" in forbidden.err
    # No kubelet forwards ports of the simulated node.
    pod = await program.run("infer", "fraud", "--stable")
    assert pod.code == 5
    assert len(pod.err.splitlines()) == 1


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
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
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
    paths = {"pathPrefix": "/fraud", "rewritePrefix": "/", "responseHeaders": False}
    traffic = behind(hostnames=["models.example.org"], **paths)
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
