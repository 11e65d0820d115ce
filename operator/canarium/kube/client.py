"""The API client: raw dicts in and out, one HTTP session, no typed models and no retries.

Retrying is the callers' business (queue, informer, lease), since only they know what has changed in
the meantime; the one exception is a 401, repeated once with fresh credentials.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from canarium.kube.credentials import Endpoint, load_endpoint
from canarium.kube.errors import ApiError
from canarium.kube.resources import (
    CONTROLLERREVISIONS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    EVENTS,
    HPAS,
    LEASES,
    MODELDEPLOYMENTS,
    NODES,
    PODS,
    SERVICES,
    Resource,
)

__all__ = [
    "CONTROLLERREVISIONS",
    "DEPLOYMENTS",
    "ENDPOINTSLICES",
    "EVENTS",
    "HPAS",
    "LEASES",
    "MODELDEPLOYMENTS",
    "NODES",
    "PODS",
    "SERVICES",
    "Client",
    "Object",
    "Resource",
    "TokenBucket",
]

Object = dict[str, Any]
BeforeWrite = Callable[[str, str], Awaitable[None]]

FIELD_MANAGER = "canarium"
USER_AGENT = "canarium/0.1.0"
CONNECTIONS = 16
_JSON = "application/json"
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)


class TokenBucket:
    """Lets `qps` requests a second through, after a burst of `burst`; first come, first served."""

    def __init__(
        self,
        qps: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / qps
        self._slack = (burst - 1) / qps
        self._clock = clock
        self._sleep = sleep
        self._next = clock() - self._slack

    async def acquire(self) -> None:
        """Wait for a turn. Each caller books its slot before it sleeps, which keeps the order."""
        now = self._clock()
        slot = max(self._next, now - self._slack)
        self._next = slot + self._interval
        if slot > now:
            await self._sleep(slot - now)


class Client:
    """All methods raise `ApiError`, also for connection errors and timeouts.

    `before_write(method, path)` runs before each write: tests inject faults there.
    Make one by `connect` (from configuration) or `open` (a known endpoint).
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        *,
        qps: float | None = None,
        burst: int = 20,
        before_write: BeforeWrite | None = None,
    ) -> None:
        self.before_write = before_write
        self._session = session
        self._endpoint = endpoint
        self._bucket = TokenBucket(qps, burst) if qps else None
        # A semaphore rather than the connector's limit: watches hold their connection for minutes,
        # and sixteen of them would leave none for the writes.
        self._slots = asyncio.Semaphore(CONNECTIONS)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        qps: float | None = None,
        burst: int = 20,
        before_write: BeforeWrite | None = None,
    ) -> AsyncIterator[Client]:
        """A client for the cluster of `kubeconfig` and `context`, or the one we run in.

        `qps` and `burst` limit all but watches and leases; `None` is no limit.
        """
        endpoint = await load_endpoint(kubeconfig, context)
        async with cls.open(endpoint, qps=qps, burst=burst, before_write=before_write) as client:
            yield client

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: Endpoint,
        *,
        qps: float | None = None,
        burst: int = 20,
        before_write: BeforeWrite | None = None,
    ) -> AsyncIterator[Client]:
        """A client for a known endpoint; closes its session at the end."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        async with aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": USER_AGENT, "Accept": _JSON},
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            yield cls(session, endpoint, qps=qps, burst=burst, before_write=before_write)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int | None = None,
        continue_: str | None = None,
    ) -> Object:
        """One page; `metadata.continue` of the answer is the next `continue_`."""
        query = {"labelSelector": label_selector, "limit": limit, "continue": continue_}
        return await self._request("GET", resource, resource.path(namespace), query)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        resource_version: str | None = None,
        timeout_seconds: int = 290,
        *,
        idle_timeout: float = 80.0,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncIterator[Object]:
        """Events since `resource_version`, with bookmarks, until the server ends the watch after
        `timeout_seconds`. An ERROR event is raised, as is silence of `idle_timeout` seconds.

        `on_open` is called when the server has accepted the watch. Close the iterator with
        `contextlib.aclosing` when leaving early, or its connection lingers.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": label_selector,
            "resourceVersion": resource_version,
            "timeoutSeconds": timeout_seconds,
        }
        timeout = aiohttp.ClientTimeout(sock_connect=10, sock_read=idle_timeout)
        with _translated():
            async with self._send("GET", resource.path(namespace), query, timeout) as response:
                if on_open:
                    on_open()
                async for line in _lines(response.content):
                    event: Object = orjson.loads(line)
                    if event.get("type") == "ERROR":
                        raise ApiError.of_status(event["object"])
                    yield event

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        return await self._request("GET", resource, resource.path(namespace, name))

    async def create(self, resource: Resource, namespace: str | None, body: Object) -> Object:
        return await self._write("POST", resource, resource.path(namespace), {}, body)

    async def replace(
        self, resource: Resource, namespace: str | None, name: str, body: Object
    ) -> Object:
        """Fails with `conflict` when `metadata.resourceVersion` in the body is not the latest."""
        return await self._write("PUT", resource, resource.path(namespace, name), {}, body)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Object, force: bool
    ) -> Object:
        """Server-side apply: we own exactly the fields in `body`. Without `force`, fields owned by
        others are a `conflict`, named in `details["causes"]`."""
        query = {"force": "true" if force else "false"}
        path = resource.path(namespace, name)
        # JSON is YAML, and the server knows no other name for this kind of patch before 1.36.
        return await self._write("PATCH", resource, path, query, body, "apply-patch+yaml")

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Object,
        subresource: str | None = None,
    ) -> Object:
        """JSON merge patch. A `metadata.resourceVersion` in it is a precondition (`conflict`)."""
        path = resource.path(namespace, name, subresource)
        return await self._write("PATCH", resource, path, {}, patch, "merge-patch+json")

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> Object | None:
        """Delete the object, if it still has this `uid` (else `conflict`); `None` if it is gone.

        A Status in answer means it is gone now. The object itself may come instead: with a
        `deletionTimestamp` it lives on until its finalizers or grace period end.
        """
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        body["propagationPolicy"] = propagation
        if uid:
            body["preconditions"] = {"uid": uid}
        path = resource.path(namespace, name)
        try:
            return await self._request("DELETE", resource, path, {}, body)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def _write(
        self,
        method: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str],
        body: Object,
        content_type: str = "json",
    ) -> Object:
        # Strict, since a field that the server drops silently would look like a diff for ever.
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **query}
        content_type = f"application/{content_type}"
        return await self._request(method, resource, path, query, body, content_type)

    async def _request(
        self,
        method: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str | int | None] | None = None,
        body: Object | None = None,
        content_type: str = _JSON,
    ) -> Object:
        if body is not None and self.before_write:
            await self.before_write(method, path)
        data = None if body is None else orjson.dumps(body)
        with _translated():
            async with AsyncExitStack() as stack:
                # A renewal must not queue behind our own writes, or a busy leader loses its lease.
                if resource != LEASES:
                    if self._bucket:
                        await self._bucket.acquire()
                    await stack.enter_async_context(self._slots)
                sent = self._send(method, path, query or {}, _TIMEOUT, data, content_type)
                response = await stack.enter_async_context(sent)
                answer: Object = orjson.loads(await response.read())
                return answer

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | None],
        timeout: aiohttp.ClientTimeout,
        data: bytes | None = None,
        content_type: str = _JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        endpoint = self._endpoint
        for attempt in (1, 2):
            headers = {"Content-Type": content_type} if data is not None else {}
            if authorization := await endpoint.credentials.header(refresh=attempt > 1):
                headers["Authorization"] = authorization
            async with self._session.request(
                method,
                endpoint.url + path,
                params={key: str(value) for key, value in query.items() if value is not None},
                data=data,
                headers=headers,
                timeout=timeout,
                ssl=endpoint.tls or True,
                server_hostname=endpoint.server_name,
                proxy=endpoint.proxy,
                allow_redirects=False,  # the API server has none, and they would leak the token
            ) as response:
                if response.status == 401 and attempt == 1:
                    continue
                if not 200 <= response.status < 300:
                    body = await response.read()
                    raise ApiError.of_response(response.status, body, response.headers)
                yield response
                return
