"""Reads of single objects and short lists that authors of models cause, in turns of namespaces.

A check reads its Secret at each measurement, so a namespace with thousands of checks sends
thousands of reads. Without turns they would precede those of other namespaces, and the lists of the
operator's own watches, in the limit on reads in flight (R31).
"""

from __future__ import annotations

from canarium.kube.client import Api, Body
from canarium.kube.clock import Timing
from canarium.kube.resources import Resource
from canarium.kube.turns import FairTurns

#: Reads of all namespaces at once, fewer than the client allows (`http`), and of one namespace.
AT_ONCE, SHARE = 16, 4


class FairReads:
    """The reads of `Api`, for sources of facts, which write nothing."""

    def __init__(self, api: Api, timing: Timing | None = None) -> None:
        self._api, self._turns = api, FairTurns(AT_ONCE, SHARE, timing=timing)

    async def list(self, resource: Resource, namespace: str | None = None, **query: str) -> Body:
        """Returns one page of a collection, once it is the turn of `namespace`."""
        async with self._turns.turn(namespace or ""):
            return await self._api.list(resource, namespace, **query)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body:
        """Returns an object, once it is the turn of `namespace`."""
        async with self._turns.turn(namespace or ""):
            return await self._api.get(resource, namespace, name)

    async def read(
        self,
        path: str,
        query: dict[str, str],
        *,
        namespace: str,
        longest: int,
        patience: float,
    ) -> bytes:
        """Returns what an aggregated API answers: such reads have separate turns."""
        return await self._api.read(
            path, query, namespace=namespace, longest=longest, patience=patience
        )
