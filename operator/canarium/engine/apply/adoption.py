"""Takes over objects without an owner, and releases records before an orphaning deletion (R20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.engine.apply.child_writer import ChildWriter
from canarium.engine.apply.rejections import Rejections
from canarium.engine.cache.ownership import is_adoptable
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.render import workload


class Adoption:
    """Changes the owners of children, and nothing else about them."""

    def __init__(self, api: Api, store: Store, rejections: Rejections, writer: ChildWriter) -> None:
        self._api, self._store = api, store
        self._rejections, self._writer = rejections, writer

    async def adopt(
        self, parent: Mapping[str, Any], key: Key, kind: str, name: str, uid: str
    ) -> None:
        """Adopts one object, unless it has changed hands since that was decided."""
        resource = next(one for one in self._store.caches if one.kind == kind)
        with self._rejections.guarding(key, resource, name):
            try:
                raw = await self._api.get(resource, key[0], name)
                if not await self._is_kept(parent, key):
                    return
                if raw["metadata"]["uid"] == uid and is_adoptable(raw, key[1]):
                    owner = workload.head_of(parent, "", "", None)["metadata"]["ownerReferences"][0]
                    raw = await self._writer.take_over(resource, raw, owner, {})
            except ApiError as error:
                if not error.not_found:
                    raise
                return  # The object or the model was deleted; the watch is about to report it.
        self._store.caches[resource].observe(raw)

    async def release(self, parent: Mapping[str, Any]) -> None:
        """Removes this model from the owners of records that the garbage collector cannot orphan:
        data that a tool has restored unsorted does not survive its strategic merge patch,
        but it does survive a merge patch (`kube.canonical`)."""
        meta = parent["metadata"]
        key = (meta["namespace"], meta["name"])
        for child in self._store.children(resources.RECORDS, key):
            if child.owner != meta["uid"] or child.fact.canonical:
                continue
            try:
                raw = await self._api.get(resources.RECORDS, key[0], child.name)
                live = raw["metadata"]
                owners = [o for o in live.get("ownerReferences") or () if o["uid"] != meta["uid"]]
                change = {
                    "uid": child.uid,
                    "resourceVersion": live["resourceVersion"],
                    "ownerReferences": owners or None,
                }
                raw = await self._api.merge(
                    resources.RECORDS, key[0], child.name, {"metadata": change}
                )
            except ApiError as error:
                if not error.not_found:
                    raise
                continue
            self._store.caches[resources.RECORDS].observe(raw)

    async def _is_kept(self, parent: Mapping[str, Any], key: Key) -> bool:
        """Returns whether the live model is this one and not being deleted. A child that lost
        its owner to an orphaning deletion of this model would be garbage collected if it got it
        back."""
        live = (await self._api.get(resources.MODELS, *key))["metadata"]
        return live["uid"] == parent["metadata"]["uid"] and "deletionTimestamp" not in live
