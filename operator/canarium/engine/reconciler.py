"""One key, one decision: facts in, writes out, the status last."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from canarium.api.defaults import settings_of
from canarium.api.model import Spec
from canarium.api.status import Status
from canarium.core.observed import Rejection
from canarium.core.phases import plan
from canarium.core.plan import Plan
from canarium.core.situation import stamp
from canarium.engine.executor import Executor, Refused
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.store import Key, Store
from canarium.kube import kinds
from canarium.kube.faults import ApiError
from canarium.kube.transport import Client
from canarium.render import workload

log = logging.getLogger(__name__)
#: A refusal is believed for so long; then the write is tried again (a quota may have grown).
_REFUSAL_LASTS = 30.0


class Reconciler:
    """Works the queue off. `clock` gives POSIX seconds."""

    def __init__(self, client: Client, namespace: str | None = None) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(time.monotonic)
        self.store = Store(client, self.queue.add, namespace)
        self._client = client
        self._executor = Executor(client, self.store)
        self._refusals: dict[Key, tuple[int, float, Rejection]] = {}

    async def run(
        self, workers: int = 8, lead: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Follows the cluster and reconciles until cancelled.

        `lead` is waited for between the two, with the caches warm: only a leader writes.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.store.run())
            await self.store.synced()
            if lead:
                await lead()
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self.reconcile(key)
                self.queue.forget(key)
            except ApiError as error:
                wait = self.queue.backoff(key) if error.retry_after is None else error.retry_after
                self.queue.add_after(key, wait)
                log.warning("%s/%s: %s; again in %.1f s", *key, error, wait)
            except Exception:
                wait = self.queue.backoff(key)
                log.exception("%s/%s: again in %.1f s", *key, wait)
            finally:
                self.queue.done(key)

    async def reconcile(self, key: Key) -> None:
        """One decision for `key`, carried out. ApiError when a write should be tried again."""
        parent = self.store.parents.get(key)
        if parent is None or parent.raw["metadata"].get("deletionTimestamp"):
            self._refusals.pop(key, None)
            return
        raw = parent.raw
        decision = self._decide(key, raw)
        if decision is None:
            return
        try:
            for action in decision.actions:
                await self._executor.carry_out(raw, action)
            if not decision.actions:
                await self._executor.repair(raw)
        except Refused as refused:
            generation = raw["metadata"]["generation"]
            self._refusals[key] = (generation, time.time(), refused.rejection)
            decision = self._decide(key, raw)
            assert decision is not None
        await self._tell(key, raw, decision)
        if decision.requeue_after is not None:
            self.queue.add_after(key, max(decision.requeue_after, 0.02))

    def _decide(self, key: Key, raw: dict[str, Any]) -> Plan | None:
        generation = raw["metadata"]["generation"]
        try:
            spec = Spec.model_validate(raw["spec"])
        except ValidationError as error:
            log.error("%s/%s: the schema let an invalid spec pass: %s", *key, error)
            return None
        return plan(
            raw["spec"],
            settings_of(spec),
            Status.model_validate(raw.get("status") or {}),
            self.store.observed(key, self._refusal(key, generation)),
            now=time.time(),
            generation=generation,
            name=key[1],
        )

    def _refusal(self, key: Key, generation: int) -> Rejection | None:
        known = self._refusals.get(key)
        if known and known[0] == generation and time.time() - known[1] < _REFUSAL_LASTS:
            return known[2]
        self._refusals.pop(key, None)
        return None

    async def _tell(self, key: Key, raw: dict[str, Any], decision: Plan) -> None:
        """Writes the status if it is new, against the version that was decided on; then Events."""
        status = decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        if status != raw.get("status"):
            body = {**raw, "status": status}
            path = kinds.MODELS.path(*key, "status")
            try:
                answer = await self._client.put(path, body)
            except ApiError as error:
                if error.not_found:
                    return
                if not error.conflict:
                    raise
                # A newer parent is on its way and will wake this key; this is for the case
                # that it has already come.
                self.queue.add_after(key, 0.05)
            else:
                self.store.see_parent(answer)
                self.queue.add(key, Urgency.RESYNC)
        for event in decision.events:
            log.info("%s/%s: %s: %s", *key, event.reason, event.message)
            body = workload.event(raw, event.kind, event.reason, event.message, stamp(time.time()))
            try:
                await self._client.create(kinds.EVENTS, key[0], body)
            except ApiError as error:
                log.warning("%s/%s: no Event: %s", *key, error)
