"""Writes the status of models, and their Events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from canarium.core.context.commands import COMMANDS
from canarium.core.decision.plan import Event
from canarium.core.times import parse, stamp
from canarium.engine.cache.store import Key, Store
from canarium.engine.instrumentation import Observer
from canarium.engine.queue import WorkQueue
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.render import workload

log = logging.getLogger(__name__)
_IDENTITY = ("name", "namespace", "uid", "resourceVersion")


class StatusWriter:
    """Replaces the status of the version that was decided on, and creates Events."""

    def __init__(
        self, api: Api, store: Store, queue: WorkQueue[Key], timing: Timing, observer: Observer
    ) -> None:
        self._api, self._store, self._queue = api, store, queue
        self._timing, self._observer = timing, observer

    async def post(self, key: Key, raw: dict[str, Any], event: Event, at: float) -> None:
        """Creates one Event about `raw`, of what happened at the POSIX time `at`; a failure is
        only logged."""
        log.info("%s/%s: %s: %s", *key, event.reason, event.message)
        body = workload.event(raw, event.kind, event.reason, event.message, stamp(at))
        try:
            await self._api.create(resources.EVENTS, key[0], body)
        except ApiError as error:
            log.warning("%s/%s: cannot create an Event: %s", *key, error)

    async def write(
        self, key: Key, raw: dict[str, Any], status: dict[str, Any], *, decided: bool = False
    ) -> bool:
        """Writes the status of `raw` if it differs. Returns False if the model was changed or
        deleted: then nothing was written, and the key is queued again. Raises ApiError.

        `decided` is whether a decision on `status` itself has left it as it is: then its write
        wakes the model only if the API server stored another status.
        """
        if status == (raw.get("status") or {}):
            return True
        meta = raw["metadata"]
        body = {
            "apiVersion": raw["apiVersion"],
            "kind": raw["kind"],
            "metadata": {field: meta[field] for field in _IDENTITY},
            "status": status,
        }
        try:
            answer = await self._api.replace(resources.MODELS, *key, body, "status")
        except ApiError as error:
            if error.conflict:
                await self._read_again(key, meta["uid"])
                return False
            if error.not_found:
                self._store.parents.forget(*key, meta["uid"])
                return False
            raise
        if decided and answer.get("status") == status:
            self._store.observe_decided(answer)
        else:
            self._store.parents.observe(answer)
        before = raw.get("status") or {}
        for end in _new(before, status, "history"):
            self._observer.ended(key, end["outcome"], end.get("reason", ""), _duration(end))
        for echo in _new(before, status, "commands"):
            name = echo["command"] if echo["command"] in COMMANDS else "unknown"
            self._observer.commanded(name, echo["result"])
        return True

    async def _read_again(self, key: Key, uid: str) -> None:
        """Reads a model that was changed or replaced meanwhile, instead of waiting for the
        watch."""
        try:
            now = await self._api.get(resources.MODELS, *key)
        except ApiError as error:
            if not error.not_found:
                raise
            self._store.parents.forget(*key, uid)
            return
        if now["metadata"]["uid"] != uid:
            self._store.parents.forget(*key, uid)
        self._store.parents.observe(now)
        self._queue.add(key)


def _new(before: dict[str, Any], after: dict[str, Any], part: str) -> Iterator[dict[str, Any]]:
    """Returns the entries that a list of the status, newest first, did not have before."""
    known = before.get(part) or []
    return takewhile(lambda entry: entry not in known, after.get(part) or ())


def _duration(end: dict[str, Any]) -> float | None:
    """Returns how many seconds a revision took until its promotion or end; None if unknown."""
    try:
        return max(0.0, parse(end["time"]) - parse(end["startTime"]))
    except (KeyError, ValueError):
        return None
