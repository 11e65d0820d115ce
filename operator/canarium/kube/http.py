"""The client of the API server, over one HTTP session, in raw dicts.

Configuration and credentials come from the `kubernetes` package. Its typed models are not used:
they cost ten times as much to parse and reject unknown fields.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from canarium import FIELD_MANAGER, VERSION
from canarium.kube import kubeconfig as kubeconfigs
from canarium.kube.aggregated import aggregated_turns
from canarium.kube.clock import Timing
from canarium.kube.credentials import ApiCredentials
from canarium.kube.errors import ApiError
from canarium.kube.limiter import ConcurrencyLimits
from canarium.kube.resources import Resource, namespace_of
from canarium.kube.retries import Retries
from canarium.kube.throttle import Throttle, urgency
from canarium.kube.trust import Trust
from canarium.kube.turns import FairTurns

Body = dict[str, Any]
#: Verb and resource of a request, for metrics.
Label = tuple[str, str]
#: Returns for how many seconds writes in a namespace are still allowed; 0 or less: not at all.
Fence = Callable[[str], float]

_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_READ_TIMEOUT = 30.0
_FAREWELL = 0.25
#: Bookmarks arrive about once a minute: a watch that is silent for longer is dead.
_WATCH_SILENCE = 90.0


class Client:
    """Requests to one API server. Every method raises ApiError for a status above 399.

    A request that the server had no capacity for is retried for a few seconds before that.
    """

    def __init__(
        self,
        configuration: Any,
        session: aiohttp.ClientSession,
        *,
        credentials: ApiCredentials | None = None,
        trust: Trust | None = None,
        throttle: Throttle | None = None,
        fence: Fence | None = None,
        limits: ConcurrencyLimits | None = None,
        timing: Timing | None = None,
        aggregated: FairTurns | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._limits = limits
        self._aggregated = aggregated or aggregated_turns(self._timing)
        self._configuration = configuration
        self._session = session
        self._credentials = credentials or ApiCredentials(configuration)
        self.trust = trust
        self._throttle, self._fence = throttle, fence
        self._base = str(configuration.host).rstrip("/")

    @property
    def server(self) -> str:
        """Host and port of the API server, as in its URL."""
        return urlsplit(self._base).netloc

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        kubeconfig: str | None = None,
        context: str | None = None,
        traces: Sequence[aiohttp.TraceConfig] = (),
        agent: str = "",
    ) -> AsyncIterator[Client]:
        """Creates a client for the named kubeconfig, else the in-cluster config, else the default
        kubeconfig.

        `traces` receive every request; `agent` identifies this process in the audit log.
        """

        async def load() -> Any:
            return await kubeconfigs.load(kubeconfig, context)

        configuration = await load()
        trust = Trust(configuration, asyncio.get_running_loop().time)
        # No limit on connections: each watch has one, and the workers bound all others. Its name is
        # resolved by threads of the host's resolver, which tenants' names do not use.
        connector = aiohttp.TCPConnector(
            ssl=trust.context, limit=0, resolver=aiohttp.ThreadedResolver()
        )
        async with aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": f"canarium/{VERSION}{agent}", "Accept": _JSON},
            read_bufsize=2**20,
            trace_configs=list(traces),
            proxy=configuration.proxy or None,
        ) as session:
            credentials = ApiCredentials(configuration, load, trust)
            yield cls(configuration, session, credentials=credentials, trust=trust)
        # TLS connections shut down in the background (aiohttp's "graceful shutdown").
        await asyncio.sleep(_FAREWELL)

    def guarded(
        self, throttle: Throttle, fence: Fence | None, limits: ConcurrencyLimits | None = None
    ) -> Client:
        """Returns a client over the same connections that throttles writes, and sends them only
        while `fence` allows it."""
        return Client(
            self._configuration,
            self._session,
            credentials=self._credentials,
            trust=self.trust,
            throttle=throttle,
            fence=fence,
            limits=limits,
            timing=self._timing,
            aggregated=self._aggregated,
        )

    def companion(
        self, trace: aiohttp.TraceConfig, *middlewares: aiohttp.ClientMiddlewareType
    ) -> aiohttp.ClientSession:
        """Returns a session for a library, over our connections and with our credentials.

        Closing it leaves the connections open. `middlewares` run before authentication.
        """
        return aiohttp.ClientSession(
            connector=self._session.connector,
            connector_owner=False,
            headers={"User-Agent": self._session.headers["User-Agent"]},
            read_bufsize=2**20,
            trace_configs=[trace],
            proxy=self._configuration.proxy or None,
            middlewares=(*middlewares, self._credentials.middleware),
        )

    @property
    def host(self) -> str:
        """Returns the API server's URL."""
        return self._base

    async def list(self, resource: Resource, namespace: str | None = None, **query: str) -> Body:
        path, label = resource.path(namespace), ("list", resource.plural)
        return await self.request("GET", path, query=query, label=label)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body:
        path, label = resource.path(namespace, name), ("get", resource.plural)
        return await self.request("GET", path, label=label)

    async def read(
        self,
        path: str,
        query: dict[str, str],
        *,
        namespace: str,
        longest: int,
        patience: float,
    ) -> bytes:
        """Returns what an aggregated API answers at `path`, of at most `longest` bytes, within
        `patience` seconds from when the request is sent: once it is the turn of `namespace`.

        It takes no seat of other reads and is not repeated: a server behind the API server that is
        slow or away does not mean that the API server has no capacity.
        """
        content = b""
        async with self._aggregated.turn(namespace):
            try:
                async with (
                    asyncio.timeout(patience),
                    self._session.get(
                        self._base + path,
                        params=query,
                        middlewares=(self._credentials.middleware,),
                        trace_request_ctx=("read", "aggregated"),
                    ) as response,
                ):
                    async for chunk in response.content.iter_any():
                        content += chunk
                        if len(content) > longest:
                            text = f"the answer is longer than {longest >> 10} KiB"
                            raise ApiError(0, "TooLarge", text)
            except TimeoutError as error:
                raise ApiError(0, "Timeout", f"no answer within {patience:g}s") from error
            except aiohttp.ClientError as error:
                raise ApiError(0, type(error).__name__, str(error)) from error
        if response.status >= 400:
            raise ApiError.decoded(response.status, content)
        return content

    async def create(
        self, resource: Resource, namespace: str | None, body: Body, *, dry_run: bool = False
    ) -> Body:
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path, label = resource.path(namespace), ("create", resource.plural)
        return await self.request("POST", path, body, query=query, label=label)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Body, *, force: bool
    ) -> Body:
        """Applies server-side. Without `force`, a field that another manager owns is a conflict."""
        query = {
            "fieldManager": FIELD_MANAGER,
            "fieldValidation": "Strict",
            "force": str(force).lower(),
        }
        return await self.request(
            "PATCH",
            resource.path(namespace, name),
            body,
            query=query,
            content_type=_APPLY,
            label=("patch", resource.plural),
        )

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Body,
        subresource: str | None = None,
    ) -> Body:
        return await self.request(
            "PATCH",
            resource.path(namespace, name, subresource),
            patch,
            query={"fieldManager": FIELD_MANAGER},
            content_type=_MERGE,
            label=("patch", resource.part(subresource)),
        )

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Body,
        subresource: str | None = None,
    ) -> Body:
        path, label = resource.path(namespace, name, subresource), resource.part(subresource)
        return await self.request("PUT", path, body, label=("update", label))

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, uid: str | None = None
    ) -> Body | None:
        """Deletes in the background. Returns the object if it still exists, None otherwise.

        A missing object is not an error. An object with finalizers of other controllers stays,
        terminating.
        """
        options: Body = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            path, label = resource.path(namespace, name), ("delete", resource.plural)
            answer = await self.request("DELETE", path, options, label=label)
        except ApiError as error:
            if not error.not_found:
                raise
            return None
        held = (answer.get("metadata") or {}).get("finalizers")
        return answer if held else None

    async def watch(
        self, resource: Resource, namespace: str | None, **query: str
    ) -> AsyncIterator[Body]:
        """Yields events `{type, object}` until the server ends the watch. Raises ApiError for an
        ERROR event."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "290", **query}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_WATCH_SILENCE)
        async with AsyncExitStack() as stack:
            async with self._seat("GET"):
                response = await stack.enter_async_context(
                    self._session.get(
                        self._base + resource.path(namespace),
                        params=query,
                        middlewares=(self._credentials.middleware,),
                        timeout=timeout,
                        trace_request_ctx=("watch", resource.plural),
                    )
                )
                if response.status >= 400:
                    content = await response.read()
                    raise ApiError.decoded(
                        response.status, content, response.headers.get("Retry-After")
                    )
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    if not line:
                        continue
                    event: Body = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError(
                            status.get("code", 500),
                            status.get("reason", ""),
                            status.get("message", ""),
                        )
                    yield event

    async def request(
        self,
        method: str,
        path: str,
        body: Body | Sequence[Body] | None = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = _JSON,
        label: Label | None = None,
    ) -> Body:
        """Sends a request to `path`; `label` is handed to the session's traces."""
        retries = Retries(self._timing, urgency.get())
        while True:
            try:
                return await self._attempt(method, path, body, query, content_type, label)
            except ApiError as error:
                wait = retries.wait(error)
                if wait is None:
                    raise
            await self._timing.sleep(wait)

    async def _attempt(
        self,
        method: str,
        path: str,
        body: Body | Sequence[Body] | None,
        query: dict[str, str] | None,
        content_type: str,
        label: Label | None,
    ) -> Body:
        if self._throttle and method != "GET":
            await self._throttle.admit()
        async with self._seat(method):
            limit = _READ_TIMEOUT if method == "GET" else self._write_timeout(path)
            try:
                async with self._session.request(
                    method,
                    self._base + path,
                    params=query,
                    data=orjson.dumps(body) if body is not None else None,
                    headers={"Content-Type": content_type},
                    middlewares=(self._credentials.middleware,),
                    timeout=aiohttp.ClientTimeout(total=limit, sock_connect=10),
                    trace_request_ctx=label,
                ) as response:
                    content = await response.read()
            except (TimeoutError, aiohttp.ClientError) as error:
                raise ApiError(0, type(error).__name__, str(error)) from error
            if response.status >= 400:
                raise ApiError.decoded(
                    response.status, content, response.headers.get("Retry-After")
                )
        result: Body = orjson.loads(content)
        return result

    @asynccontextmanager
    async def _seat(self, method: str) -> AsyncIterator[None]:
        """Waits until a request may be sent, and adjusts the limit by how it ends."""
        if self._limits is None:
            yield
            return
        limiter = self._limits.reads if method == "GET" else self._limits.writes
        seat, refused, may_be_fault = await limiter.take(), False, False
        try:
            yield
        except ApiError as error:
            refused, may_be_fault = error.overloaded, not error.unprocessed
            raise
        finally:
            limiter.give_back(seat, refused=refused, may_be_fault=may_be_fault)

    def _write_timeout(self, path: str) -> float:
        """Returns for how many seconds a write at `path` may be under way.

        Raises ApiError when another process may write by now.
        """
        left = self._fence(namespace_of(path)) if self._fence else _READ_TIMEOUT
        if left <= 0:
            raise ApiError(0, "NotLeading", "the Lease has expired: another operator may write now")
        return min(left, _READ_TIMEOUT)
