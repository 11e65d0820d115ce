"""Models that are being deleted: nothing is decided any more, and a stuck deletion is reported."""

from __future__ import annotations

from canarium.core.phases import terminating
from canarium.engine.apply.executor import Executor
from canarium.engine.cache.children import parse_optional_time
from canarium.engine.cache.ownership import ORPHAN, foreign_finalizers
from canarium.engine.cache.store import Key, Raw, Store
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.clock import Timing


class DeletionReporter:
    """Reports deletions that take long, and prepares records for orphaning."""

    def __init__(
        self,
        executor: Executor,
        statuses: StatusWriter,
        store: Store,
        queue: WorkQueue[Key],
        timing: Timing,
    ) -> None:
        self._executor, self._statuses, self._store = executor, statuses, store
        self._queue, self._timing = queue, timing

    async def handle(self, key: Key, raw: Raw) -> None:
        """Handles the model `raw`, which is being deleted. Raises ApiError."""
        meta = raw["metadata"]
        if ORPHAN in (meta.get("finalizers") or ()):
            await self._executor.release(raw)
        now = self._timing.now()
        since = parse_optional_time(meta["deletionTimestamp"]) or now
        wait = since + terminating.PATIENCE - now
        if wait > 0:
            self._queue.add_after(key, wait, Urgency.RESYNC)
            return
        blocked_deletions = self._store.blocked_deletions(key)
        status = terminating.status_of(
            raw, foreign_finalizers(meta), blocked_deletions, since=since, now=now
        )
        if await self._statuses.write(key, raw, status):
            for event in terminating.events(raw, status):
                await self._statuses.post(key, raw, event, now)
