"""The API server in memory: objects with versions, preconditions, admission, and a history.

Each verb changes an object as the real one does (tests/integration proves the
behaviour that is relied on here). Every write is passed to the observers, with its author.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from simulation import admission, fields
from simulation.clock import Clock, stamp
from simulation.fields import Object, Owners, clone

Key = tuple[str, str]

#: Who writes: the operator, a person, or Kubernetes' own controllers.
OPERATOR, PERSON, KUBERNETES = "canarium", "kubectl", "kube-controller-manager"

#: Kinds around routes.
ROUTED = (
    resources.HTTP_ROUTES,
    resources.GRPC_ROUTES,
    resources.VIRTUAL_SERVICES,
    resources.GATEWAYS,
    resources.GATEWAY_CLASSES,
)
KINDS = (
    resources.MODELS,
    resources.RECORDS,
    resources.DEPLOYMENTS,
    resources.PODS,
    resources.SERVICES,
    resources.ENDPOINT_SLICES,
    resources.AUTOSCALERS,
    resources.DISRUPTION_BUDGETS,
    resources.CONFIG_MAPS,
    resources.JOBS,
    resources.MODEL_GATES,
    resources.CHECK_TEMPLATES,
    resources.CLUSTER_CHECK_TEMPLATES,
    resources.EVENTS,
    resources.RUNTIMES,
    resources.CLUSTER_RUNTIMES,
    *ROUTED,
)


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a kind's history, as watches report it."""

    version: int
    at: float
    type: str
    object: Object
    before: Object | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A write that had an effect; `before` is None for a creation, `after` for a removal."""

    actor: str
    verb: str
    resource: Resource
    key: Key
    before: Object | None
    after: Object | None


@dataclass
class Shelf:
    """All objects of one kind."""

    objects: dict[Key, Object] = field(default_factory=dict)
    owners: dict[Key, Owners] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    #: Watches from before this version are answered with 410.
    compacted: int = 0


class Server:
    """Objects are never changed in place: what was handed out stays as it was."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.version = 1_000
        self.shelves: dict[Resource, Shelf] = {kind: Shelf() for kind in KINDS}
        self.observers: list[Callable[[Write], None]] = []

    # --- reading ----------------------------------------------------------------------------

    def all(self, resource: Resource, label: str = "") -> Iterator[Object]:
        """Objects of a kind; with `label`, only those that have it."""
        for found in list(self.shelves[resource].objects.values()):
            if not label or label in found["metadata"].get("labels", {}):
                yield found

    def find(self, resource: Resource, key: Key) -> Object | None:
        return self.shelves[resource].objects.get(key)

    def get(self, resource: Resource, key: Key) -> Object:
        found = self.find(resource, key)
        if found is None:
            raise ApiError(404, "NotFound", f'{resource.plural} "{key[1]}" not found')
        return found

    # --- writing ----------------------------------------------------------------------------

    def create(self, resource: Resource, body: Object, actor: str = KUBERNETES) -> Object:
        body = clone(body)
        meta = body["metadata"]
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{self.version + 1}"
        key = (meta["namespace"], meta["name"])
        if key in self.shelves[resource].objects:
            raise ApiError(409, "AlreadyExists", f'{resource.plural} "{key[1]}" already exists')
        return self._made(resource, key, body, f"{actor}/update", actor, "create")

    def apply(
        self, resource: Resource, key: Key, body: Object, *, force: bool, actor: str = OPERATOR
    ) -> Object:
        """Server-side apply; a uid in the body is a precondition, also that the object exists."""
        live, uid = self.find(resource, key), body["metadata"].get("uid")
        manager = f"{actor}/apply"
        if live is None:
            if uid:
                raise ApiError(409, "Conflict", f"uid mismatch: {uid}, and no object was found")
            return self._made(resource, key, clone(body), manager, actor, "apply")
        if uid and live["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", f"Precondition failed: UID in precondition: {uid}")
        try:
            new, owners = fields.applied(
                live, body, self.shelves[resource].owners[key], manager, force=force
            )
        except fields.Conflict as error:
            raise ApiError(409, "Conflict", f"Apply failed with conflicts: {error}") from error
        self.shelves[resource].owners[key] = owners
        return self._put(resource, key, live, new, actor, "apply")

    def merge(self, resource: Resource, key: Key, patch: Object, actor: str = KUBERNETES) -> Object:
        live = self.get(resource, key)
        return self._update(resource, key, live, clone(fields.merged(live, patch)), actor, "merge")

    def replace(
        self, resource: Resource, key: Key, body: Object, actor: str = KUBERNETES
    ) -> Object:
        live = self.get(resource, key)
        self._same_version(live, body)
        return self._update(resource, key, live, clone(body), actor, "replace")

    def scale(self, key: Key, replicas: int, actor: str = KUBERNETES) -> Object:
        """The /scale subresource of a Deployment; the answer is a Scale, not the Deployment."""
        live = self.get(resources.DEPLOYMENTS, key)
        new = clone(live)
        new["spec"]["replicas"] = replicas
        if actor != OPERATOR:
            new["metadata"]["managedFields"] = self._managed(key, actor)
        else:
            new["metadata"].pop("managedFields", None)
        after = self._update(resources.DEPLOYMENTS, key, live, new, actor, "scale")
        kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {k: after["metadata"][k] for k in kept},
            "spec": {"replicas": after["spec"]["replicas"]},
        }

    def _managed(self, key: Key, scaler: str) -> list[Object]:
        """What the API server notes of a Deployment that `scaler` scaled last."""
        size = ("spec", "replicas")
        owners = {
            manager: paths - {size}
            for manager, paths in self.shelves[resources.DEPLOYMENTS].owners[key].items()
        }
        noted = [
            {"manager": name.partition("/")[0], "fieldsV1": fields.tree(paths)}
            for name, paths in owners.items()
        ]
        scale = {"manager": scaler, "subresource": "scale", "fieldsV1": fields.tree({size})}
        return [*noted, scale]

    def put_status(
        self, resource: Resource, key: Key, body: Object, actor: str = KUBERNETES
    ) -> Object:
        """The /status subresource: everything but the status is ignored."""
        live = self.get(resource, key)
        self._same_version(live, body)
        new = {k: v for k, v in live.items() if k != "status"}
        if body.get("status") is not None:
            new["status"] = clone(body["status"])
        return self._put(resource, key, live, new, actor, "status")

    def delete(
        self, resource: Resource, key: Key, uid: str | None = None, actor: str = KUBERNETES
    ) -> None:
        """Background deletion: dependents are the garbage collector's; a pod ends gracefully."""
        live = self.get(resource, key)
        if uid and live["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", f"Precondition failed: UID in precondition: {uid}")
        if resource is resources.PODS:
            if "deletionTimestamp" not in live["metadata"]:
                new = clone(live)
                new["metadata"]["deletionTimestamp"] = stamp(self.clock.now())
                self._put(resource, key, live, new, actor, "delete")
            return
        self.remove(resource, key, actor)

    def remove(self, resource: Resource, key: Key, actor: str = KUBERNETES) -> None:
        """Takes an object out of existence."""
        shelf = self.shelves[resource]
        live = shelf.objects.pop(key)
        shelf.owners.pop(key, None)
        self.version += 1
        last = {**live, "metadata": {**live["metadata"], "resourceVersion": str(self.version)}}
        shelf.history.append(Change(self.version, self.clock.now(), "DELETED", last))
        self._tell(Write(actor, "delete", resource, key, live, None))

    def compact(self, resource: Resource) -> None:
        """Forgets the history of a kind: every watch that is behind gets status 410."""
        self.shelves[resource].compacted = self.version
        self.shelves[resource].history.clear()

    # --- inside -----------------------------------------------------------------------------

    def _made(
        self, resource: Resource, key: Key, body: Object, manager: str, actor: str, verb: str
    ) -> Object:
        admission.check(resource, None, body)
        meta = body["metadata"]
        meta.update(
            namespace=key[0],
            name=key[1],
            uid=f"uid-{resource.kind.lower()}-{self.version + 1}",
            creationTimestamp=stamp(self.clock.now()),
            generation=1,
        )
        body.setdefault("apiVersion", resource.api_version)
        body.setdefault("kind", resource.kind)
        if resource is resources.MODELS:
            body.pop("status", None)
        self.shelves[resource].owners[key] = fields.updated(None, body, {}, manager)
        admission.default(resource, body)
        return self._store(resource, key, None, body, actor, verb)

    def _update(
        self, resource: Resource, key: Key, live: Object, new: Object, actor: str, verb: str
    ) -> Object:
        shelf = self.shelves[resource]
        if resource is resources.MODELS and "status" in live:
            new["status"] = live["status"]
        after = self._put(resource, key, live, new, actor, verb)
        shelf.owners[key] = fields.updated(live, new, shelf.owners[key], f"{actor}/update")
        return after

    def _put(
        self, resource: Resource, key: Key, live: Object, new: Object, actor: str, verb: str
    ) -> Object:
        if new == live:
            return live  # A write that changes nothing makes no version.
        admission.check(resource, live, new)
        if new.get("spec") != live.get("spec"):
            generation = live["metadata"]["generation"] + 1
            new = {**new, "metadata": {**new["metadata"], "generation": generation}}
        return self._store(resource, key, live, new, actor, verb)

    def _store(
        self,
        resource: Resource,
        key: Key,
        before: Object | None,
        body: Object,
        actor: str,
        verb: str,
    ) -> Object:
        self.version += 1
        body["metadata"] = {**body["metadata"], "resourceVersion": str(self.version)}
        shelf = self.shelves[resource]
        shelf.objects[key] = body
        kind = "MODIFIED" if before else "ADDED"
        shelf.history.append(Change(self.version, self.clock.now(), kind, body, before))
        self._tell(Write(actor, verb, resource, key, before, body))
        return body

    def _same_version(self, live: Object, body: Object) -> None:
        if body["metadata"].get("resourceVersion") not in (
            None,
            live["metadata"]["resourceVersion"],
        ):
            raise ApiError(409, "Conflict", "the object has been modified")

    def _tell(self, write: Write) -> None:
        for observer in self.observers:
            observer(write)


def controller(obj: Object) -> str | None:
    """The uid of an object's controlling owner."""
    owners: list[dict[str, Any]] = obj["metadata"].get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)
