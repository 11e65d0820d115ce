"""Writes one child object: creates, applies or deletes it, and feeds the answer to the cache.

Invariants:

- A write touches only the very object that the cache knows to be ours (by its UID), never one that
  took its name since.
- The answer is observed by the cache at once, so the next decision sees its own writes.
- A write that the API server rejects raises `WriteRejected`; any other failure is an `ApiError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from canarium.core.facts.observed import Deployment
from canarium.engine.apply.drift import digest
from canarium.engine.apply.rejections import Rejections, conflict
from canarium.engine.cache.children import Child
from canarium.engine.cache.ownership import controller, is_adoptable
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from canarium.render import labels


class ChildWriter:
    """Writes children of one model at a time through `api`."""

    def __init__(self, api: Api, store: Store, rejections: Rejections) -> None:
        self._api, self._store, self._rejections = api, store, rejections

    async def create(self, resource: Resource, key: Key, body: dict[str, Any]) -> None:
        """Creates `body`, or takes the object that has its name if that is ours."""
        with self._rejections.guarding(key, resource, body["metadata"]["name"]):
            try:
                raw = await self._api.create(resource, key[0], body)
            except ApiError as error:
                if not error.already_exists:
                    raise
                raw = await self._existing(resource, key[0], body)
        self._store.caches[resource].observe(raw)

    async def apply(
        self, resource: Resource, key: Key, body: dict[str, Any], intent: str | None = None
    ) -> None:
        """Applies `body`; `intent` is the hash of the spec that was rendered for it, where what is
        sent differs from that."""
        namespace, name = key[0], body["metadata"]["name"]
        if resource is not resources.DEPLOYMENTS and "spec" in body:
            notes = body["metadata"].get("annotations") or {}
            intent = intent or digest(body["spec"])
            body["metadata"]["annotations"] = {**notes, labels.APPLIED: intent}
        cached = self._store.caches[resource].items.get((namespace, name))
        if cached:
            body["metadata"]["uid"] = cached.uid
        with self._rejections.guarding(key, resource, name):
            try:
                raw = await self._api.apply(
                    resource, namespace, name, body, force=cached is not None
                )
            except ApiError as error:
                if not (error.conflict and cached is None):
                    raise
                raw = await self._existing(resource, namespace, body)
        self._store.caches[resource].observe(raw)

    async def annotate(
        self, resource: Resource, key: Key, name: str, notes: Mapping[str, str | None]
    ) -> None:
        """Sets annotations of one object."""
        await self._merge(resource, key, name, {"metadata": {"annotations": dict(notes)}})

    async def renumber(self, key: Key, name: str, number: int) -> None:
        """Sets the number of a ControllerRevision in the history of its model."""
        await self._merge(resources.RECORDS, key, name, {"revision": number})

    async def _merge(self, resource: Resource, key: Key, name: str, patch: dict[str, Any]) -> None:
        with self._rejections.guarding(key, resource, name):
            raw = await self._api.merge(resource, key[0], name, patch)
        self._store.caches[resource].observe(raw)

    async def scale(self, key: Key, name: str, replicas: int) -> None:
        """Sets the replicas of a Deployment, and in the cache, since the answer is a Scale."""
        size = {"spec": {"replicas": replicas}}
        with self._rejections.guarding(key, resources.DEPLOYMENTS, name):
            raw = await self._api.merge(resources.DEPLOYMENTS, key[0], name, size, "scale")
        version = int(raw["metadata"]["resourceVersion"])
        self._store.caches[resources.DEPLOYMENTS].amend(
            key[0], name, version, partial(_scaled, replicas)
        )

    async def restore_labels(self, resource: Resource, key: Key, body: Mapping[str, Any]) -> None:
        """Restores the labels of an object of ours; a deleted one needs none."""
        try:
            with self._rejections.guarding(key, resource, body["metadata"]["name"]):
                raw = await self._existing(resource, key[0], body)
        except ApiError as error:
            if not error.not_found:
                raise
        else:
            self._store.caches[resource].observe(raw)

    async def delete(self, resource: Resource, key: Key, name: str, uid: str | None = None) -> None:
        """Deletes the object of this UID, by default the one that the cache knows."""
        namespace = key[0]
        cached = self._store.caches[resource].items.get((namespace, name))
        uid = uid or (cached.uid if cached else None)
        if uid is None:
            return
        with self._rejections.guarding(key, resource, name):
            left = await self._api.delete(resource, namespace, name, uid)
        if left is None:
            self._store.caches[resource].forget(namespace, name, uid)
        else:
            # Blocked by another controller's finalizer: it counts as terminating until it is
            # deleted.
            self._store.caches[resource].observe(left)

    async def take_over(
        self,
        resource: Resource,
        raw: dict[str, Any],
        owner: Mapping[str, Any],
        marks: Mapping[str, str],
    ) -> dict[str, Any]:
        """Adds `owner` and the labels `marks` to the very object that was read, and nothing else:
        what it runs and routes stays as it is."""
        meta = raw["metadata"]
        owners = [o for o in meta.get("ownerReferences") or () if o["uid"] != owner["uid"]]
        change: dict[str, Any] = {
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "ownerReferences": [*owners, owner],
            "annotations": {labels.ADOPT: None},
        }
        if marks:
            change["labels"] = dict(marks)
        patch = {"metadata": change}
        return await self._api.merge(resource, meta["namespace"], meta["name"], patch)

    async def _existing(
        self, resource: Resource, namespace: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Returns the object that already has the name of `body`.

        One of ours that lost its labels, and so was not in the cache, gets them back. Raises
        WriteRejected when it belongs to another owner, or may not be read.
        """
        try:
            raw = await self._api.get(resource, namespace, body["metadata"]["name"])
        except ApiError as error:
            raise conflict(resource, body) if error.status == 403 else error from error
        meta, wanted = raw["metadata"], body["metadata"]
        uid = wanted["ownerReferences"][0]["uid"]
        marks = {k: v for k, v in wanted["labels"].items() if k != labels.COLOR}
        if controller(raw) != uid:
            if not is_adoptable(raw, marks[labels.MODEL]):
                raise conflict(resource, body, meta.get("ownerReferences") or ())
            return await self.take_over(resource, raw, wanted["ownerReferences"][0], marks)
        if marks.items() <= (meta.get("labels") or {}).items():
            return raw
        patch = {"metadata": {"uid": meta["uid"], "labels": marks}}
        return await self._api.merge(resource, namespace, meta["name"], patch)


def _scaled(replicas: int, cached: Child[Deployment], before: int) -> Child[Deployment]:
    fact = replace(cached.fact, replicas=replicas, scaled_by_other=False)
    return replace(cached, version=before, fact=fact)
