"""What a hostile tenant's pods and services answer. `python -m bench.attack.server PORT GRPC`."""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web
from hpack import Encoder

#: Of the pods, and so of this server.
ADDRESS = "10.9.9.9"
WORD = json.dumps("a" * 28 + "!").encode()
OBJECTS = json.dumps([{"a": n} for n in range(4_000)]).encode()
NUMBERS = json.dumps([[n] * 50 for n in range(2_000)]).encode()
LISTS = b"[" + b"[]," * 1_300_000 + b"[]]"
LONG = b"[" + b" " * (7 << 20) + b"]"
PAGE = "".join(f'requests_total{{path="/p{n}",code="200"}} {n}\n' for n in range(130_000)).encode()
#: Few series, each of which makes a label pattern backtrack, and counts that take long to judge.
COUNTERS = "".join(f'slow_total{{l="{"x" * 40}{n}"}} {10**9 + n}\n' for n in range(50)).encode()


async def answer(request: web.Request) -> web.StreamResponse:
    """Answers by path; what is not hostile is the good tenant's."""
    bodies = {
        "/word": WORD,
        "/objects": OBJECTS,
        "/numbers": NUMBERS,
        "/lists": LISTS,
        "/long": LONG,
        "/page": PAGE,
        "/counters": COUNTERS,
    }
    if request.path in bodies:
        return web.Response(body=bodies[request.path])
    if request.path == "/endless-lifetime":
        text = f'{{"access_token": "a", "expires_in": {"9" * 400}}}'
        return web.Response(text=text, content_type="application/json")
    if request.path == "/pending":
        return web.json_response({"status": "pending"})
    if request.path.startswith("/denied/"):
        return web.Response(status=401)
    if request.path.startswith("/silent"):
        await asyncio.sleep(60)
    if request.path == "/forged/api/v1/query":
        text = "bad\n2026-01-01 ERROR forged \x1b[2J" + "x" * 100_000
        return web.json_response({"status": "error", "errorType": "x", "error": text})
    if request.path == "/switch":
        request.app["failing"].add(request.query["model"])
        return web.Response()
    if request.path.startswith("/good/"):
        bad = 1_000 if request.path.removeprefix("/good/") in request.app["failing"] else 0
        request.app["count"] += 1_000
        count = request.app["count"]
        return web.Response(text=f"all_total 1{count:09}\nbad_total {bad * count // 1000}\n")
    return web.json_response({"n": 1})


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame of HTTP/2."""
    head = len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + content


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a question of gRPC by a message that announces 4 GiB and does not end."""
    data, headers, settings, end_headers = 0, 1, 4, 4
    head = Encoder().encode([(":status", "200"), ("content-type", "application/grpc+proto")])
    piece = _frame(data, 0, 1, b"x" * 16_384)
    try:
        await reader.read(100)
        writer.write(_frame(settings, 0, 0, b"") + _frame(headers, end_headers, 1, head))
        writer.write(_frame(data, 0, 1, b"\0\xff\xff\xff\xff"))
        while True:
            writer.write(piece)
            await writer.drain()
    except OSError:
        writer.transport.abort()


async def _listen(application: web.Application) -> None:
    application["grpc"] = await asyncio.start_server(endless, ADDRESS, int(sys.argv[2]))


def main() -> None:
    """Serves until killed."""
    application = web.Application()
    application["failing"], application["count"] = set(), 0
    application.on_startup.append(_listen)
    application.router.add_route("*", "/{path:.*}", answer)
    web.run_app(application, host=ADDRESS, port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
