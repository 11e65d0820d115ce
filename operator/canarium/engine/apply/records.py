"""Stores revisions: a ControllerRevision each, after a dry run of the pod that it would start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson

from canarium import GROUP
from canarium.core.facts.object_ref import TRIAL_POD, UNRENDERED_RECORD
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.apply import dry_run
from canarium.engine.apply.child_writer import ChildWriter
from canarium.engine.apply.desired import DesiredManifests
from canarium.engine.apply.rejections import Rejections, WriteRejected, conflict
from canarium.engine.cache.ownership import controller, is_adoptable
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.canonical import encoded, normalized
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.render import workload


class RevisionRecords:
    """Writes the records of revisions, and the ConfigMaps that pin what they fetched."""

    def __init__(
        self,
        api: Api,
        store: Store,
        rejections: Rejections,
        desired: DesiredManifests,
        writer: ChildWriter,
    ) -> None:
        self._api, self._store, self._rejections = api, store, rejections
        self._desired, self._writer = desired, writer
        #: Hash of the pod that the dry run of each model accepted, until its revision is stored.
        self._accepted: dict[Key, bytes] = {}

    async def store(
        self,
        parent: Mapping[str, Any],
        key: Key,
        new: Any,
        serving: str | None,
        settings: str | None,
    ) -> None:
        """Stores a new revision. Raises WriteRejected when its pod would not be accepted."""
        await self._check_service_name(parent, key)
        template, runtime = self._desired.running_template(key, new.revision), None
        if template is None:
            resolved = new.identity.get("resolved")
            template, runtime = self._desired.new_revision(parent, new.revision, resolved)
            await self._dry_run(parent, new.revision, template)
        cached = self._store.parents.items.get(key)
        if cached is None:
            return  # The model was deleted meanwhile: the record would have no owner.
        applied = cached.applied
        template, runtime = normalized(template), normalized(runtime)
        body = workload.record(
            parent, asdict(new), template, runtime, applied, serving, settings=settings
        )
        await self._create(key, body)
        self._accepted.pop(key, None)
        for ref in (TRIAL_POD, UNRENDERED_RECORD):
            self._rejections.clear(key, ref)

    async def restore(
        self,
        parent: Mapping[str, Any],
        key: Key,
        new: Any,
        model: Any,
        artifact: str | None,
    ) -> None:
        """Stores a deleted record again, from the Deployment that runs."""
        template = self._desired.running_template(key, new.revision)
        if template is None or key not in self._store.parents.items:
            return  # Its Deployment or the model has been deleted as well.
        body = workload.record(
            parent,
            asdict(new),
            normalized(template),
            model=None if model is None else dict(model),
        )
        if artifact:
            body["metadata"]["annotations"] = {f"{GROUP}/artifact": artifact}
        await self._create(key, body)

    async def pin(self, parent: Mapping[str, Any], key: Key, revision: str, digest: str) -> None:
        """Pins a revision to the digest that its first pod fetched."""
        record = self._desired.record(key, revision)
        if record is None:
            return
        body = workload.pin(parent, revision, record.uid, digest)
        place = (key[0], body["metadata"]["name"])
        cached = self._store.caches[resources.CONFIG_MAPS].items.get(place)
        if cached and cached.owner not in (record.uid, None):
            raise conflict(resources.CONFIG_MAPS, body)
        await self._writer.apply(resources.CONFIG_MAPS, key, body)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a deleted model."""
        self._accepted.pop(key, None)

    async def _create(self, key: Key, body: dict[str, Any]) -> None:
        # Immutable by its bytes, which have to survive other clients (R20).
        body["data"] = orjson.Fragment(encoded(body["data"]))
        await self._writer.create(resources.RECORDS, key, body)

    async def _check_service_name(self, parent: Mapping[str, Any], key: Key) -> None:
        """Raises WriteRejected if another owner has the name of the model's Service, before
        anything is created (R24): the Service itself is written last, once a version is ready."""
        if key in self._store.caches[resources.SERVICES].items:
            return
        body = self._desired.service(parent, None, TrafficRecord())
        try:
            raw = await self._api.get(resources.SERVICES, *key)
        except ApiError as error:
            if error.not_found or error.status == 403:
                return
            raise
        uid, owners = parent["metadata"]["uid"], raw["metadata"].get("ownerReferences", ())
        if controller(raw) != uid and not is_adoptable(raw, key[1]):
            raise conflict(resources.SERVICES, body, owners)

    async def _dry_run(
        self, parent: Mapping[str, Any], revision: str, template: Mapping[str, Any]
    ) -> None:
        """Creates such a pod as a dry run, so that no revision is stored that could not run.

        A dry run that was accepted is not repeated when a later write fails and is retried.
        """
        meta, body = parent["metadata"], workload.trial(parent, revision, template)
        key, digest = (meta["namespace"], meta["name"]), sha256(encoded(body)).digest()
        if self._accepted.get(key) == digest:
            return
        try:
            await self._api.create(resources.PODS, key[0], body, dry_run=True)
        except ApiError as error:
            rejection = dry_run.rejection_of(error, parent["spec"])
            if rejection:
                raise WriteRejected(rejection) from error
        self._accepted[key] = digest
