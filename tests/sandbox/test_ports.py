"""Ports for parts that receive theirs before they start."""

import socket
from pathlib import Path

import pytest

from sandbox import ports


def test_ports_differ_and_are_none_that_a_clients_connection_may_take() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = ports.free_ports(50)
    assert len(set(found)) == 50
    assert max(found) < low


def test_port_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.free_ports(2)
    monkeypatch.setattr(ports, "_RANGE", range(min(free), min(free) + 1))
    assert ports.free_ports(1) == [min(free)]
    with socket.create_server(("127.0.0.1", min(free))), pytest.raises(OSError, match="no 1 free"):
        ports.free_ports(1)
