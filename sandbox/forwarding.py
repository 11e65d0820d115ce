"""Ways from the host's loopback to an address inside a sandbox."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


class NoWay(RuntimeError):
    """An address inside a sandbox cannot be reached from the host; the text states why."""


@dataclass
class Forward:
    """A port of 127.0.0.1 that leads into the sandbox until `close`, or this process' end."""

    port: int
    close: Callable[[], None]

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Forward:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def by_socket(control: Path, target: str) -> Forward:
    """Asks the forwarder behind the unix socket `control` to carry to `host:port`. Raises NoWay."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    handle = os.open(control.parent, os.O_PATH)
    try:
        # By a short alias: a unix socket's path may have 107 bytes at most.
        client.connect(f"/proc/self/fd/{handle}/{control.name}")
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            port: int = listening.getsockname()[1]
            socket.send_fds(client, [f"{target}\n".encode()], [listening.fileno()])
            if client.recv(16) != b"ok\n":
                raise NoWay(f"the forwarder refused {target}")
    except OSError as error:
        client.close()
        raise NoWay(f"{target}: {error}") from error
    finally:
        os.close(handle)
    return Forward(port, client.close)


def by_kubectl(command: list[str], namespace: str, target: str, port: int) -> Forward:
    """Keeps a `kubectl port-forward` running: it leads to one pod, not to a balanced Service.

    `target` is such as `service/fraud` or `pod/fraud-0`. Raises NoWay.
    """
    child = subprocess.Popen(
        [*command, "-n", namespace, "port-forward", target, f":{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    began = time.monotonic()
    line = child.stdout.readline()
    match = re.search(r"127\.0\.0\.1:(\d+)", line)
    if match is None:
        child.kill()
        child.wait()
        raise NoWay(f"{target} after {time.monotonic() - began:.0f} s: {line}")

    def close() -> None:
        child.terminate()
        child.wait()

    return Forward(int(match[1]), close)
