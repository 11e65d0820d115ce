"""A local server in place of the hosts of releases, which breaks as a test wants it."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Answers one GET request for a file; the server repeats the last one of its list.
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def whole(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """The file, without support for ranges."""
    _send(request, 200, content, len(content))


def ranges(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """The part that was asked for."""
    asked = request.headers.get("Range")
    if asked is None:
        return whole(request, content)
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    stated = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    return _send(request, 206, content[start:], len(content) - start, stated)


def half(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """Half of the file, then the end of the connection."""
    _send(request, 200, content[: len(content) // 2], len(content))


def another_part(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """The first half of the file, in answer to a request for another part."""
    part = content[: len(content) // 2]
    stated = {"Content-Range": f"bytes 0-{len(part) - 1}/{len(content)}"}
    _send(request, 206, part, len(part), stated)


def status(code: int) -> Answer:
    """Only a status."""
    return lambda request, content: _send(request, code, b"", 0)


def of(answer: Answer, other: bytes) -> Answer:
    """An answer with another content."""
    return lambda request, content: answer(request, other)


@dataclass
class StandIn:
    """`answers` are used in order; `requests` has the path and the range of each GET request."""

    content: bytes
    answers: list[Answer]
    port: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    probe_status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(content: bytes, *answers: Answer) -> Iterator[StandIn]:
    """A server on loopback, for the time of a test."""
    stand_in = StandIn(content, list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            stand_in.probes.append(self.path)
            _send(self, stand_in.probe_status, b"", 0)

        def do_GET(self) -> None:
            stand_in.requests.append((self.path, self.headers.get("Range")))
            answers = stand_in.answers
            (answers.pop(0) if len(answers) > 1 else answers[0])(self, stand_in.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def archive(members: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar.gz of files, preceded by members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for other in others:
            tar.addfile(other)
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _send(
    request: BaseHTTPRequestHandler,
    code: int,
    body: bytes,
    length: int,
    headers: dict[str, str] | None = None,
) -> None:
    request.send_response(code)
    request.send_header("Content-Length", str(length))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
    if len(body) < length:
        request.close_connection = True
