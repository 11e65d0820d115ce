"""Ways into a sandbox: the forwarder over a unix socket, and the question that DNS is asked."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import forwarder, forwarding
from sandbox.dns import answers
from sandbox.parts import Part
from sandbox.ports import free_ports

root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="entering a namespace needs root"
)


@contextmanager
def server(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A TCP server on loopback that answers each connection once; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(answer(connection.recv(4096)))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(port: int, question: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(4096)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        # It was closed while this connection was in its queue; the next one decides.
        return True
    return True


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A forwarder into this process' own namespace, one fixed way of which leads nowhere yet."""
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    part = Part(folder, "forwarder")
    port, nowhere = free_ports(2)
    script, control = str(forwarder.__file__), folder / "forward.sock"
    order = f"{port}=127.0.0.1:{nowhere}"
    part.start([sys.executable, "-I", script, str(os.getpid()), control, order])
    end = time.monotonic() + 10
    while not control.exists():
        assert part.alive, part.failure("ended")
        assert time.monotonic() < end
        time.sleep(0.01)
    yield control, port
    part.kill()


@root
def test_forward_leads_to_its_target_until_it_is_closed(started: tuple[Path, int]) -> None:
    control, _ = started
    with server(lambda got: b"you said " + got) as inner:
        with forwarding.by_socket(control, f"127.0.0.1:{inner}") as way:
            assert [ask(way.port, b"%d" % n) for n in range(3)] == [
                b"you said 0",
                b"you said 1",
                b"you said 2",
            ]
            assert way.url == f"http://127.0.0.1:{way.port}"
        end = time.monotonic() + 5
        while listens(way.port):
            assert time.monotonic() < end
            time.sleep(0.01)


@root
def test_target_that_refuses_resets_the_connection(started: tuple[Path, int]) -> None:
    _, port = started
    with pytest.raises(ConnectionError):
        ask(port, b"hello")


def test_missing_forwarder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(forwarding.NoWay, match=r"10\.96\.0\.5:80"):
        forwarding.by_socket(tmp_path / "forward.sock", "10.96.0.5:80")


@pytest.mark.parametrize(("found", "known"), [(1, True), (0, False)])
def test_name_is_known_when_dns_has_an_answer(found: int, known: bool) -> None:
    asked: list[bytes] = []

    def reply(question: bytes) -> bytes:
        asked.append(question)
        header = struct.pack("!6H", 1, 0x8180, 1, found, 0, 0)
        return struct.pack("!H", len(header) + 4) + header + b"tail"

    with server(reply) as port:
        assert answers(port, "kubernetes.default") is known
    (length,) = struct.unpack("!H", asked[0][:2])
    assert length == len(asked[0]) - 2
    assert b"\x0akubernetes\x07default\x00" in asked[0]
