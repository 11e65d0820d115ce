"""Callers who speak gRPC: all on one kept connection, so that a split by connection would show."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError

from sandbox.gateway import Gateway
from support.burst import Burst, Reply
from support.grpc_wire import PORT, PREDICT, Plain
from support.models import spec

T = TypeVar("T")
#: Authority of a call on the loopback.
HOST = "localhost"
#: Calls under way at a time in a burst.
_AT_ONCE = 16


def spoken(tag: str, *, at: str = HOST, mirror: bool = False, **rollout: Any) -> dict[str, Any]:
    """Version `tag` of the server that speaks gRPC, behind the Gateway at the host `at`."""
    gateway = {"parentRefs": [Gateway.parent()], "hostnames": [at], "protocol": "GRPC"}
    body = spec(
        tag,
        traffic={"router": "Gateway", "gateway": {**gateway, **({"mirror": {}} if mirror else {})}},
        rollout={"bakeTime": "2s", "scaleDownDelay": "1s", **rollout},
    )
    body["runtime"]["image"] = f"canarium.dev/story-grpc:{tag}"
    body["runtime"]["ports"] = [{"name": "grpc", "port": PORT}]
    return body


class Speaker:
    """Calls `host:port` by gRPC over one connection until `stop`; routes match the host, or the
    `authority`."""

    def __init__(self, host: str, port: int, authority: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._channel = self._run(_channel(host, port, authority))
        self._steady: list[asyncio.Task[None]] = []
        self.replies: list[Reply] = []

    def stop(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def answers(self) -> bool:
        """Whether a call is answered now."""
        return self._run(self._call({})).version is not None

    def keep_calling(self, rate: float) -> None:
        """Calls `rate` times a second from now on; the replies are in `replies`."""

        async def start() -> None:
            self._steady.append(asyncio.create_task(self._steadily(1 / rate)))

        self._run(start())

    def failed(self) -> list[Reply]:
        return [reply for reply in list(self.replies) if reply.version is None]

    def burst(self, count: int, **metadata: str) -> Burst:
        """Sends `count` calls as fast as they are answered."""
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        return self._run(self._burst(count, named))

    async def _burst(self, count: int, metadata: Mapping[str, str]) -> Burst:
        result, left = Burst(), iter(range(count))

        async def some() -> None:
            for _ in left:
                reply = await self._call(metadata, result)
                if reply.version is None:
                    result.faults.append(reply.fault)
                else:
                    result.versions[reply.version] += 1

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
        return result

    async def _steadily(self, pause: float) -> None:
        while True:
            self.replies.append(await self._call({}))
            await asyncio.sleep(pause)

    async def _call(self, metadata: Mapping[str, str], result: Burst | None = None) -> Reply:
        at = time.time()
        predict = UnaryUnaryMethod[bytes, bytes](self._channel, PREDICT, bytes, bytes)
        try:
            async with predict.open(timeout=5, metadata=dict(metadata)) as stream:
                await stream.send_message(b"", end=True)
                answer = await stream.recv_message()
                if result is not None:
                    headers = dict(stream.initial_metadata or ())
                    result.header_versions[str(headers.get("x-canarium-version"))] += 1
        except (GRPCError, StreamTerminatedError, OSError) as error:
            return Reply(at, None, repr(error))
        return Reply(at, (answer or b"").decode())

    async def _end(self) -> None:
        for task in self._steady:
            task.cancel()
        await asyncio.gather(*self._steady, return_exceptions=True)
        self._channel.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)


class _Channel(Channel):
    """A channel whose calls name another host than the one that it connects to."""

    def __init__(self, host: str, port: int, authority: str | None) -> None:
        super().__init__(host, port, codec=Plain())
        if authority is not None:
            self._authority = authority


async def _channel(host: str, port: int, authority: str | None) -> Channel:
    # It belongs to the loop that runs when it is made.
    return _Channel(host, port, authority)
