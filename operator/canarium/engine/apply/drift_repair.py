"""Restores children that differ from what would be applied (R23): changed by another client, or
rendered from settings that changed without a rollout, such as a port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Modified
from canarium.engine.apply.child_writer import ChildWriter
from canarium.engine.apply.contested_children import RepairLimiter
from canarium.engine.apply.desired import DesiredManifests
from canarium.engine.apply.drift import DriftComparison, compare, digest
from canarium.engine.apply.rejections import WriteRejected
from canarium.engine.cache.children import Child, live_content
from canarium.engine.cache.routes import ROUTES
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.resources import Resource
from canarium.render import labels

#: Of the child's content, the model's generation, the record of a Deployment, kind and content of
#: the route, and the versions that a route names.
_HashOfInputs = int
_Paths = tuple[str, ...]
_COMPARED = (
    resources.DEPLOYMENTS,
    resources.SERVICES,
    resources.AUTOSCALERS,
    resources.DISRUPTION_BUDGETS,
    *ROUTES.values(),
)


class DriftRepair:
    """Compares children with their desired manifests, and writes those that drifted.

    A comparison that found no drift is remembered until one of its inputs changes, so a reconcile
    of an unchanged model renders nothing.
    """

    def __init__(
        self, store: Store, desired: DesiredManifests, writer: ChildWriter, limiter: RepairLimiter
    ) -> None:
        self._store, self._desired, self._writer = store, desired, writer
        self._limiter = limiter
        #: Comparisons without drift, by child of each model: a hash of their inputs, and what they
        #: preserved. This is kept for every child, so it is small.
        self._in_sync: dict[Key, dict[tuple[Resource, str], tuple[_HashOfInputs, _Paths]]] = {}

    async def repair(self, parent: Mapping[str, Any], *, freeze_route: bool = False) -> int:
        """Applies the children that drifted; returns how many. With `freeze_route`, the route stays
        as it is."""
        key = _key(parent)
        written = 0
        for resource, child in self._compared(key):
            if freeze_route and resource in ROUTES.values():
                continue
            comparison = self._comparison(parent, key, resource, child)
            if comparison is None or not comparison.drift:
                continue
            wanted = self._desired.of_child(parent, key, child)
            assert wanted is not None
            self._limiter.attempt(key, resource, child.name, comparison.drift)
            intent = digest(wanted["spec"])
            # What an admission policy changed in the rest stays: reverting it might restart pods
            # (R14).
            wanted["spec"] = comparison.merged
            await self._writer.apply(resource, key, wanted, intent)
            written += 1
        return written

    def modified(self, parent: Mapping[str, Any]) -> tuple[Modified, ...]:
        """Returns what the API server or an admission policy changed in our own writes."""
        key = _key(parent)
        modified = []
        for resource, child in self._compared(key):
            try:
                differs = self._comparison(parent, key, resource, child)
            except WriteRejected:
                continue  # It cannot be rendered as things are, which is reported elsewhere.
            if differs and differs.preserved:
                ref = ObjectRef(resource.kind, child.name)
                modified.append(Modified(ref, tuple(sorted(differs.preserved))))
        return tuple(sorted(modified, key=lambda one: one.object))

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a deleted model."""
        self._in_sync.pop(key, None)
        self._limiter.forget(key)

    def _compared(self, key: Key) -> list[tuple[Resource, Child[Any]]]:
        uid = self._store.parents.items[key].uid
        deployments = self._store.children(resources.DEPLOYMENTS, key)
        # A PodDisruptionBudget belongs to its Deployment.
        owners = {uid, *(child.uid for child in deployments if child.owner == uid)}
        return [
            (resource, child)
            for resource in _COMPARED
            for child in self._store.children(resource, key)
            if child.owner in owners
        ]

    def _comparison(
        self, parent: Mapping[str, Any], key: Key, resource: Resource, child: Child[Any]
    ) -> DriftComparison | None:
        compared = self._in_sync.setdefault(key, {})
        place = (resource, child.name)
        # A backend's port follows the route in effect, which changes later than the spec.
        route = self._desired.live_route(key)
        live = (route.fact.kind, route.content) if route else None
        versions = self._desired.versions(key) if resource in ROUTES.values() else {}
        # A record that was deleted is stored again, from what runs at that moment.
        record = (
            self._desired.record(key, child.fact.revision)
            if resource is resources.DEPLOYMENTS
            else None
        )
        template = record.content if record else None
        generation = int(parent["metadata"]["generation"])
        inputs = hash((child.content, generation, template, live, tuple(versions.items())))
        if place in compared and compared[place][0] == inputs:
            return DriftComparison(preserved=list(compared[place][1]))
        compared.pop(place, None)
        wanted = self._desired.of_child(parent, key, child)
        if wanted is None:
            return None
        comparison = _differences(resource, live_content(child), wanted)
        if not comparison.drift:
            compared[place] = (inputs, tuple(comparison.preserved))
        return comparison


def _key(parent: Mapping[str, Any]) -> Key:
    return parent["metadata"]["namespace"], parent["metadata"]["name"]


def _differences(
    resource: Resource, live: Mapping[str, Any], wanted: Mapping[str, Any]
) -> DriftComparison:
    """Compares a live child with its desired manifest.

    A Deployment is made from a record that never changes. The desired manifest of other kinds may
    have changed since it was applied: then values alone decide, not who owns a field.
    """
    owned, notes = live["owned"], live["metadata"].get("annotations") or {}
    unwanted: list[str] = []
    if resource is resources.DEPLOYMENTS:
        if owned is not None and not owned:
            # Restored from a backup: applying our template over it might restart its pods.
            return DriftComparison()
    elif notes.get(labels.APPLIED) != digest(wanted["spec"]):
        # A field that is not desired any more is removed by the next write.
        ours = (name[2:] for name in owned or () if name.startswith("f:"))
        unwanted = [name for name in ours if name in live["spec"] and name not in wanted["spec"]]
        owned = None
    whole = resource in ROUTES.values()
    comparison = compare(live["spec"], wanted["spec"], owned, whole=whole)
    comparison.drift += [f"spec.{name}" for name in unwanted]
    for name, text in (wanted["metadata"].get("annotations") or {}).items():
        if notes.get(name) != text:
            comparison.drift.append(f"metadata.annotations[{name}]")
    return comparison
