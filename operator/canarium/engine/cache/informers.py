"""Which namespaces are followed: the watches of every kind of child, started and stopped.

Either all namespaces by one watch per kind, or each namespace by watches of its own, which may
come and go while the process runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from canarium.engine.cache.gateways import Gateways
from canarium.engine.cache.routes import ROUTES
from canarium.engine.cache.runtimes import Runtimes
from canarium.kube.cache import Cache
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.reflector import Reflector
from canarium.kube.resources import Resource
from canarium.render import labels

log = logging.getLogger(__name__)
#: None is all namespaces.
Namespace = str | None
#: Pages of lists that are in memory at a time. Not one: a list that hangs holds up no other.
_PAGES = 2
#: Stands for what is in no namespace; no namespace has this name.
CLUSTER = ""


class Informers:
    """The watches that keep `caches` true."""

    def __init__(
        self,
        api: Api,
        caches: Mapping[Resource, Cache[Any]],
        timing: Timing | None = None,
        runtimes: Runtimes | None = None,
        gateways: Gateways | None = None,
        claims: Mapping[Resource, Cache[Any]] | None = None,
    ) -> None:
        self._api = api
        self._caches = caches
        self._gateways = gateways
        #: Kinds of routes whose watch takes in everybody's, and hands those of models on.
        self._claims = claims or {}
        #: Kinds of routes that some model asks for: no others are watched.
        self._wanted: set[Resource] = set()
        self._admins = runtimes.caches if runtimes else {}
        self._cluster = runtimes.cluster_caches if runtimes else {}
        self._timing = timing or Timing()
        self._turn = asyncio.Semaphore(_PAGES)
        self._reflectors: dict[Namespace, list[Reflector]] = {}
        self._tasks: dict[Namespace, list[asyncio.Task[None]]] = {}

    def start(self, namespace: Namespace) -> None:
        """Follows `namespace` from now on."""
        if namespace in self._reflectors:
            return
        if self._cluster and CLUSTER not in self._reflectors:
            self._run(CLUSTER, self._written_by_admins(self._cluster, None))
        children = [
            Reflector(
                self._api,
                resource,
                cache,
                namespace=namespace,
                selector=labels.MODEL,
                timing=self._timing,
                turn=self._turn,
            )
            for resource, cache in self._caches.items()
            if resource not in ROUTES.values()
        ]
        routes = [self._routes(resource, namespace) for resource in self._wanted]
        admins = self._written_by_admins(self._admins, namespace)
        self._run(namespace, [*children, *routes, *admins])

    def want(self, resource: Resource) -> None:
        """Follows a kind of route from now on; nothing is decided before it has been listed."""
        if self._gateways is None or resource in self._wanted:
            return
        if not self._wanted:
            self._run(
                CLUSTER,
                [
                    self._told(kind, cache, None, "")
                    for kind, cache in self._gateways.caches.items()
                ],
            )
        self._wanted.add(resource)
        for namespace in self.namespaces:
            self._run(namespace, [self._routes(resource, namespace)])

    def _routes(self, resource: Resource, namespace: Namespace) -> Reflector:
        if resource in self._claims:
            return self._told(resource, self._claims[resource], namespace, "")
        return self._told(resource, self._caches[resource], namespace, labels.MODEL)

    def _told(
        self, resource: Resource, cache: Cache[Any], namespace: Namespace, selector: str
    ) -> Reflector:
        """A kind that may not be installed; whether it is, the gateways are told."""
        assert self._gateways is not None
        return Reflector(
            self._api,
            resource,
            cache,
            namespace=namespace,
            selector=selector,
            timing=self._timing,
            optional=True,
            turn=self._turn,
            answered=partial(self._gateways.answered, resource, namespace),
        )

    def _written_by_admins(
        self, caches: Mapping[Resource, Cache[Any]], namespace: Namespace
    ) -> list[Reflector]:
        """Kinds that may not be installed, or not be ours to see: then there are none of them."""
        return [
            Reflector(
                self._api,
                kind,
                cache,
                namespace=namespace,
                timing=self._timing,
                optional=True,
                turn=self._turn,
            )
            for kind, cache in caches.items()
        ]

    def _run(self, namespace: Namespace, reflectors: list[Reflector]) -> None:
        self._reflectors.setdefault(namespace, []).extend(reflectors)
        tasks = [asyncio.create_task(r.run(), name=str(r)) for r in reflectors]
        self._tasks.setdefault(namespace, []).extend(tasks)

    async def stop(self, namespace: Namespace) -> None:
        """Follows `namespace` no more, and forgets what is in it."""
        self._reflectors.pop(namespace, None)
        await _end(self._tasks.pop(namespace, []))
        if namespace is not None:
            claims = self._claims.values()
            for cache in (*self._caches.values(), *self._admins.values(), *claims):
                cache.drop(namespace)

    async def stop_all(self) -> None:
        """Ends every watch; what is known stays."""
        self._reflectors.clear()
        tasks = [task for some in self._tasks.values() for task in some]
        self._tasks.clear()
        await _end(tasks)

    @property
    def namespaces(self) -> frozenset[Namespace]:
        return frozenset(self._reflectors) - {CLUSTER}

    def follows(self, namespace: str) -> bool:
        """Whether `namespace` is followed, by itself or with all others."""
        return None in self._reflectors or namespace in self._reflectors

    def covers(self, namespace: str) -> bool:
        """Whether all kinds in `namespace` have been listed: only then may it be decided on."""
        reflectors = self._reflectors.get(None) or self._reflectors.get(namespace)
        whole = [*(reflectors or ()), *self._reflectors.get(CLUSTER, ())]
        return bool(reflectors) and all(r.synced.is_set() for r in whole)

    async def synced(self) -> None:
        """Returns when every kind of every namespace that is followed now has been listed."""
        for reflector in list(self.reflectors()):
            await reflector.synced.wait()

    @property
    def all_synced(self) -> bool:
        return all(r.synced.is_set() for r in self.reflectors())

    def reflectors(self) -> Iterator[Reflector]:
        for some in self._reflectors.values():
            yield from some

    def ended(self) -> list[str]:
        """Names of watches that have ended though nobody stopped them."""
        return [t.get_name() for some in self._tasks.values() for t in some if t.done()]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
