"""A reconcile of several writes, one of which fails for a while."""

from __future__ import annotations

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

PARENT = {
    "metadata": {"namespace": "risk", "name": "fraud", "uid": "u", "resourceVersion": "1",
                 "generation": 1},
    "spec": {"model": {"version": "1"},
             "runtime": {"image": "model:1", "readiness": {"path": "/ready"}}},
}  # fmt: skip
KEY = ("risk", "fraud")


class Unreliable:
    """An API server that stores records, and nothing else."""

    async def create(
        self, resource: Resource, namespace: str, body: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        if resource is not resources.RECORDS and "dry_run" not in more:
            raise ApiError(0, "Unreachable", "connection reset by peer")
        stored: dict[str, Any] = orjson.loads(orjson.dumps(body))
        stored["metadata"].update(uid="r", resourceVersion="2")
        return stored

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise ApiError(404, "NotFound", "there is none")


async def attempt(reconciler: Reconciler, queue: WorkQueue[Key]) -> float:
    """Returns the wait until the next attempt."""
    with pytest.raises(ApiError):
        await reconciler.reconcile(KEY)
    return queue.backoff(KEY)


# E1
async def test_a_write_that_succeeds_ends_the_failures_in_a_row() -> None:
    timing = Timing()
    queue: WorkQueue[Key] = WorkQueue(timing)
    store = Store(queue.add)
    store.parents.observe(PARENT)
    reconciler = Reconciler(Unreliable(), store, queue, timing)  # type: ignore[arg-type]
    before = [queue.backoff(KEY) for _ in range(6)]
    assert before[-1] > 1
    assert await attempt(reconciler, queue) < 0.1, "the record was stored"
    later = [await attempt(reconciler, queue) for _ in range(5)]
    assert later == sorted(later), "nothing more was stored"
    assert later[-1] > 1
