"""G1: an API server, models and the operator on a machine that has no IPv4 address at all."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from canarium.kube import resources
from canarium.kube.http import Client
from http_server import HttpServer
from integration import rights
from integration.conftest import PATIENT_LEASE, ROOT, Cluster, Operator
from integration.kubelet import Kubelet
from sandbox.controlplane import ControlPlane
from sandbox.flags import Listening
from signals import netns

_MACHINE, _PODS = "fd00::7", "fd00:10:244::"
_LISTENING = Listening(_MACHINE, 6443, 2379, 2380, 10257, 10259)
_PATIENCE = 150.0


def test_canary_is_promoted_where_there_is_ipv6_only(tmp_path: Path) -> None:  # G1
    # The API server's requests to itself go to localhost.
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 localhost\n")
    found = netns.run(
        "integration.test_ipv6",
        "scenario",
        address=f"{_MACHINE}/64",
        ipv4=False,
        files={"/etc/hosts": hosts},
        patience=2 * _PATIENCE,
    )
    assert "inet " not in found.pop("addresses")
    assert found == {
        "probes": {"healthz": 200, "readyz": 200, "metrics": 200},
        "versions": ["1", "2"],
        "asked in IPv6": True,
        "tests": True,
        "types": ["IPv6"],
        "forbidden": [],
    }


async def scenario() -> dict[str, Any]:
    """Brings two versions of a model into service, and returns what was seen meanwhile."""
    # Every address of this network is the machine's own: the pods are played, their server is not.
    route = ["ip", "-6", "route", "add", "local", f"{_PODS}/64", "dev", "lo"]
    await asyncio.to_thread(subprocess.run, route, check=True)
    with tempfile.TemporaryDirectory() as name:
        plane = ControlPlane(Path(name) / "plane", listening=_LISTENING)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.to_thread(plane.up)
                plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
                plane.api.await_definitions()
                plane.kubectl("create", "namespace", "risk")
                return await _promoted(plane, Path(name))
        finally:
            plane.down()


async def _promoted(plane: ControlPlane, folder: Path) -> dict[str, Any]:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport
        asked.append(request.transport.get_extra_info("sockname")[0])
        return web.Response()

    model = HttpServer(answer, "::", 8080)
    await model.start()
    flags = ("--lease-namespace", "default", "--health", ":8081", "--metrics-port", "8082")
    operator = Operator(
        rights.granted(plane, into=folder / "operator.kubeconfig"),
        folder / "operator.log",
        *(*flags, "--fetch-image", "fetch:1", *PATIENT_LEASE),
    )
    operator.start()
    try:
        async with (
            Client.connect(str(plane.kubeconfig)) as client,
            Kubelet(client, _PODS).running() as kubelet,
        ):
            cluster = Cluster(plane, client, kubelet, operator, "risk")
            await cluster.leading()
            versions = []
            for version in ("1", "2"):
                cluster.apply(version, rollout=_rollout())
                status = await cluster.phase("Ready", version)
                versions.append(status["version"])
            addresses = await asyncio.to_thread(subprocess.check_output, ["ip", "addr"], text=True)
            slices = (await client.list(resources.ENDPOINT_SLICES, "risk"))["items"]
            return {
                "addresses": addresses,
                "probes": await _probes(),
                "versions": versions,
                "asked in IPv6": all(address.startswith(_PODS) for address in asked),
                "tests": len(set(asked)) >= len(versions),
                "types": sorted({found["addressType"] for found in slices}),
                "forbidden": sorted(map(str, rights.Audit(plane).forbidden())),
            }
    finally:
        operator.stop()
        await model.stop()


def _rollout() -> dict[str, Any]:
    return {
        "steps": [{"weight": 25, "pause": "500ms"}],
        "smokeTests": [{"path": "/v1/predict", "expect": {"status": 200}}],
        "bakeTime": "1s",
    }


async def _probes() -> dict[str, int]:
    """What the kubelet and Prometheus get; the server is asked on loopback here."""
    found = {}
    async with aiohttp.ClientSession() as session:
        for path, port in (("healthz", 8081), ("readyz", 8081), ("metrics", 8082)):
            async with session.get(f"http://[::1]:{port}/{path}") as response:
                found[path] = response.status
    return found
