"""Ports of the loopback for parts that need theirs before they start."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

#: Below the range that the kernel gives to connections of clients (from 32768 on): a port from
#: there is soon taken by an outgoing request. Above what services of a machine usually have.
_RANGE = range(20_000, 30_000)


def free_ports(count: int) -> list[int]:
    """Returns different ports of 127.0.0.1 without a listener.

    They are chosen by chance, so that two who ask at the same time hardly get the same.
    """
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_RANGE, len(_RANGE)):
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise OSError(f"no {count} free ports from {_RANGE.start} to {_RANGE.stop - 1}")
