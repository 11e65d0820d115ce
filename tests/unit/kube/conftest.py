"""An API server in this process that stores objects, and fails on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from canarium.kube.http import Client


class Configuration:
    """What Client needs of kubernetes.aio's."""

    def __init__(self, host: str) -> None:
        self.host = host

    async def get_api_key_with_prefix(self, name: str) -> str | None:
        return None


class FakeApi:
    """Objects by path. `faults` answer the next requests, `watches` are the scripts of the next
    watches: lists of events, where an Exception drops the connection, StopIteration ends the
    watch, and a function is called; without a script, or after it, a watch hangs."""

    __test__ = False

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.lists = 0
        self.faults: list[web.Response] = []
        self.watches: list[list[Any]] = []
        self.watched: list[str] = []
        self.down = False
        self.slow: asyncio.Event | None = None
        self.required = ""
        self._dropped = asyncio.Event()
        self.url = ""

    def put(self, path: str, **extra: Any) -> dict[str, Any]:
        self.version += 1
        _, _, after = path.partition("/namespaces/")
        namespace, _, name, *_ = after.split("/")
        old = self.objects.get(path)
        meta = {
            "namespace": namespace,
            "name": name,
            "uid": old["metadata"]["uid"] if old else f"uid-{self.version}",
            "resourceVersion": str(self.version),
        }
        self.objects[path] = {"metadata": meta, **extra}
        return self.objects[path]

    def status(self, code: int, reason: str, **headers: str) -> web.Response:
        body = {"kind": "Status", "code": code, "reason": reason, "message": reason}
        return web.Response(status=code, body=orjson.dumps(body), headers=headers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self.slow:
            await self.slow.wait()
        if self.required and request.headers.get("Authorization") != self.required:
            return self.status(401, "Unauthorized")
        if self.faults:
            return self.faults.pop(0)
        if self.down:
            return self.status(503, "ServiceUnavailable")
        if "watch" in request.query:
            return await self.watch(request)
        path = request.path
        body = orjson.loads(self.bodies[-1]) if self.bodies[-1] else {}
        known = self.objects.get(path)
        if request.method == "GET" and known is None and path.rsplit("/", 1)[1].endswith("s"):
            return self.page(request)
        if request.method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return self.status(409, "AlreadyExists")
        elif known is None and request.method != "PATCH":
            return self.status(404, "NotFound")
        elif request.method == "PUT" and known:
            sent, version = body["metadata"], known["metadata"]["resourceVersion"]
            if sent["resourceVersion"] != version:
                return self.status(409, "Conflict")
        if request.method == "GET":
            return web.json_response(known)
        if request.method == "DELETE":
            uid = body.get("preconditions", {}).get("uid")
            if uid and uid != known["metadata"]["uid"]:
                return self.status(409, "Conflict")
            del self.objects[path]
            return self.status(200, "Success")
        body.pop("metadata", None)
        return web.json_response(self.put(path, **body))

    def page(self, request: web.Request) -> web.Response:
        self.lists += 1
        kind = request.path.rsplit("/", 1)[1]
        found = [o for p, o in sorted(self.objects.items()) if f"/{kind}/" in p]
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        meta = {"resourceVersion": str(self.version)}
        if start + limit < len(found):
            meta["continue"] = str(start + limit)
        return web.json_response({"metadata": meta, "items": found[start : start + limit]})

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.watched.append(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        for event in self.watches.pop(0) if self.watches else ():
            if event is StopIteration:
                return response
            if isinstance(event, Exception):
                return self._abort(request, response)
            if callable(event):
                done = event()
                if asyncio.iscoroutine(done):
                    await done
                continue
            await response.write(orjson.dumps(event) + b"\n")
        await self._dropped.wait()
        return self._abort(request, response)

    def requires(self, header: str) -> None:
        """From now on only requests with this `Authorization` are answered."""
        self.required = header

    def drop_watches(self) -> None:
        """Breaks the watches that hang now."""
        self._dropped.set()
        self._dropped = asyncio.Event()

    @staticmethod
    def _abort(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return response


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", fake.handle)
    async with TestServer(app, skip_url_asserts=True) as server:
        fake.url = str(server.make_url("/"))
        yield fake


@pytest.fixture
async def client(api: Any) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(Configuration(api.url), session)
