"""All that is known of the cluster: parents by key, children by parent, whoever changes wakes it.

A parent's children are found by the model label, which a Service's EndpointSlices inherit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from canarium.core.observed import Observed, Rejection
from canarium.engine import projections
from canarium.engine.projections import Child
from canarium.engine.queue import Urgency
from canarium.kube import kinds
from canarium.kube.cache import Informer
from canarium.kube.kinds import Resource
from canarium.kube.transport import Client
from canarium.render import labels, runtime

Key = tuple[str, str]
Wake = Callable[[Key, Urgency], None]

_PROJECTIONS: dict[Resource, Callable[[dict[str, Any]], Child[Any]]] = {
    kinds.RECORDS: projections.record,
    kinds.DEPLOYMENTS: projections.deployment,
    kinds.PODS: projections.pod,
    kinds.SERVICES: projections.service,
    kinds.ENDPOINT_SLICES: projections.endpoints,
    kinds.AUTOSCALERS: projections.autoscaler,
}


@dataclass(frozen=True, slots=True)
class Parent:
    """A ModelDeployment as last seen, whole but for managedFields."""

    raw: dict[str, Any]
    version: int


class Store:
    """The caches. `wake` is called with the key of each parent that something changed for."""

    def __init__(self, client: Client, wake: Wake, namespace: str | None = None) -> None:
        self._wake = wake
        self.parents: dict[Key, Parent] = {}
        self._children: dict[Resource, dict[Key, dict[str, Child[Any]]]] = {
            resource: defaultdict(dict) for resource in _PROJECTIONS
        }
        self.informers: dict[Resource, Informer[Child[Any]]] = {
            resource: Informer(
                client,
                resource,
                project=project,
                on_change=self._indexer(resource),
                namespace=namespace,
                selector=labels.MODEL,
            )
            for resource, project in _PROJECTIONS.items()
        }

    async def run(self) -> None:
        """Follows every kind until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers.values():
                group.create_task(informer.run())

    async def synced(self) -> None:
        """Returns when every kind has been listed once."""
        for informer in self.informers.values():
            await informer.synced.wait()

    def see_parent(self, raw: dict[str, Any]) -> None:
        meta = raw["metadata"]
        key = (meta["namespace"], meta["name"])
        version = int(meta["resourceVersion"])
        old = self.parents.get(key)
        if old and old.raw["metadata"]["uid"] == meta["uid"] and old.version >= version:
            return
        kept = {**raw, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}
        self.parents[key] = Parent(kept, version)
        if old is None or old.raw["metadata"].get("generation") != meta.get("generation"):
            self._wake(key, Urgency.CHANGE)
        elif old.raw.get("status") != raw.get("status"):
            self._wake(key, Urgency.RESYNC)

    def lose_parent(self, key: Key) -> None:
        if self.parents.pop(key, None):
            self._wake(key, Urgency.RESYNC)

    def children(self, resource: Resource, key: Key) -> list[Child[Any]]:
        return list(self._children[resource][key].values())

    def observed(self, key: Key, rejection: Rejection | None) -> Observed:
        """The facts of one parent; what is not controlled by it counts as foreign (R24)."""
        uid = self.parents[key].raw["metadata"]["uid"]
        foreign: list[str] = []

        def ours(resource: Resource) -> list[Any]:
            found = []
            for child in self.children(resource, key):
                if child.owner == uid:
                    found.append(child.fact)
                elif child.owner is None or resource is kinds.SERVICES:
                    foreign.append(f"{resource.kind} {child.name}")
            return found

        names: frozenset[str] = frozenset().union(
            *(child.fact for child in self.children(kinds.ENDPOINT_SLICES, key))
        )
        service = next(iter(ours(kinds.SERVICES)), None)
        return Observed(
            records=tuple(sorted(ours(kinds.RECORDS), key=lambda r: r.number)),
            deployments=tuple(ours(kinds.DEPLOYMENTS)),
            pods=tuple(child.fact for child in self.children(kinds.PODS, key)),
            service=replace(service, endpoints=names) if service else None,
            autoscalers=tuple(ours(kinds.AUTOSCALERS)),
            rejection=rejection,
            foreign=tuple(sorted(foreign)),
            known_runtimes=frozenset(runtime.builtin()),
        )

    def _indexer(
        self, resource: Resource
    ) -> Callable[[Child[Any] | None, Child[Any] | None], None]:
        index = self._children[resource]
        urgency = Urgency.FAULT if resource is kinds.PODS else Urgency.CHANGE

        def changed(old: Child[Any] | None, new: Child[Any] | None) -> None:
            gone = old or new
            assert gone is not None
            key = (gone.namespace, gone.model)
            if new is None:
                index[key].pop(gone.name, None)
            else:
                key = (new.namespace, new.model)
                index[key][new.name] = new
            if key in self.parents:
                self._wake(key, urgency)

        return changed
