"""A model that is deleted while its decision is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import WorkQueue
from canarium.engine.reconciler import Reconciler
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from engine.model import PARENT

rule = pytest.mark.rule


class Going:
    """An API server that rejects creations, since their owner has just been deleted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.store: Store

    async def create(self, *_: Any, **__: Any) -> dict[str, Any]:
        self.asked.append("create")
        self.store.parents.forget("risk", "fraud", "u", 2)
        raise ApiError(403, "Forbidden", "the namespace is being terminated")

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise ApiError(404, "NotFound", "there is none")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nothing is left to {name}")


@rule("R20")
async def test_deletion_of_a_model_ends_its_reconcile() -> None:
    api, timing = Going(), Timing()
    queue: WorkQueue[Key] = WorkQueue(timing)
    api.store = store = Store(queue.add)
    store.parents.observe(PARENT)
    await Reconciler(api, store, queue, timing).reconcile(("risk", "fraud"))  # type: ignore[arg-type]
    assert api.asked == ["create"]
