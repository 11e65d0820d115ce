"""Carries the actions of a plan out, in their order, and feeds the answers back to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from canarium import GROUP
from canarium.core.decision import plan as p
from canarium.core.facts.gateways import Backend, Route
from canarium.core.facts.observed import Autoscaler, Deployment, Modified, Rejection, Service
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.outcomes.refusals import TRIAL_POD
from canarium.engine.apply import dry_run
from canarium.engine.apply.contested_children import Contested
from canarium.engine.apply.drift import Comparison, compare, digest
from canarium.engine.apply.rejections import Refusals, Refused, conflict
from canarium.engine.cache.ownership import controller, is_adoptable
from canarium.engine.cache.projections import Child, unpacked
from canarium.engine.cache.routes import (
    ROUTES,
    in_effect,
    made_from,
    made_of,
    route_of,
    wanted_kind,
)
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.canonical import encoded, normalized
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from canarium.render import labels, pod, routes, runtime, workload
from canarium.render.errors import RuntimeInvalid
from canarium.render.fetch_container import Kit
from canarium.render.traffic_split import Split

#: Of a comparison: the child's content, the model's generation, kind and content of the route.
_Sides = tuple[bytes, int, tuple[str, bytes] | None]


class Executor:
    """Writes for one parent at a time. ApiError: try later. Refused: decide anew."""

    def __init__(self, api: Api, store: Store, refusals: Refusals, kit: Kit | None = None) -> None:
        self._api = api
        self._refusals = refusals
        self._kit = kit
        self._store = store
        #: What was compared and found right, by child of each model, with what was compared.
        self._in_step: dict[Key, dict[tuple[Resource, str], tuple[_Sides, Comparison]]] = {}
        #: The pod that the dry run of each model has passed, until its revision is stored.
        self._passed: dict[Key, bytes] = {}
        self._contested = Contested(refusals.clock)

    async def carry_out(self, parent: Mapping[str, Any], action: p.Action) -> None:
        namespace, model = parent["metadata"]["namespace"], parent["metadata"]["name"]
        key = (namespace, model)
        match action:
            case p.StoreRevision(minted, served):
                await self._check_name(parent, key)
                template, runtime = self._running(key, minted.revision), None
                if template is None:
                    template, runtime = self._rendered(parent, minted.revision)
                    await self._asked(parent, minted.revision, template)
                known = self._store.parents.items.get(key)
                if known is None:
                    return  # Deleted since: what would be stored belongs to nobody.
                applied = known.applied
                template, runtime = normalized(template), normalized(runtime)
                body = workload.record(parent, asdict(minted), template, runtime, applied, served)
                # Immutable by its bytes, which have to survive other clients (R20).
                body["data"] = orjson.Fragment(encoded(body["data"]))
                await self._create(resources.RECORDS, key, body)
                self._passed.pop(key, None)
                for asked in (TRIAL_POD, ""):
                    self._refusals.lift(key, asked)
            case p.RestoreRevision(minted, model_known, artifact):
                template = self._running(key, minted.revision)
                if template is None or key not in self._store.parents.items:
                    return  # Its Deployment or the model has been deleted as well.
                body = workload.record(
                    parent,
                    asdict(minted),
                    normalized(template),
                    model=None if model_known is None else dict(model_known),
                )
                if artifact:
                    body["metadata"]["annotations"] = {f"{GROUP}/artifact": artifact}
                body["data"] = orjson.Fragment(encoded(body["data"]))
                await self._create(resources.RECORDS, key, body)
            case p.Annotate(revision, facts):
                notes = {f"{GROUP}/{name}": value for name, value in facts}
                patch = {"metadata": {"annotations": notes}}
                name = workload.child_name(model, revision)
                with self._refusals.watching(key, resources.RECORDS, name):
                    raw = await self._api.merge(resources.RECORDS, namespace, name, patch)
                self._store.caches[resources.RECORDS].observe(raw)
            case p.Pin(revision, digest):
                await self._pin(parent, key, revision, digest)
            case p.Adopt(kind, name, uid):
                await self._adopt(parent, key, kind, name, uid)
            case p.CreateDeployment(revision, color, replicas):
                body = self._deployment(parent, key, revision, color)
                body["spec"]["replicas"] = replicas
                await self._create(resources.DEPLOYMENTS, key, body)
            case p.Reclaim(revision):
                await self._reclaim(parent, key, revision)
            case p.Scale(revision, replicas):
                name = workload.child_name(model, revision)
                size = {"spec": {"replicas": replicas}}
                with self._refusals.watching(key, resources.DEPLOYMENTS, name):
                    raw = await self._api.merge(
                        resources.DEPLOYMENTS, namespace, name, size, "scale"
                    )
                version = int(raw["metadata"]["resourceVersion"])
                self._store.caches[resources.DEPLOYMENTS].amend(
                    namespace, name, version, partial(_scaled, replicas)
                )
            case p.DeleteDeployment(revision, uid):
                name = workload.child_name(model, revision)
                await self._delete(resources.DEPLOYMENTS, key, name, uid)
            case p.RemoveAutoscaler(revision, uid):
                name = workload.child_name(model, revision)
                await self._delete(resources.AUTOSCALERS, key, name, uid)
            case p.DeleteRecord(revision):
                name = workload.child_name(model, revision)
                await self._delete(resources.RECORDS, key, name, None)
            case p.Route(color, traffic):
                await self._apply(resources.SERVICES, key, workload.service(parent, color, traffic))
            case p.Weigh():
                fact = route_of(action)
                try:
                    await self._apply(ROUTES[fact.kind], key, self._route(parent, key, fact))
                except Refused:
                    before = made_from(parent, self._live_route(key))
                    if action.traffic.candidate or before is None:
                        raise
                    # Traffic comes off (R8), though what the spec wants now is no route.
                    await self._apply(ROUTES[fact.kind], key, self._route(before, key, fact))
            case p.RemoveRoute(kind, uid):
                await self._delete(ROUTES[kind], key, model, uid)
            case p.Expose(revision):
                await self._apply(resources.SERVICES, key, self._backend(parent, key, revision))
            case p.Conceal(revision, uid):
                await self._delete(
                    resources.SERVICES, key, workload.child_name(model, revision), uid
                )
            case p.Autoscale(revision, low, high):
                body = workload.autoscaler(parent, revision, low, high)
                await self._apply(resources.AUTOSCALERS, key, body)

    async def _check_name(self, parent: Mapping[str, Any], key: Key) -> None:
        """Raises Refused where the name of the callers' Service is somebody else's, before
        anything is made (R24): it is written last, once the first version is ready."""
        if key in self._store.caches[resources.SERVICES].items:
            return
        body = workload.service(parent, None, TrafficRecord())
        try:
            raw = await self._api.get(resources.SERVICES, *key)
        except ApiError as error:
            if error.not_found or error.status == 403:
                return
            raise
        uid, owners = parent["metadata"]["uid"], raw["metadata"].get("ownerReferences", ())
        if controller(raw) != uid and not is_adoptable(raw, key[1]):
            raise conflict(resources.SERVICES, body, owners)

    def _rendered(
        self, parent: Mapping[str, Any], revision: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new revision's pod template, and the runtime with the server as rendered from it."""
        meta, spec = parent["metadata"], parent["spec"]
        try:
            chosen = self._store.runtimes.catalog(meta["namespace"]).choose(spec)
            server = runtime.server(meta["name"], meta["namespace"], spec, chosen)
            template = pod.pod_template(meta["name"], revision, spec, server, self._kit)
        except RuntimeInvalid as error:
            raise Refused(Rejection("", str(error), reason=error.reason)) from error
        snapshot: dict[str, Any] = {"server": server}
        if chosen:
            snapshot |= {"name": chosen.name, "kind": chosen.kind, "digest": chosen.digest}
        return template, snapshot

    async def _pin(self, parent: Mapping[str, Any], key: Key, revision: str, digest: str) -> None:
        record = self._store_record(key, revision)
        if record is None:
            return
        body = workload.pin(parent, revision, record.uid, digest)
        place = (key[0], body["metadata"]["name"])
        known = self._store.caches[resources.CONFIG_MAPS].items.get(place)
        if known and known.owner not in (record.uid, None):
            raise conflict(resources.CONFIG_MAPS, body)
        await self._apply(resources.CONFIG_MAPS, key, body)

    async def _asked(
        self, parent: Mapping[str, Any], revision: str, template: Mapping[str, Any]
    ) -> None:
        """Asks for a pod like this without making it: nothing is stored that could not run.

        A dry run that has passed is not repeated when what follows it fails and is tried again.
        """
        meta, body = parent["metadata"], workload.trial(parent, revision, template)
        key, digest = (meta["namespace"], meta["name"]), sha256(encoded(body)).digest()
        if self._passed.get(key) == digest:
            return
        try:
            await self._api.create(resources.PODS, key[0], body, dry_run=True)
        except ApiError as error:
            told = dry_run.refusal(error, parent["spec"])
            if told:
                raise Refused(told) from error
        self._passed[key] = digest

    async def repair(self, parent: Mapping[str, Any], *, route_kept: bool = False) -> int:
        """Puts right what differs from what we would apply (R23): edited by hand, or of settings
        that changed without a rollout, as a port or an autoscaler's metrics; how many written.

        With `route_kept`, the route stays as it is.
        """
        meta = parent["metadata"]
        key = (meta["namespace"], meta["name"])
        written = 0
        for resource, child in self._compared(key):
            if route_kept and resource in ROUTES.values():
                continue
            found = self._comparison(parent, key, resource, child)
            if found is None or not found.drift:
                continue
            wanted = self._wanted(parent, key, child)
            assert wanted is not None
            self._contested.attempt(key, resource, child.name, found.drift)
            intent = digest(wanted["spec"])
            # What a policy made of the rest stays: to undo it might start pods anew (R14).
            wanted["spec"] = found.merged
            await self._apply(resource, key, wanted, intent)
            written += 1
        return written

    def modified(self, parent: Mapping[str, Any]) -> tuple[Modified, ...]:
        """What the API server or an admission policy made of our writes."""
        meta = parent["metadata"]
        key = (meta["namespace"], meta["name"])
        found = []
        for resource, child in self._compared(key):
            try:
                differs = self._comparison(parent, key, resource, child)
            except Refused:
                continue  # It cannot be made as things are, which other places report.
            if differs and differs.kept:
                what = f"{resource.kind} {child.name}"
                found.append(Modified(what, tuple(sorted(differs.kept))))
        return tuple(sorted(found, key=lambda one: one.what))

    def _compared(self, key: Key) -> list[tuple[Resource, Child[Any]]]:
        """The children that are put right."""
        uid = self._store.parents.items[key].uid
        several = (
            resources.DEPLOYMENTS,
            resources.SERVICES,
            resources.AUTOSCALERS,
            *ROUTES.values(),
        )
        return [
            (resource, child)
            for resource in several
            for child in self._store.children(resource, key)
            if child.owner == uid
        ]

    def _comparison(
        self, parent: Mapping[str, Any], key: Key, resource: Resource, child: Child[Any]
    ) -> Comparison | None:
        """What differs in `child`; remembered while nothing does, until either side changes."""
        known = self._in_step.setdefault(key, {})
        place = (resource, child.name)
        # A backend's port follows the route in effect, which changes later than the spec.
        route = self._live_route(key)
        live = (route.fact.kind, route.content) if route else None
        sides = (child.content, int(parent["metadata"]["generation"]), live)
        if place in known and known[place][0] == sides:
            return known[place][1]
        known.pop(place, None)
        wanted = self._wanted(parent, key, child)
        if wanted is None:
            return None
        found = _differences(resource, unpacked(child), wanted)
        if not found.drift:
            known[place] = (sides, replace(found, merged={}))
        return found

    def forget(self, key: Key) -> None:
        """The model is gone."""
        self._in_step.pop(key, None)
        self._passed.pop(key, None)
        self._contested.forget(key)

    def _wanted(
        self, parent: Mapping[str, Any], key: Key, child: Child[Any]
    ) -> dict[str, Any] | None:
        """What we would apply over `child` for what it says of itself; None: leave it alone."""
        match child.fact:
            case Deployment(revision=revision, color=color, terminating=False) if color:
                record = self._store_record(key, revision)
                if record is None or not record.fact.intact:
                    return None
                return self._deployment(parent, key, revision, color)
            case Service(color=color, traffic=traffic) if traffic.stable:
                return workload.service(parent, color, traffic)
            case Route() as fact if fact.traffic.stable:
                return self._route(parent, key, fact)
            case Backend(revision=revision):
                return self._backend(parent, key, revision)
            case Autoscaler(revision=revision, low=low, high=high):
                return workload.autoscaler(parent, revision, low, high)
        return None

    def _route(self, parent: Mapping[str, Any], key: Key, fact: Route) -> dict[str, Any]:
        """The route as `fact` has it, with all else as the spec wants it now."""
        parent = in_effect(parent, fact.kind, self._live_route(key))
        if wanted_kind(parent["spec"]) != fact.kind:
            text = f"does not say what it was made from: its note {labels.TRAFFIC} is gone"
            raise Refused(Rejection(f"{fact.kind} {key[1]}", text))
        records = {c.fact.revision: c.fact for c in self._store.children(resources.RECORDS, key)}
        known = {name: records[name].version for name, _ in fact.weights if name in records}
        split = Split(
            fact.weights,
            fact.traffic.candidate,
            fact.direct,
            versions={name: version for name, version in known.items() if version},
            notes={**fact.traffic.to_annotations(), **made_of(parent)},
        )
        return routes.RENDERED[fact.kind](parent, split)

    def _backend(self, parent: Mapping[str, Any], key: Key, revision: str) -> dict[str, Any]:
        live = self._live_route(key)
        kind = live.fact.kind if live else None
        return routes.backend(in_effect(parent, kind, live), revision)

    def _live_route(self, key: Key) -> Child[Any] | None:
        found = (c for resource in ROUTES.values() for c in self._store.children(resource, key))
        uid = self._store.parents.items[key].uid
        return next((child for child in found if child.owner == uid), None)

    def _running(self, key: Key, revision: str) -> dict[str, Any] | None:
        """The template of a Deployment whose record was deleted: storing what runs restarts
        nothing, rendering afresh might."""
        for child in self._store.children(resources.DEPLOYMENTS, key):
            if child.fact.revision == revision:
                template: dict[str, Any] = unpacked(child)["spec"]["template"]
                template["metadata"]["labels"].pop(labels.COLOR, None)
                return template
        return None

    def _store_record(self, key: Key, revision: str) -> Child[Any] | None:
        return next(
            (
                c
                for c in self._store.children(resources.RECORDS, key)
                if c.fact.revision == revision
            ),
            None,
        )

    def _deployment(
        self, parent: Mapping[str, Any], key: Key, revision: str, color: str
    ) -> dict[str, Any]:
        record = self._store_record(key, revision)
        name = workload.child_name(key[1], revision)
        what = f"Deployment {name}"
        if record is None:
            raise Refused(Rejection(what, f"ControllerRevision {name} is missing"))
        if not record.fact.intact:
            raise Refused(Rejection(what, f"ControllerRevision {name} was altered by hand"))
        return workload.deployment(parent, revision, color, unpacked(record)["template"])

    async def _create(self, resource: Resource, key: Key, body: dict[str, Any]) -> None:
        with self._refusals.watching(key, resource, body["metadata"]["name"]):
            try:
                raw = await self._api.create(resource, key[0], body)
            except ApiError as error:
                if not error.already_exists:
                    raise
                raw = await self._there(resource, key[0], body)
        self._store.caches[resource].observe(raw)

    async def _there(
        self, resource: Resource, namespace: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The object that has the name already. One of ours that lost its labels, and so was not
        seen, gets them back; Refused when it is somebody else's, or not ours to look at."""
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
            return await self._taken_over(resource, raw, wanted["ownerReferences"][0], marks)
        if marks.items() <= (meta.get("labels") or {}).items():
            return raw
        patch = {"metadata": {"uid": meta["uid"], "labels": marks}}
        return await self._api.merge(resource, namespace, meta["name"], patch)

    async def _adopt(
        self, parent: Mapping[str, Any], key: Key, kind: str, name: str, uid: str
    ) -> None:
        """Takes over one object, unless it is no longer what it was when that was decided."""
        resource = next(one for one in self._store.caches if one.kind == kind)
        cache = self._store.caches[resource]
        with self._refusals.watching(key, resource, name):
            try:
                raw = await self._api.get(resource, key[0], name)
                if not await self._stays(parent, key):
                    return
                if raw["metadata"]["uid"] == uid and is_adoptable(raw, key[1]):
                    owner = workload.head_of(parent, "", "", None)["metadata"]["ownerReferences"][0]
                    raw = await self._taken_over(resource, raw, owner, {})
            except ApiError as error:
                if not error.not_found:
                    raise
                return  # The object or the model is gone, and the watch is about to tell.
        cache.observe(raw)

    async def release(self, parent: Mapping[str, Any]) -> None:
        """Removes this model from the owners of records that the garbage collector cannot orphan:
        data that earlier releases stored unsorted does not survive its strategic merge patch,
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

    async def _stays(self, parent: Mapping[str, Any], key: Key) -> bool:
        """Whether the model is not being deleted, as the API server has it now: what lost its
        owner to an orphaning deletion of this very model would be collected if it got it back."""
        live = (await self._api.get(resources.MODELS, *key))["metadata"]
        return live["uid"] == parent["metadata"]["uid"] and "deletionTimestamp" not in live

    async def _taken_over(
        self, resource: Resource, raw: dict[str, Any], owner: Mapping[str, Any], marks: Any
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
            change["labels"] = marks
        patch = {"metadata": change}
        return await self._api.merge(resource, meta["namespace"], meta["name"], patch)

    async def _apply(
        self, resource: Resource, key: Key, body: dict[str, Any], intent: str | None = None
    ) -> None:
        """Applies `body`; `intent` is the hash of its spec as we would have it."""
        namespace, name = key[0], body["metadata"]["name"]
        if resource is not resources.DEPLOYMENTS and "spec" in body:
            notes = body["metadata"].get("annotations") or {}
            intent = intent or digest(body["spec"])
            body["metadata"]["annotations"] = {**notes, labels.APPLIED: intent}
        known = self._store.caches[resource].items.get((namespace, name))
        if known:
            # Only the very object that we know to be ours, never one that took its name.
            body["metadata"]["uid"] = known.uid
        with self._refusals.watching(key, resource, name):
            try:
                raw = await self._api.apply(
                    resource, namespace, name, body, force=known is not None
                )
            except ApiError as error:
                if not (error.conflict and known is None):
                    raise
                raw = await self._there(resource, namespace, body)
        self._store.caches[resource].observe(raw)

    async def _reclaim(self, parent: Mapping[str, Any], key: Key, revision: str) -> None:
        body = workload.deployment(parent, revision, "", {})
        name = body["metadata"]["name"]
        try:
            with self._refusals.watching(key, resources.DEPLOYMENTS, name):
                raw = await self._there(resources.DEPLOYMENTS, key[0], body)
        except ApiError as error:
            if not error.not_found:
                raise
        else:
            self._store.caches[resources.DEPLOYMENTS].observe(raw)

    async def _delete(self, resource: Resource, key: Key, name: str, uid: str | None) -> None:
        namespace = key[0]
        known = self._store.caches[resource].items.get((namespace, name))
        uid = uid or (known.uid if known else None)
        if uid is None:
            return
        with self._refusals.watching(key, resource, name):
            left = await self._api.delete(resource, namespace, name, uid)
        if left is None:
            self._store.caches[resource].forget(namespace, name, uid)
        else:
            # Somebody's finalizer holds it: it counts as terminating until it is gone.
            self._store.caches[resource].observe(left)


def _differences(
    resource: Resource, live: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Comparison:
    """Compares a live child with what we would apply.

    A Deployment is made from a record that never changes; of other kinds, what we want may have
    changed since we applied it. Then values decide, as they do for objects of older releases.
    """
    owned, notes = live["owned"], live["metadata"].get("annotations") or {}
    if resource is resources.DEPLOYMENTS:
        if owned is not None and not owned:
            # Restored from a backup: to apply our template over it might start its pods anew.
            return Comparison()
    elif notes.get(labels.APPLIED) != digest(wanted["spec"]):
        owned = None
    whole = resource in ROUTES.values()
    found = compare(live["spec"], wanted["spec"], owned, whole=whole)
    for name, text in (wanted["metadata"].get("annotations") or {}).items():
        if notes.get(name) != text:
            found.drift.append(f"metadata.annotations[{name}]")
    return found


def _scaled(replicas: int, known: Child[Deployment], before: int) -> Child[Deployment]:
    return replace(known, version=before, fact=replace(known.fact, replicas=replicas))
