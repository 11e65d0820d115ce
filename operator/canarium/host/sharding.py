"""Connects the shards of a process with its engine: what it takes, and what it hands over."""

from __future__ import annotations

import logging

from canarium.engine.engine import Engine
from canarium.kube.shards import Shards, shard_of
from canarium.kube.shared_lease import SharedLease

log = logging.getLogger(__name__)


class Sharding:
    """The part of `count` shards that this process leads."""

    def __init__(self, lease: SharedLease, count: int) -> None:
        self._lease, self._count = lease, count
        #: Whether a namespace belongs to a shard that this process leads.
        self.leads = lease.leads

    def connect(self, engine: Engine) -> None:
        """Lets `engine` take and hand over the models of shards as the Lease decides."""

        def gained(shards: Shards) -> None:
            log.info("leading %s", self._text(shards))
            engine.take(lambda namespace: self._is_in(shards, namespace))

        async def finish(shards: Shards) -> None:
            await engine.hand_over(lambda namespace: self._is_in(shards, namespace))
            log.info("handed over %s to other leaders", self._text(shards))

        self._lease.gained, self._lease.finish = gained, finish

    def led(self) -> int:
        """Returns how many shards this process leads."""
        return len(self._lease.shards)

    def _is_in(self, shards: Shards, namespace: str) -> bool:
        return shard_of(namespace, self._count) in shards

    def _text(self, shards: Shards) -> str:
        kind = "shard" if len(shards) == 1 else "shards"
        return f"{kind} {', '.join(map(str, sorted(shards)))} of {self._count}"
