"""Caches ModelRuntimes and ClusterModelRuntimes, and resolves which one a spec refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from canarium.api.base import seconds
from canarium.api.runtime import CLUSTER, NAMESPACED
from canarium.core.facts import observed
from canarium.engine.cache.children import Raw
from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.render.errors import RuntimeInvalid
from canarium.render.runtime_catalog import Catalog, RuntimeTemplate, built_in
from canarium.untrusted.quoting import quoted


@dataclass(frozen=True, slots=True)
class CachedRuntime:
    """A ModelRuntime or, with no namespace, a ClusterModelRuntime."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    runtime: RuntimeTemplate


def template(kind: str, raw: Raw) -> CachedRuntime:
    meta = raw["metadata"]
    runtime_template = RuntimeTemplate(kind, meta["name"], raw["spec"])
    version = int(meta["resourceVersion"])
    return CachedRuntime(
        meta.get("namespace", ""), meta["name"], meta["uid"], version, runtime_template
    )


class Runtimes:
    """The caches of both kinds. `changed(namespace, name)` is called for each change.

    `namespace` is "" for a ClusterModelRuntime.
    """

    def __init__(self, changed: Callable[[str, str], None]) -> None:
        self._changed = changed
        #: Those that ship with the operator, as this installation runs them.
        self.built_in = built_in()
        self._by_namespace: dict[str, dict[str, RuntimeTemplate]] = {}
        self.namespaced: Cache[CachedRuntime] = Cache(partial(template, NAMESPACED), self._index)
        self.cluster: Cache[CachedRuntime] = Cache(partial(template, CLUSTER), self._index)
        self.caches = {resources.RUNTIMES: self.namespaced}
        self.cluster_caches = {resources.CLUSTER_RUNTIMES: self.cluster}

    def catalog(self, namespace: str) -> Catalog:
        """Returns all runtimes that `namespace` may use."""
        runtimes = self._by_namespace
        return Catalog(runtimes.get(namespace, {}), runtimes.get("", {}), self.built_in)

    def selected_runtime(self, namespace: str, spec: Mapping[str, Any]) -> observed.ResolvedRuntime:
        """Returns the runtime that a raw `spec` refers to now, as a fact for decisions."""
        own = spec.get("runtime") or {}
        try:
            chosen = self.catalog(namespace).choose(spec)
        except RuntimeInvalid as error:
            return observed.ResolvedRuntime(reason=error.reason, message=quoted(error, 2048))
        budget = own.get("startupBudget") or (chosen.spec.get("startupBudget") if chosen else None)
        return observed.ResolvedRuntime(
            name=chosen.name if chosen else None,
            kind=chosen.kind if chosen else None,
            digest=chosen.digest if chosen else None,
            startup_budget=seconds(budget) if budget else None,
        )

    def _index(self, old: CachedRuntime | None, new: CachedRuntime | None) -> None:
        some = new or old
        assert some is not None
        runtimes = self._by_namespace.setdefault(some.namespace, {})
        if new:
            runtimes[new.name] = new.runtime
        else:
            runtimes.pop(some.name, None)
        self._changed(some.namespace, some.name)
