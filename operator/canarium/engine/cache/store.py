"""All caches of one process: models by key, and children by model. A change wakes its model.

The children of a model are found by the model label, which a Service's EndpointSlices inherit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from canarium.core.facts.gate_jobs import GateService
from canarium.core.facts.gateways import Backend, Route, RouteConflict
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import (
    BlockedDeletion,
    NameConflict,
    Observed,
    Orphan,
    ResolvedRuntime,
    Service,
)
from canarium.core.facts.pods import CREATING_REASONS, Pod
from canarium.engine.cache import (
    istio,
    model_deployments,
    model_gates,
    pods,
    projections,
    routes,
)
from canarium.engine.cache.check_templates import CheckTemplates
from canarium.engine.cache.children import Child
from canarium.engine.cache.disruption_budgets import DisruptionBudgets, OtherBudget, pod_labels
from canarium.engine.cache.gateways import Gateways
from canarium.engine.cache.model_deployments import CachedModel
from canarium.engine.cache.model_gates import ModelGates
from canarium.engine.cache.route_claims import Claims
from canarium.engine.cache.runtimes import Runtimes
from canarium.engine.queue import Urgency
from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.kube.resources import Resource

Key = tuple[str, str]
Raw = dict[str, Any]
Wake = Callable[[Key, Urgency], None]

_PROJECTIONS: dict[Resource, Callable[[dict[str, Any]], Child[Any]]] = {
    resources.RECORDS: projections.record,
    resources.DEPLOYMENTS: projections.deployment,
    resources.PODS: pods.pod,
    resources.SERVICES: projections.service,
    resources.ENDPOINT_SLICES: projections.endpoints,
    resources.AUTOSCALERS: projections.autoscaler,
    resources.DISRUPTION_BUDGETS: projections.disruption_budget,
    resources.CONFIG_MAPS: projections.pin,
    resources.JOBS: projections.gate_job,
    resources.HTTP_ROUTES: routes.route,
    resources.GRPC_ROUTES: routes.route,
    resources.VIRTUAL_SERVICES: istio.virtual_service,
}


class Store:
    """The caches. `wake` is called with the key of each model that a change concerns."""

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        #: Minor version of the API server; None until it is known.
        self.server_minor: int | None = None
        #: Called with each kind of route that a model asks for or has.
        self.wants: Callable[[Resource], None] = _nobody
        self.parents: Cache[CachedModel] = Cache(model_deployments.parent, self._parent_changed)
        #: The model whose status is being observed that a decision has already taken into account.
        self._decided: Key | None = None
        #: Tuples: there is one for each kind and model, and a dict takes five times as much.
        self._children: dict[Resource, dict[Key, tuple[Child[Any], ...]]] = {
            resource: {} for resource in _PROJECTIONS
        }
        self.runtimes = Runtimes(self._runtime_changed)
        self.model_gates = ModelGates(self._model_gate_changed)
        self.check_templates = CheckTemplates(
            self._check_template_changed, self._check_templates_readable
        )
        self.gateways = Gateways(self._gateway_changed)
        self.caches: dict[Resource, Cache[Child[Any]]] = {
            resource: Cache(project, self._indexer(resource))
            for resource, project in _PROJECTIONS.items()
        }
        #: Kinds of routes that are watched whole; models' own routes go to `caches`.
        self.claims = {
            resource: Claims(self.caches[resource], self.gateways.listeners, self._conflict_changed)
            for resource in (resources.HTTP_ROUTES, resources.GRPC_ROUTES)
        }

        #: Also those of other owners.
        self.budgets = DisruptionBudgets(
            self.caches[resources.DISRUPTION_BUDGETS], self._other_budget_changed
        )

    def parent(self, key: Key) -> dict[str, Any] | None:
        """Returns a ModelDeployment as last observed, without its managedFields."""
        cached = self.parents.items.get(key)
        return cached.raw if cached else None

    def uid(self, key: Key) -> str | None:
        """Returns the UID of a ModelDeployment; None after its deletion."""
        parent = self.parent(key)
        return str(parent["metadata"]["uid"]) if parent else None

    def observe_decided(self, raw: Raw) -> None:
        """Observes a model after a write of a status that its last decision was based on and left
        as it was. Such a status does not wake it: the same decision would follow."""
        self._decided = (raw["metadata"]["namespace"], raw["metadata"]["name"])
        try:
            self.parents.observe(raw)
        finally:
            self._decided = None

    def _parent_changed(self, old: CachedModel | None, new: CachedModel | None) -> None:
        some = new or old
        assert some is not None
        key = (some.namespace, some.name)
        for kind in some.routes:
            self.wants(routes.ROUTES[kind])
        if new is None or old is None or old.desired_state != new.desired_state:
            self._wake(key, Urgency.CHANGE)
        elif old.status_hash != new.status_hash and key != self._decided:
            self._wake(key, Urgency.RESYNC)

    def _runtime_changed(self, namespace: str, name: str) -> None:
        """Wakes the models that name the runtime, or whose format may now select another."""
        for key, parent in self.parents.items.items():
            own = parent.raw.get("spec", {}).get("runtime") or {}
            concerned = own.get("name") == name or not (own.get("name") or own.get("image"))
            if concerned and namespace in ("", key[0]):
                self._wake(key, Urgency.CHANGE)

    def _model_gate_changed(self, namespace: str, name: str) -> None:
        """Wakes the models whose gates name the ModelGate."""
        for key, parent in self.parents.items.items():
            if key[0] == namespace and name in model_gates.names(parent.raw.get("spec") or {}):
                self._wake(key, Urgency.CHANGE)

    def _check_template_changed(self, kind: str, namespace: str, name: str) -> None:
        """Wakes the models whose analysis names the template."""
        for key, parent in self.parents.items.items():
            if namespace in ("", key[0]) and (kind, name) in parent.check_templates:
                self._wake(key, Urgency.CHANGE)

    def _check_templates_readable(self, kind: str, namespace: str | None) -> None:
        """Wakes the models whose analysis names any template of the kind."""
        for key, parent in self.parents.items.items():
            if namespace in (None, key[0]) and kind in dict(parent.check_templates):
                self._wake(key, Urgency.CHANGE)

    def _gateway_changed(self, gateway: routes.CachedGateway | None) -> None:
        """Wakes the models that name the Gateway, or for a class any Gateway."""
        for key, parent in self.parents.items.items():
            spec = parent.raw.get("spec") or {}
            if gateway is None or routes.names_gateway(spec, key[0], gateway):
                self._wake(key, Urgency.CHANGE)

    def _conflict_changed(self, key: Key) -> None:
        if key in self.parents.items:
            self._wake(key, Urgency.CHANGE)

    def _other_budget_changed(
        self, namespace: str | None, changed: tuple[OtherBudget, ...]
    ) -> None:
        """Wakes the models whose pods one of `changed` selects; all of `namespace` (None: of any)
        without any."""
        deployments = self._children[resources.DEPLOYMENTS]
        for key in [key for key in self.parents.items if namespace in (None, key[0])]:
            pods = [pod_labels(key, child.fact) for child in deployments.get(key, ())]
            if not changed or any(budget.selects(pod) for budget in changed for pod in pods):
                self._wake(key, Urgency.CHANGE)

    def _conflict(self, key: Key, route: Route | None) -> RouteConflict | None:
        """Returns the foreign route that conflicts with the one of `key`, if any."""
        claims = self.claims.get(routes.ROUTES[route.kind]) if route else None
        return claims.conflict(key) if claims else None

    def selected_runtime(self, key: Key) -> ResolvedRuntime:
        """Returns the runtime that the spec of `key` refers to now."""
        return self.runtimes.selected_runtime(key[0], self.parents.items[key].raw.get("spec") or {})

    def children(self, resource: Resource, key: Key) -> tuple[Child[Any], ...]:
        return self._children[resource].get(key, ())

    def blocked_deletions(self, key: Key) -> tuple[BlockedDeletion, ...]:
        """Returns objects of the model whose deletion is blocked by finalizers."""
        return tuple(
            BlockedDeletion(
                ObjectRef(resource.kind, child.name), child.finalizers, child.deleted or 0.0
            )
            for resource in _PROJECTIONS
            if resource is not resources.ENDPOINT_SLICES
            for child in self.children(resource, key)
            if child.finalizers
        )

    def observed(self, key: Key) -> Observed:
        """Returns the facts about one model. Objects that it does not control are foreign (R24)."""
        parent = self.parents.items[key]
        uid, raw = parent.uid, parent.raw
        foreign: list[NameConflict] = []
        orphans: list[Orphan] = []
        inherited: list[ObjectRef] = []

        def ours(resource: Resource) -> list[Any]:
            facts = []
            for child in self.children(resource, key):
                ref = ObjectRef(resource.kind, child.name)
                if child.owner == uid:
                    facts.append(child.fact)
                elif child.inherited:
                    inherited.append(ref)
                elif child.adoptable:
                    orphans.append(Orphan(ref, child.uid))
                elif child.owner is None or resource is resources.SERVICES:
                    foreign.append(NameConflict(ref, child.controller or None))
            return facts

        def endpoints(service: str) -> frozenset[str]:
            slices = (c.fact for c in self.children(resources.ENDPOINT_SLICES, key))
            return frozenset().union(*(one.names for one in slices if one.service == service))

        deployments = {
            c.uid: c.fact for c in self.children(resources.DEPLOYMENTS, key) if c.owner == uid
        }
        budgets = self.children(resources.DISRUPTION_BUDGETS, key)
        own_budgets, with_other_budget = self.budgets.observed(key, budgets, deployments)
        record_uids = {c.uid for c in self.children(resources.RECORDS, key) if c.owner == uid}
        services = ours(resources.SERVICES)
        service = next((s for s in services if isinstance(s, Service)), None)
        own_routes = [fact for resource in routes.ROUTES.values() for fact in ours(resource)]
        spec = raw.get("spec") or {}
        pods = [child.fact for child in self.children(resources.PODS, key)]
        return Observed(
            records=tuple(sorted(ours(resources.RECORDS), key=lambda r: r.number)),
            deployments=tuple(ours(resources.DEPLOYMENTS)),
            pods=tuple(pod for pod in pods if pod.ended is None and pod.controlled),
            released_pods=tuple(p for p in pods if p.ended is None and not p.controlled),
            finished_pods=tuple(pod for pod in pods if pod.ended is not None),
            service=replace(service, endpoints=endpoints(key[1])) if service else None,
            route=next(iter(own_routes), None),
            route_conflict=self._conflict(key, next(iter(own_routes), None)),
            backends=tuple(
                replace(s, endpoints=endpoints(s.name)) for s in services if isinstance(s, Backend)
            ),
            gate_services=tuple(
                replace(s, endpoints=endpoints(s.name))
                for s in services
                if isinstance(s, GateService)
            ),
            # One without our owner is not ours, and blocks nothing.
            gate_jobs=tuple(c.fact for c in self.children(resources.JOBS, key) if c.owner == uid),
            model_gates=self.model_gates.named(key[0], spec),
            check_templates=self.check_templates.named(key[0], parent.check_templates),
            gateways=self.gateways.named(spec, key[0]),
            route_api_error=self.gateways.api_error(routes.wanted_kind(spec), key[0]),
            autoscalers=tuple(ours(resources.AUTOSCALERS)),
            disruption_budgets=own_budgets,
            with_other_budget=with_other_budget,
            pinned_artifacts=tuple(
                c.fact for c in self.children(resources.CONFIG_MAPS, key) if c.owner in record_uids
            ),
            orphans=tuple(orphans),
            owned_by_deleted=tuple(sorted(inherited)),
            blocked_deletions=self.blocked_deletions(key),
            name_conflicts=tuple(sorted(foreign, key=str)),
            runtime=self.selected_runtime(key),
            annotations=model_deployments.commands(raw),
        )

    def _indexer(
        self, resource: Resource
    ) -> Callable[[Child[Any] | None, Child[Any] | None], None]:
        index = self._children[resource]

        def changed(old: Child[Any] | None, new: Child[Any] | None) -> None:
            concerned = {(c.namespace, c.model) for c in (old, new) if c}
            for key in concerned:
                others = [c for c in index.get(key, ()) if old is None or c.name != old.name]
                mine = [new] if new and (new.namespace, new.model) == key else []
                if others or mine:
                    index[key] = (*others, *mine)
                else:
                    index.pop(key, None)
            if new and new.adoptable and isinstance(new.fact, Backend):
                # A route led to it, of a kind that no model may ask for yet.
                for route in routes.ROUTES.values():
                    self.wants(route)
            urgency = _urgency(old, new)
            for key in concerned:
                if key in self.parents.items:
                    self._wake(key, urgency)

        return changed


def _nobody(resource: Resource) -> None:
    """Does nothing: for callers that watch all kinds from the start."""


def _urgency(old: Child[Any] | None, new: Child[Any] | None) -> Urgency:
    """Returns FAULT for a pod that got worse: it may call for a rollback, which takes priority.

    A terminating pod does not, or the end of one rollback would delay the next.
    """
    if not any(child and isinstance(child.fact, Pod) for child in (old, new)):
        return Urgency.CHANGE
    if old and old.fact.terminating:
        return Urgency.CHANGE
    if new is None or (old and old.fact.ready and not new.fact.ready):
        return Urgency.FAULT
    trouble = [
        c
        for c in new.fact.containers
        if c.terminated or c.last_terminated or (c.waiting and c.waiting not in CREATING_REASONS)
    ]
    before = old.fact.containers if old else ()
    return Urgency.FAULT if trouble and new.fact.containers != before else Urgency.CHANGE
