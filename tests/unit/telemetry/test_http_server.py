"""G1: health and metrics are served on both families, on a cluster of one family too."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest

from canarium.options import address
from canarium.signals.addresses import authority
from canarium.telemetry.http_server import listener
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.probes import serve_probes
from signals import netns


async def statuses() -> dict[str, Any]:
    """What every address of this network answers at both servers' ports, which are the same."""
    found: dict[str, Any] = {}
    async with (
        serve_probes("", 0, alive=list, ready=list) as health,
        serve_metrics(OperatorMetrics().registry, "", 0) as metrics,
        aiohttp.ClientSession() as client,
    ):
        for address in ("127.0.0.1", "::1", "fd00::7"):
            for port, path in ((health, "healthz"), (metrics, "metrics")):
                try:
                    async with client.get(f"http://{authority(address, port)}/{path}") as answer:
                        found[f"{address} {path}"] = answer.status
                except aiohttp.ClientConnectorError as error:
                    found[f"{address} {path}"] = type(error.os_error).__name__
    return found


@pytest.mark.slow
def test_servers_answer_on_both_families() -> None:  # G1
    found = netns.run("telemetry.test_http_server", "statuses", address="fd00::7/128")
    assert found == {
        f"{address} {path}": 200
        for address in ("127.0.0.1", "::1", "fd00::7")
        for path in ("healthz", "metrics")
    }


@pytest.mark.slow
def test_servers_answer_where_there_is_ipv6_only() -> None:
    found = netns.run("telemetry.test_http_server", "statuses", address="fd00::7/128", ipv4=False)
    reached = {name for name, status in found.items() if status == 200}
    assert reached == {f"{a} {p}" for a in ("::1", "fd00::7") for p in ("healthz", "metrics")}


def test_servers_answer_where_the_kernel_has_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def without(address: Any, **options: Any) -> socket.socket:
        if options.get("family") == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(address, **options)

    monkeypatch.setattr(socket, "create_server", without)
    with listener("", 0) as found:
        assert found.family == socket.AF_INET


def test_port_that_is_taken_is_an_error() -> None:
    with listener("", 0) as first, pytest.raises(OSError, match=r"ddress already in use"):
        listener("", first.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", ("", 8080)),
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
    ],
)
def test_address_of_the_command_line(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected
