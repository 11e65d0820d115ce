"""Starts and stops the informers of every kind of child.

Either one watch per kind covers all namespaces, or each namespace has its own watches, which
start and stop while the process runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from canarium.engine.cache.check_templates import CheckTemplates
from canarium.engine.cache.disruption_budgets import DisruptionBudgets
from canarium.engine.cache.gateways import Gateways
from canarium.engine.cache.model_gates import ModelGates
from canarium.engine.cache.routes import ROUTES
from canarium.engine.cache.runtimes import Runtimes
from canarium.kube.cache import Cache
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.reflector import Reflector
from canarium.kube.resources import DISRUPTION_BUDGETS, Resource
from canarium.render import labels

log = logging.getLogger(__name__)
#: None is all namespaces.
Namespace = str | None
#: Pages of lists in memory at a time. More than one, so that a list that hangs blocks no other.
_PAGES = 2
#: Key of cluster-scoped kinds; no namespace has this name.
CLUSTER = ""


class Informers:
    """The watches that keep `caches` up to date."""

    def __init__(
        self,
        api: Api,
        caches: Mapping[Resource, Cache[Any]],
        timing: Timing | None = None,
        runtimes: Runtimes | None = None,
        gateways: Gateways | None = None,
        claims: Mapping[Resource, Cache[Any]] | None = None,
        budgets: DisruptionBudgets | None = None,
        model_gates: ModelGates | None = None,
        check_templates: CheckTemplates | None = None,
    ) -> None:
        self._api = api
        self._caches = caches
        self._gateways = gateways
        #: Kinds of routes that are watched whole, not by label; models' own are handed on.
        self._claims = claims or {}
        #: PodDisruptionBudgets are watched whole too.
        self._budgets = budgets
        #: Kinds of routes that a model asks for; no others are watched.
        self._check_templates = check_templates
        self._wanted: set[Resource] = set()
        self._admins: dict[Resource, Cache[Any]] = {
            **(runtimes.caches if runtimes else {}),
            **(model_gates.caches if model_gates else {}),
            **(check_templates.caches if check_templates else {}),
        }
        self._cluster: dict[Resource, Cache[Any]] = {
            **(runtimes.cluster_caches if runtimes else {}),
            **(check_templates.cluster_caches if check_templates else {}),
        }
        self._timing = timing or Timing()
        self._turn = asyncio.Semaphore(_PAGES)
        self._reflectors: dict[Namespace, list[Reflector]] = {}
        self._tasks: dict[Namespace, list[asyncio.Task[None]]] = {}

    def start(self, namespace: Namespace) -> None:
        """Starts watching `namespace`."""
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
            if resource not in (*ROUTES.values(), DISRUPTION_BUDGETS)
        ]
        routes = [self._routes(resource, namespace) for resource in self._wanted]
        admins = self._written_by_admins(self._admins, namespace)
        budgets = self._disruption_budgets(self._budgets, namespace) if self._budgets else []
        self._run(namespace, [*children, *routes, *admins, *budgets])

    def want(self, resource: Resource) -> None:
        """Starts watching a kind of route; nothing is reconciled before it has been listed."""
        if self._gateways is None or resource in self._wanted:
            return
        if not self._wanted:
            self._run(
                CLUSTER,
                [
                    self._optional_reflector(kind, cache, None, "")
                    for kind, cache in self._gateways.caches.items()
                ],
            )
        self._wanted.add(resource)
        for namespace in self.namespaces:
            self._run(namespace, [self._routes(resource, namespace)])

    def _routes(self, resource: Resource, namespace: Namespace) -> Reflector:
        if resource in self._claims:
            return self._optional_reflector(resource, self._claims[resource], namespace, "")
        return self._optional_reflector(resource, self._caches[resource], namespace, labels.MODEL)

    def _optional_reflector(
        self, resource: Resource, cache: Cache[Any], namespace: Namespace, selector: str
    ) -> Reflector:
        """Returns a reflector of a kind that may not be installed; `Gateways` learns whether it
        is."""
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

    def _disruption_budgets(
        self, budgets: DisruptionBudgets, namespace: Namespace
    ) -> list[Reflector]:
        """Returns the reflector of PodDisruptionBudgets, which the operator may not be allowed to
        read: then it creates none."""
        return [
            Reflector(
                self._api,
                DISRUPTION_BUDGETS,
                budgets,
                namespace=namespace,
                timing=self._timing,
                optional=True,
                turn=self._turn,
                answered=partial(budgets.answered, namespace),
            )
        ]

    def _written_by_admins(
        self, caches: Mapping[Resource, Cache[Any]], namespace: Namespace
    ) -> list[Reflector]:
        """Returns reflectors of kinds that may not be installed or readable: then they are
        empty, and `CheckTemplates` learns why."""
        templates = self._check_templates
        of_templates = {**templates.caches, **templates.cluster_caches} if templates else {}
        return [
            Reflector(
                self._api,
                kind,
                cache,
                namespace=namespace,
                timing=self._timing,
                optional=True,
                turn=self._turn,
                answered=partial(templates.answered, kind, namespace)
                if templates and kind in of_templates
                else None,
            )
            for kind, cache in caches.items()
        ]

    def _run(self, namespace: Namespace, reflectors: list[Reflector]) -> None:
        self._reflectors.setdefault(namespace, []).extend(reflectors)
        tasks = [asyncio.create_task(r.run(), name=str(r)) for r in reflectors]
        self._tasks.setdefault(namespace, []).extend(tasks)

    async def stop(self, namespace: Namespace) -> None:
        """Stops watching `namespace`, and drops it from the caches."""
        self._reflectors.pop(namespace, None)
        await _end(self._tasks.pop(namespace, []))
        if namespace is not None:
            whole = [*self._claims.values(), *([self._budgets] if self._budgets else ())]
            for cache in (*self._caches.values(), *self._admins.values(), *whole):
                cache.drop(namespace)

    async def stop_all(self) -> None:
        """Stops every watch; the caches stay as they are."""
        self._reflectors.clear()
        tasks = [task for some in self._tasks.values() for task in some]
        self._tasks.clear()
        await _end(tasks)

    @property
    def namespaces(self) -> frozenset[Namespace]:
        return frozenset(self._reflectors) - {CLUSTER}

    def watches(self, namespace: str) -> bool:
        """Returns whether `namespace` is watched, by itself or with all others."""
        return None in self._reflectors or namespace in self._reflectors

    def covers(self, namespace: str) -> bool:
        """Returns whether all kinds in `namespace` have been listed; it is not reconciled
        before."""
        reflectors = self._reflectors.get(None) or self._reflectors.get(namespace)
        whole = [*(reflectors or ()), *self._reflectors.get(CLUSTER, ())]
        return bool(reflectors) and all(r.synced.is_set() for r in whole)

    async def synced(self) -> None:
        """Waits until every kind of every watched namespace has been listed."""
        for reflector in list(self.reflectors()):
            await reflector.synced.wait()

    @property
    def all_synced(self) -> bool:
        return all(r.synced.is_set() for r in self.reflectors())

    def reflectors(self) -> Iterator[Reflector]:
        for some in self._reflectors.values():
            yield from some

    def ended(self) -> list[str]:
        """Returns the names of watches that ended without being stopped."""
        return [t.get_name() for some in self._tasks.values() for t in some if t.done()]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
