"""Leader election by a coordination.k8s.io/v1 Lease.

`kubernetes.aio.leaderelection` is not used: it does not release the Lease when it ends, so a
successor waits for its whole duration; it measures by the wall clock; and a request that hangs also
blocks its deadline.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.identity import Identity
from canarium.kube.resources import LEASES
from canarium.kube.throttle import first

log = logging.getLogger(__name__)


class Lease:
    """One candidate for one Lease; all times are in seconds.

    The holder gives up `renew` seconds after it *began* its last successful renewal. The others
    take over `duration` seconds after they *saw* the last one. With `renew` below `duration` there
    are never two holders, regardless of their clocks, as long as each runs at about the same pace.

    A process that was killed in this pod cannot write any more: the kubelet starts a container only
    after the previous one has ended. So its Lease is taken at once (decision 0056). `notes` are
    annotations to set on the Lease.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: Identity,
        duration: float = 15.0,
        renew: float = 10.0,
        retry: float = 2.0,
        timing: Timing | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        if not retry < renew < duration:
            raise ValueError("a lease needs retry < renew < duration")
        self._client = client
        self._namespace, self._name, self._identity = namespace, name, identity.name
        self._process = identity
        self._duration, self._renew, self._retry = duration, renew, retry
        self._notes = dict(notes or {})
        self._timing = timing or Timing()
        self._clock, self._sleep = self._timing.clock, self._timing.sleep
        self._observed: tuple[dict[str, Any], float] | None = None
        self._held: dict[str, Any] | None = None
        self._renewed = 0.0
        self._tried = self._clock()
        self._task: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()

    def left(self) -> float:
        """Returns for how many seconds the holder may still write; 0 or less: not at all.

        Checked before each write, since timers are late after a process was suspended.
        """
        if self._held is None or self.lost.is_set():
            return 0.0
        return self._renewed + self._renew - self._clock()

    def age(self) -> float:
        """Returns the seconds since the last attempt to acquire or renew."""
        return self._clock() - self._tried

    async def acquire(self) -> None:
        """Waits until the Lease is ours, then renews it in the background until `release`.

        API errors are retried.
        """
        while not await self._attempt(self._renew):
            await self._sleep(self._retry)
        self.lost.clear()
        self._task = asyncio.create_task(self._keep(), name=f"lease {self._name}")

    async def release(self) -> None:
        """Stops renewing and, if the Lease is still ours, empties it for a successor. Never
        raises."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        held, self._held = self._held, None
        if held is None or self.lost.is_set():
            return
        try:
            async with asyncio.timeout(self._retry):
                await self._empty()
        except (ApiError, TimeoutError) as error:
            log.info("Lease %s not released, it will expire: %s", self._name, error)

    async def _empty(self) -> None:
        """Reads first and tries twice: a cancelled renewal may have reached the server."""
        for last in (False, True):
            lease = await self._client.get(LEASES, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") != self._identity:
                return
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            try:
                await self._replace(lease)
            except ApiError as error:
                if last or not error.conflict:
                    raise
            else:
                return

    async def _keep(self) -> None:
        try:
            await self._renew_until_lost()
            log.error("lease %s lost", self._name)
        except Exception:
            # Nothing renews the Lease any more, so this process must not keep writing.
            log.exception("lease %s lost", self._name)
        self.lost.set()

    async def _renew_until_lost(self) -> None:
        while True:
            await self._sleep(self._retry)
            left = self._renewed + self._renew - self._clock()
            if left > 0 and await self._attempt(left):
                continue
            if self._held is None or self._clock() >= self._renewed + self._renew:
                return

    async def _attempt(self, limit: float) -> bool:
        """Acquires or renews the Lease; `limit` bounds a request that hangs."""
        self._tried = self._clock()
        try:
            async with asyncio.timeout(limit):
                with first():
                    return await self._take()
        except (ApiError, TimeoutError) as error:
            log.warning("lease %s: %s", self._name, error or "no answer")
            return False

    async def _take(self) -> bool:
        began = self._clock()
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if not error.not_found:
                raise
            self._held = await self._create()
        else:
            spec: dict[str, Any] = lease.get("spec") or {}
            if not self._free(spec):
                self._held = None  # Also if it was ours: another candidate has taken it.
                return False
            meta = lease["metadata"]
            noted = {**(meta.get("annotations") or {}), **self._notes}
            ours = {"metadata": {**meta, "annotations": noted}} if noted else {}
            self._held = await self._replace({**lease, **ours, "spec": self._spec(spec)})
        self._renewed = began
        return True

    def _free(self, spec: dict[str, Any]) -> bool:
        """Returns whether the Lease has expired. Only the time since *we* observed a change
        counts."""
        if self._observed is None or self._observed[0] != spec:
            self._observed = (spec, self._clock())
        holder = spec.get("holderIdentity")
        if not holder or holder == self._identity or self._process.succeeds(str(holder)):
            return True
        duration = max(self._duration, float(spec.get("leaseDurationSeconds") or 0))
        return self._clock() >= self._observed[1] + duration

    def _spec(self, old: dict[str, Any]) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self._timing.now(), UTC)
        now = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = old.get("holderIdentity") == self._identity
        return {
            **old,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, math.ceil(self._duration)),
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if ours else now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (not ours),
        }

    async def _create(self) -> dict[str, Any]:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {
                "namespace": self._namespace,
                "name": self._name,
                **({"annotations": self._notes} if self._notes else {}),
            },
            "spec": {**self._spec({}), "leaseTransitions": 0},
        }
        return await self._client.create(LEASES, self._namespace, body)

    async def _replace(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._client.replace(LEASES, self._namespace, self._name, body)
