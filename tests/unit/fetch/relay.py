"""A relay before a store that counts what the store sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Forwards connections to a port of loopback; `received` is in bytes, headers included."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url).port or 80
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._path = urlsplit(url).path
        self._lock = threading.Lock()
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._path}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            store = socket.create_connection(("127.0.0.1", self._target))
            back = threading.Thread(target=self._pump, args=(store, client), daemon=True)
            back.start()
            threading.Thread(target=self._pump, args=(client, store, back), daemon=True).start()

    def _pump(
        self, source: socket.socket, target: socket.socket, answers: threading.Thread | None = None
    ) -> None:
        """Forwards one direction; the one with `answers`, the other's thread, closes both."""
        try:
            while block := source.recv(1 << 16):
                if answers is None:
                    with self._lock:
                        self.received += len(block)
                target.sendall(block)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # One side is closed: the other pump notices.
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        if answers:
            answers.join()
            source.close()
            target.close()


@contextmanager
def relayed(url: str) -> Iterator[Relay]:
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.close()
