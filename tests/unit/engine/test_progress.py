"""A reconcile of several writes, one of which fails for a while."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import orjson
import pytest

from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import WorkQueue
from canarium.engine.reconciler import Reconciler
from canarium.kube import resources
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from engine.model import PARENT

KEY = ("risk", "fraud")


class Unreliable:
    """An API server that stores records, and nothing else; `forgetful` watches do not show them."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self._forgetful, self._numbers = forgetful, count()
        self.store: Store

    async def create(
        self, resource: Resource, namespace: str, body: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        if resource is not resources.RECORDS and "dry_run" not in more:
            raise ApiError(0, "Unreachable", "connection reset by peer")
        stored: dict[str, Any] = orjson.loads(orjson.dumps(body))
        uid = f"r-{next(self._numbers)}"
        stored["metadata"].update(uid=uid, resourceVersion="2")
        if self._forgetful:
            place = (namespace, body["metadata"]["name"])
            asyncio.get_running_loop().call_soon(self.store.caches[resource].forget, *place, uid)
        return stored

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise ApiError(404, "NotFound", "there is none")


async def attempt(reconciler: Reconciler, queue: WorkQueue[Key]) -> float:
    """Returns the wait until the next attempt."""
    with pytest.raises(ApiError):
        await reconciler.reconcile(KEY)
    return queue.backoff(KEY)


def started(api: Unreliable) -> tuple[Reconciler, WorkQueue[Key]]:
    timing = Timing()
    queue: WorkQueue[Key] = WorkQueue(timing)
    api.store = store = Store(queue.add)
    store.parents.observe(PARENT)
    return Reconciler(api, store, queue, timing), queue  # type: ignore[arg-type]


# E1
async def test_a_write_that_succeeds_ends_the_failures_in_a_row() -> None:
    reconciler, queue = started(Unreliable())
    before = [queue.backoff(KEY) for _ in range(6)]
    assert before[-1] > 1
    assert await attempt(reconciler, queue) < 0.1, "the record was stored"
    later = [await attempt(reconciler, queue) for _ in range(6)]
    assert later == sorted(later), "nothing more was stored"
    assert later[-1] > 1


# E1
async def test_a_write_that_is_repeated_in_each_attempt_is_not_progress() -> None:
    reconciler, queue = started(Unreliable(forgetful=True))
    waits = []
    for _ in range(8):
        waits.append(await attempt(reconciler, queue))
        await asyncio.sleep(0)
    assert waits[-1] > 1
