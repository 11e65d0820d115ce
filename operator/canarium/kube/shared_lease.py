"""One Lease that several leaders hold together, each some of its shards (decision 0087).

Each leader has a record among the annotations, which no other process changes while it is renewed.
The object is the only place where shards change hands, and the API server orders its versions:

- A shard is taken by a replacement of the version in which no live leader has it.
- A leader renews its record by a patch that tests the record itself and the holder of the Lease, so
  leaders do not conflict with each other, and one that was replaced notices.
- The holder is the number of shards. Leaders of another number, or of a Lease that is not shared,
  wait until it is empty or has not been renewed by anyone, as for any other holder.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.identity import Identity
from canarium.kube.observed_leaders import ObservedLeaders
from canarium.kube.resources import LEASES
from canarium.kube.shards import (
    RECORDS,
    Change,
    Leader,
    Shards,
    change,
    holder_of,
    shard_of,
)
from canarium.kube.throttle import first

log = logging.getLogger(__name__)
Raw = dict[str, Any]
_NONE: Shards = frozenset()
_OPERATIONS = "application/json-patch+json"
#: Attempts at a replacement in one turn: others may renew between the read and the write.
_ATTEMPTS = 3
#: Seconds that a turn waits for the end of reconciles before the next renewal.
_PAUSE = 0.5


class SharedLease:
    """One process among the leaders of `count` shards; all times are in seconds.

    The rules are those of `Lease`, for each record instead of the whole Lease: a leader gives up
    its shards `renew` seconds after it *began* its last successful renewal, and others take them
    `duration` seconds after they *saw* the last one.

    A leader hands shards over once the leaders have been the same for twice `duration`, so
    that an upgrade, which replaces one process after the other, moves few of them.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: Identity,
        count: int,
        duration: float = 15.0,
        renew: float = 10.0,
        retry: float = 2.0,
        timing: Timing | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        if not retry < renew < duration:
            raise ValueError("a lease needs retry < renew < duration")
        self._client, self._namespace, self._name = client, namespace, name
        self._identity, self._count, self._holder = identity, count, holder_of(count)
        self._duration, self._renew, self._retry = duration, renew, retry
        self._notes = dict(notes or {})
        self._timing = timing or Timing()
        self._clock, self._sleep = self._timing.clock, self._timing.sleep
        #: Our record as the API server has it; None: we are not among the leaders.
        self._record: Leader | None = None
        self._renewed = 0.0
        self._tried = self._clock()
        #: Shards that may be written, those that are being handed over, and those that the next
        #: record no longer lists.
        self._held, self._handing_over, self._handed_over = _NONE, _NONE, _NONE
        self._observed = ObservedLeaders(identity, count, duration, self._clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        #: Called with shards from the moment on at which they may be written.
        self.gained: Callable[[Shards], None] = _ignore
        #: Awaited before shards are handed over: when it returns, no decision about them is under
        #: way.
        self.finish: Callable[[Shards], Awaitable[None]] = _finished

    @property
    def shards(self) -> Shards:
        """Returns the shards that this process decides about."""
        return _NONE if self.lost.is_set() else self._held - self._handing_over

    def leads(self, namespace: str) -> bool:
        """Returns whether this process decides about models in `namespace`."""
        return shard_of(namespace, self._count) in self.shards

    def left(self, namespace: str) -> float:
        """Returns for how many seconds this process may write in `namespace`; 0 or less: not at
        all. Checked before each write, since timers are late after a process was suspended."""
        if self.lost.is_set() or shard_of(namespace, self._count) not in self._held:
            return 0.0
        return self._renewed + self._renew - self._clock()

    def age(self) -> float:
        """Returns the seconds since the last attempt to join or renew."""
        return self._clock() - self._tried

    async def acquire(self) -> None:
        """Waits until this process is one of the leaders, then renews its record in the background
        until `release`. API errors are retried."""
        while not await self._attempt(self._renew, self._join):
            await self._sleep(self._retry)
        self.lost.clear()
        self._task = asyncio.create_task(self._keep(), name=f"lease {self._name}")

    async def release(self) -> None:
        """Stops renewing and removes our record, so that others may take its shards. Never
        raises."""
        tasks = [*self._tasks, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        record, self._task = self._record, None
        self._record, self._held, self._handing_over, self._handed_over = None, _NONE, _NONE, _NONE
        if record is None or self.lost.is_set():
            return
        try:
            async with asyncio.timeout(self._retry):
                await self._leave()
        except (ApiError, TimeoutError) as error:
            log.info("Lease %s not released, our shards will expire: %s", self._name, error)

    async def _leave(self) -> None:
        """Removes our record. The last leader empties the Lease for leaders of another number of
        shards."""
        for attempt in range(_ATTEMPTS):
            lease = await self._get()
            others = self._observed.leaders(lease)
            others.pop(self._identity.name, None)
            if lease["spec"].get("holderIdentity") != self._holder:
                return
            spec = lease["spec"] | {"renewTime": self._now()}
            if not others:
                spec |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            try:
                await self._replace(lease, others, spec)
            except ApiError as error:
                if not error.conflict or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    async def _keep(self) -> None:
        try:
            await self._renew_until_lost()
            log.error("lease %s lost", self._name)
        except Exception:
            # Nothing renews our record any more, so this process must not keep writing.
            log.exception("lease %s lost", self._name)
        self.lost.set()

    async def _renew_until_lost(self) -> None:
        while True:
            await self._sleep(self._retry)
            left = self._renewed + self._renew - self._clock()
            if left > 0 and await self._attempt(left, self._turn):
                continue
            if self._record is None or self._clock() >= self._renewed + self._renew:
                return

    async def _attempt(self, limit: float, act: Callable[[], Awaitable[bool]]) -> bool:
        """Joins or renews; `limit` bounds a request that hangs."""
        self._tried = self._clock()
        try:
            async with asyncio.timeout(limit):
                with first():
                    return await act()
        except (ApiError, TimeoutError) as error:
            log.warning("lease %s: %s", self._name, error or "no answer")
            return False

    async def _join(self) -> bool:
        try:
            lease = await self._get()
        except ApiError as error:
            if not error.not_found:
                raise
            lease = {}
        if lease and not self._observed.is_free(lease):
            return False
        await self._claim(lease)
        return True

    async def _turn(self) -> bool:
        """Renews our record, takes shards without a leader, and hands over those that exceed our
        share."""
        lease = await self._renewal()
        if lease is None:
            return False
        for attempt in range(_ATTEMPTS):
            live = self._observed.live(lease)
            if not self._change(live).take and live == self._observed.leaders(lease):
                break
            try:
                lease = await self._claim(lease)
                break
            except ApiError as error:
                if not error.conflict or attempt == _ATTEMPTS - 1:
                    raise
            lease = await self._get()
            if not self._is_ours(lease):
                self._drop()
                return False
        if self._observed.are_settled() and (
            surplus := self._change(self._observed.live(lease)).hand_over - self._handing_over
        ):
            await self._hand_over(surplus)
        return self._record is not None

    async def _renewal(self) -> Raw | None:
        """Renews our record; returns the Lease, or None when we are no longer among the leaders.

        A renewal without an answer may have reached the server: then the record there is newer than
        the one that we know, and a second attempt renews that one.
        """
        for last in (False, True):
            try:
                return await self._patch()
            except ApiError as error:
                if last or error.status not in (404, 409, 422):
                    raise
            try:
                lease = await self._get()
            except ApiError as error:
                if not error.not_found:
                    raise
                lease = {}
            if not self._is_ours(lease):
                self._drop()
                return None
            self._record = self._observed.leaders(lease)[self._identity.name]
        return None

    async def _patch(self) -> Raw:
        old = self._record
        assert old is not None
        new = self._renewed_record(old)
        path = "/metadata/annotations/" + old.key.replace("/", "~1")
        began = self._clock()
        lease = await self._client.request(
            "PATCH",
            LEASES.path(self._namespace, self._name),
            [
                {"op": "test", "path": "/spec/holderIdentity", "value": self._holder},
                {"op": "test", "path": path, "value": old.text()},
                {"op": "replace", "path": path, "value": new.text()},
                {"op": "replace", "path": "/spec/renewTime", "value": self._now()},
            ],
            content_type=_OPERATIONS,
            label=("patch", LEASES.plural),
        )
        self._accept(lease, new, began)
        return lease

    async def _claim(self, lease: Raw) -> Raw:
        """Writes our record with the free shards of our share, and without the records of leaders
        that have ended; `lease` is empty if there is none."""
        began = self._clock()
        self._observed.note(lease)
        live = self._observed.live(lease)
        old = live.get(self._identity.name) or Leader(self._identity.name, _NONE, 0, self._duration)
        new = self._renewed_record(old, self._change(live).take)
        others = {name: leader for name, leader in live.items() if name != new.name}
        written = await self._replace(lease, {**others, new.name: new}, self._specification(lease))
        self._accept(written, new, began)
        return written

    def _renewed_record(self, old: Leader, more: Shards = _NONE) -> Leader:
        shards = (old.shards | more) - self._handed_over
        return Leader(old.name, shards, old.renewals + 1, self._duration)

    def _accept(self, lease: Raw, record: Leader, began: float) -> None:
        """Notes a write that the API server has accepted, from which on its shards are ours."""
        # The next record leaves out what was handed over while this write was under way.
        self._handed_over &= record.shards
        more = record.shards - self._handed_over - self._held
        self._record, self._renewed = record, began
        self._held = record.shards - self._handed_over
        self._observed.note(lease)
        if more:
            self.gained(more)

    async def _hand_over(self, shards: Shards) -> None:
        """Begins to hand shards over: nothing more is decided about them, and they are removed from
        our record as soon as nothing about them is under way."""
        self._handing_over |= shards
        task = asyncio.create_task(self._finish(shards), name=f"handing over {sorted(shards)}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait([task], timeout=_PAUSE)
        if shards <= self._handed_over:
            await self._renewal()

    async def _finish(self, shards: Shards) -> None:
        try:
            await self.finish(shards)
        except Exception:
            log.exception(
                "lease %s lost: shards %s cannot be handed over", self._name, sorted(shards)
            )
            self.lost.set()
        self._held -= shards
        self._handing_over -= shards
        self._handed_over |= shards

    def _change(self, live: Mapping[str, Leader]) -> Change:
        held = {name: leader.shards for name, leader in live.items()}
        held.setdefault(self._identity.name, _NONE)
        return change(self._identity.name, held, self._count)

    def _drop(self) -> None:
        """Notes that others have removed our record, or deleted the Lease."""
        self._record, self._held = None, _NONE

    def _is_ours(self, lease: Raw) -> bool:
        return self._identity.name in self._observed.leaders(lease)

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._timing.now(), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _specification(self, lease: Raw) -> Raw:
        old, now = lease.get("spec") or {}, self._now()
        same = old.get("holderIdentity") == self._holder
        return {
            **old,
            "holderIdentity": self._holder,
            "leaseDurationSeconds": max(1, math.ceil(self._duration)),
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if same else now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + bool(old and not same),
        }

    async def _get(self) -> Raw:
        lease = await self._client.get(LEASES, self._namespace, self._name)
        lease.setdefault("spec", {})
        self._observed.note(lease)
        return lease

    async def _replace(self, lease: Raw, leaders: Mapping[str, Leader], spec: Raw) -> Raw:
        """Creates or replaces the Lease, unless it has changed since it was read."""
        meta = lease.get("metadata") or {"namespace": self._namespace, "name": self._name}
        kept = {
            key: text
            for key, text in (meta.get("annotations") or {}).items()
            if not key.startswith(RECORDS)
        }
        records = {leader.key: leader.text() for leader in leaders.values()}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {**meta, "annotations": {**kept, **self._notes, **records}},
            "spec": spec,
        }
        if lease:
            return await self._client.replace(LEASES, self._namespace, self._name, body)
        return await self._client.create(LEASES, self._namespace, body)


def _ignore(shards: Shards) -> None:
    """Does nothing: for holders that ask `leads` only."""


async def _finished(shards: Shards) -> None:
    """Returns at once: for holders that have nothing under way."""
