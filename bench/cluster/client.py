"""The driver's own way to the API server: raw dicts over kept-alive connections.

Not the operator's transport: what drives a measurement must not change with what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

Body = dict[str, Any]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(RuntimeError):
    """The API server did not do what was asked."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Client:
    """Requests with a separate user agent. Every method raises Refused."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self.session, self.server = session, server

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, kubeconfig: Path, agent: str, connections: int = 16
    ) -> AsyncIterator[Client]:
        """A client with at most `connections` requests at a time, watches besides."""
        config = json.loads(await asyncio.to_thread(kubeconfig.read_text))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        # A proxy of the bench speaks plain HTTP on loopback.
        trust = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
        context = ssl.create_default_context(cadata=trust) if trust else False
        connector = aiohttp.TCPConnector(ssl=context, limit=connections + 4)
        headers = {"Authorization": f"Bearer {user['token']}", "User-Agent": f"{agent}/1"}
        async with aiohttp.ClientSession(
            connector=connector, headers=headers, read_bufsize=2**20
        ) as session:
            yield cls(session, cluster["server"])

    async def get(self, path: str) -> Body:
        return await self.send("GET", path)

    async def post(self, path: str, body: Body) -> Body:
        return await self.send("POST", path, body)

    async def put(self, path: str, body: Body) -> Body:
        return await self.send("PUT", path, body)

    async def merge(self, path: str, body: Body) -> Body:
        return await self.send("PATCH", path, body, MERGE)

    async def delete(self, path: str) -> Body:
        return await self.send("DELETE", path)

    async def apply(self, path: str, body: Body) -> Body:
        """Server-side apply by a field manager of the bench's own."""
        return await self.send("PATCH", f"{path}?fieldManager=bench&force=true", body, APPLY)

    async def send(
        self, verb: str, path: str, body: Body | None = None, kind: str = "application/json"
    ) -> Body:
        data = orjson.dumps(body) if body is not None else None
        async with self.session.request(
            verb, self.server + path, data=data, headers={"Content-Type": kind}
        ) as answer:
            content = await answer.read()
        if answer.status >= 400:
            raise Refused(answer.status, content[:500].decode(errors="replace"))
        document: Body = orjson.loads(content)
        return document

    async def watch(self, path: str, version: str) -> AsyncIterator[Body]:
        """Events from resourceVersion `version` on."""
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "7200"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.session.get(self.server + path, params=query, timeout=timeout) as answer:
            pending = b""
            async for chunk in answer.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield orjson.loads(line)
