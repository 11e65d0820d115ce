"""The relay: many connections over one pair of pipes, as `kubectl exec` carries them.

The other end is the program that runs in the pod; only `kubectl exec` is left out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox import forwarding, images
from sandbox.api import until
from sandbox.parts import Part
from sandbox.ports import free_ports
from sandbox.relay import end, outer
from sandbox.relay.pod import NAMESPACE, Relay, manifests
from tcp import ask, reversing

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Path]:
    """The control socket of a relay whose other end is a process of this machine."""
    part, path = Part(tmp_path, "relay"), tmp_path / "relay.sock"
    other = [sys.executable, "-I", str(end.__file__)]
    part.start([sys.executable, "-m", outer.__name__, path, *other])
    until(path.exists, part, "an answer", patience=20)
    yield path
    part.kill()


@contextmanager
def website(answer: bytes) -> Iterator[str]:
    """A web server of the loopback: its `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # The length of the answer is not announced: its end is the end of the connection.
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def test_many_connections_are_carried_at_once_past_a_half_close(control: Path) -> None:
    big = bytes(range(256)) * 2000
    async with reversing() as port:
        with forwarding.by_socket(control, f"127.0.0.1:{port}") as way:
            answers = await asyncio.gather(*(ask(way.port, big) for _ in range(40)))
    assert set(answers) == {big[::-1]}


def test_refused_target_resets_only_its_own_connection(control: Path) -> None:
    [nowhere] = free_ports(1)
    with (
        website(b"here") as target,
        forwarding.by_socket(control, target) as good,
        forwarding.by_socket(control, f"127.0.0.1:{nowhere}") as bad,
    ):
        with pytest.raises(OSError, match=r"reset|closed"):
            urllib.request.urlopen(bad.url, timeout=5)
        with urllib.request.urlopen(good.url, timeout=5) as answer:
            assert answer.read() == b"here"


def test_answer_that_breaks_off_is_a_failure_and_no_short_answer(control: Path) -> None:
    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        await writer.drain()
        end._reset(writer)

    async def run() -> None:
        server = await asyncio.start_server(breaks_off, "127.0.0.1", 0)
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            with forwarding.by_socket(control, target) as way:
                await asyncio.to_thread(read, way.url)

    def read(url: str) -> None:
        with pytest.raises(OSError, match="reset"), urllib.request.urlopen(url, timeout=5) as half:
            half.read()

    asyncio.run(run())


def test_relay_whose_other_end_ends_resets_its_connections_and_ends(tmp_path: Path) -> None:
    """As when the pod is deleted: a request in flight fails, and the next way starts afresh."""
    part, path = Part(tmp_path, "relay"), tmp_path / "relay.sock"
    script = tmp_path / "other"
    script.write_text(f"echo $$ > {tmp_path}/pid\nexec {sys.executable} -I {end.__file__}\n")
    part.start([sys.executable, "-m", outer.__name__, path, "sh", script])
    until(path.exists, part, "an answer", patience=20)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        way = forwarding.by_socket(path, target)
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(b"x")
        await asyncio.sleep(0.2)
        await asyncio.to_thread(kill)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()
        way.close()
        server.close()

    def kill() -> None:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    asyncio.run(run())
    process = part.process
    assert process is not None
    assert process.ended(10)


def test_other_end_that_does_not_start_is_reported_with_its_log(tmp_path: Path) -> None:
    part, path = Part(tmp_path, "relay"), tmp_path / "relay.sock"
    words = ["sh", "-c", "echo error: pods relay not found >&2; exit 1"]
    part.start([sys.executable, "-m", outer.__name__, path, *words])
    with pytest.raises(Exception, match="pods relay not found"):
        until(path.exists, part, "an answer", patience=20)


def test_pod_has_no_rights_and_is_admitted_at_the_strictest_level() -> None:
    [namespace, pod] = manifests("canarium.dev/relay:1")
    assert pod["metadata"]["namespace"] == namespace["metadata"]["name"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    [container] = pod["spec"]["containers"]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_namespace_of_a_pod_that_never_started_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "python_base", lambda: images.files({"/base": tmp_path}))
    kubectl, calls = tmp_path / "kubectl", tmp_path / "calls"
    kubectl.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {calls}\ncase "$*" in *wait*) exit 1;; esac\n'
    )
    kubectl.chmod(0o755)
    relay = Relay(tmp_path, [str(kubectl)], load=lambda archive: None)
    with pytest.raises(forwarding.NoWay):
        relay.forward("server:80")
    relay.down()
    assert calls.read_text().splitlines()[-1].startswith(f"delete namespace {NAMESPACE}")
    calls.unlink()
    relay.down()
    assert not calls.exists(), "what was deleted is not deleted again"
