"""The operator's connection: the port that the engine asks of an API server, with faults.

The adversary plans faults; the connection serves them in order. A request takes virtual time, so
the world continues while it is in flight.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from simulation.fields import clone
from simulation.server import OPERATOR, Change, Server, Write

Body = dict[str, Any]

#: What may become of a write: rejected before it has an effect, or the answer lost after it has.
WRITE_FAULTS = ("conflict", "too many requests", "server error", "lost before", "lost after")
_BOOKMARK = 60.0


class Death(BaseException):
    """The process has died: no code of it may catch this and continue to write."""


@dataclass
class Faults:
    """What is to go wrong. Everything is off at first."""

    #: Faults of the next writes, one each; None lets a write pass.
    writes: list[str | None] = field(default_factory=list)
    #: Writes that a policy rejects, as verb and kind: "patch services", "patch deployments/scale".
    forbidden: set[str] = field(default_factory=set)
    #: The process dies at its n-th write from now: before it, or right after it took effect.
    die_in: int | None = None
    die_after_effect: bool = False
    #: Longest time of a request, in seconds; each takes a random part of it.
    latency: float = 0.0
    #: Seconds that the events of a kind are late, by its plural.
    lag: dict[str, float] = field(default_factory=dict)
    #: Kinds whose events arrive twice.
    double: set[str] = field(default_factory=set)

    def clear(self) -> None:
        self.writes.clear()
        self.forbidden.clear()
        self.lag.clear()
        self.double.clear()
        self.die_in, self.latency = None, 0.0


class Connection:
    """One process' connection; once `dead`, nothing of it has an effect any more."""

    def __init__(self, server: Server, faults: Faults, chance: random.Random) -> None:
        self._server = server
        self._faults = faults
        self._chance = chance
        self._streams: dict[Resource, _Stream] = {}
        self.dead = False
        self.writes = 0
        server.observers.append(self._written)

    def close(self) -> None:
        self.dead = True
        self._server.observers.remove(self._written)

    # --- reads ------------------------------------------------------------------------------

    async def list(self, resource: Resource, namespace: str | None = None, **query: str) -> Body:
        await self._travel()
        found = self._server.all(resource, query.get("labelSelector", ""))
        return {
            "metadata": {"resourceVersion": str(self._server.version)},
            "items": [clone(obj) for obj in found if namespace in (None, _namespace(obj))],
        }

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body:
        await self._travel()
        return _copy(self._server.get(resource, (namespace or "", name)))

    # --- writes -----------------------------------------------------------------------------

    async def create(
        self, resource: Resource, namespace: str | None, body: Body, *, dry_run: bool = False
    ) -> Body:
        if dry_run:
            await self._travel()
            return clone(body)

        def effect() -> Body:
            body["metadata"].setdefault("namespace", namespace)
            return self._server.create(resource, body, OPERATOR)

        return await self._write(f"create {resource.plural}", effect)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Body, *, force: bool
    ) -> Body:
        key = (namespace or "", name)
        return await self._write(
            f"patch {resource.plural}",
            lambda: self._server.apply(resource, key, body, force=force),
        )

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Body,
        subresource: str | None = None,
    ) -> Body:
        key = (namespace or "", name)
        if subresource == "scale":
            replicas = patch["spec"]["replicas"]
            return await self._write(
                f"patch {resource.plural}/scale",
                lambda: self._server.scale(key, replicas, OPERATOR),
            )
        assert subresource is None, subresource
        return await self._write(
            f"patch {resource.plural}",
            lambda: self._server.merge(resource, key, patch, OPERATOR),
        )

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Body,
        subresource: str | None = None,
    ) -> Body:
        key = (namespace or "", name)
        if subresource == "status":
            return await self._write(
                f"update {resource.plural}/status",
                lambda: self._server.put_status(resource, key, body, OPERATOR),
            )
        return await self._write(
            f"update {resource.plural}",
            lambda: self._server.replace(resource, key, body, OPERATOR),
        )

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, uid: str | None = None
    ) -> Body | None:
        key = (namespace or "", name)

        def effect() -> Body:
            try:
                self._server.delete(resource, key, uid, OPERATOR)
            except ApiError as error:
                if not error.not_found:
                    raise
            return self._server.find(resource, key) or {}

        return await self._write(f"delete {resource.plural}", effect) or None

    async def _write(self, what: str, effect: Any) -> Body:
        await self._travel()
        self.writes += 1
        faults = self._faults
        if what in faults.forbidden:
            raise ApiError(403, "Forbidden", "a policy forbids it")
        dies = False
        if faults.die_in is not None:
            faults.die_in -= 1
            dies = faults.die_in <= 0
        if dies:
            faults.die_in = None
            if faults.die_after_effect:
                self._quietly(effect)
            self.dead = True
            raise Death
        fault = faults.writes.pop(0) if faults.writes else None
        if fault == "conflict":
            raise ApiError(409, "Conflict", "the object has been modified")
        if fault == "too many requests":
            raise ApiError(429, "TooManyRequests", "slow down", 1.0)
        if fault == "server error":
            raise ApiError(500, "InternalError", "etcdserver: leader changed")
        if fault == "lost before":
            raise ApiError(0, "TimeoutError", "")
        if fault == "lost after":
            self._quietly(effect)
            raise ApiError(0, "TimeoutError", "")
        answer = _copy(effect())
        await self._travel()
        return answer

    def _quietly(self, effect: Any) -> None:
        try:
            effect()
        except ApiError:
            return

    async def _travel(self) -> None:
        """One way of a request, there or back."""
        if self.dead:
            raise Death
        if self._faults.latency:
            await asyncio.sleep(self._chance.random() * self._faults.latency / 2)
            if self.dead:
                raise Death

    # --- watches ----------------------------------------------------------------------------

    async def watch(
        self, resource: Resource, namespace: str | None, **query: str
    ) -> AsyncIterator[Body]:
        """Events in their order, as late as the adversary wants; bookmarks when it is quiet."""
        await self._travel()
        shelf = self._server.shelves[resource]
        stream = self._streams[resource] = _Stream(int(query["resourceVersion"]))
        label = query.get("labelSelector", "")
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while True:
            stream.woken.clear()
            if stream.broken:
                stream.broken = False
                raise aiohttp.ClientPayloadError("the connection was cut")
            if stream.version < shelf.compacted:
                raise ApiError(410, "Expired", "too old resource version")
            change = next((c for c in shelf.history if c.version > stream.version), None)
            wait = quiet_since + _BOOKMARK - loop.time()
            if change is not None:
                late = change.at + self._faults.lag.get(resource.plural, 0.0)
                wait = late - self._server.clock.now()
                if wait <= 1e-6:
                    stream.version = change.version
                    quiet_since = loop.time()
                    event = _event(change, label)
                    for _ in range(2 if resource.plural in self._faults.double else 1):
                        if event:
                            yield clone(event)
                    continue
            elif wait <= 0:
                quiet_since = loop.time()
                stream.version = max(stream.version, self._server.version)
                meta = {"resourceVersion": str(stream.version)}
                yield {"type": "BOOKMARK", "object": {"metadata": meta}}
                continue
            try:
                await asyncio.wait_for(stream.woken.wait(), max(wait, 0.001))
            except TimeoutError:
                continue

    def cut(self, resource: Resource) -> None:
        """Breaks the watch of a kind."""
        stream = self._streams.get(resource)
        if stream:
            stream.broken = True
            stream.woken.set()

    def nudge(self) -> None:
        """The lags have changed: what is held back may be due."""
        for stream in self._streams.values():
            stream.woken.set()

    def _written(self, write: Write) -> None:
        stream = self._streams.get(write.resource)
        if stream:
            stream.woken.set()


class _Stream:
    """The state of one open watch."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.broken = False
        self.woken = asyncio.Event()


def _event(change: Change, label: str) -> Body | None:
    """The event of a watch with a selector: for an object that lost its label, its deletion."""
    if not label or _has(change.object, label):
        return {"type": change.type, "object": change.object}
    if change.before is None or not _has(change.before, label):
        return None
    version = change.object["metadata"]["resourceVersion"]
    meta = {**change.before["metadata"], "resourceVersion": version}
    return {"type": "DELETED", "object": {**change.before, "metadata": meta}}


def _has(obj: Body, label: str) -> bool:
    return label in (obj["metadata"].get("labels") or {})


def _copy(body: Body) -> Body:
    return clone(body) if body else body


def _namespace(obj: Body) -> str:
    namespace: str = obj["metadata"]["namespace"]
    return namespace
