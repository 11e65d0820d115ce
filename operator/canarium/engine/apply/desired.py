"""Desired manifests of one model's children, rendered from its spec, its records and the caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.disruption_budget import effective_max_unavailable
from canarium.api.effective_scaling import effective_scaling
from canarium.api.effective_traffic import EffectiveTraffic, effective_traffic
from canarium.core.decision.plan import CreateGateJob
from canarium.core.facts.gate_jobs import GateService
from canarium.core.facts.gateways import Backend, Route
from canarium.core.facts.object_ref import UNRENDERED_RECORD, ObjectRef
from canarium.core.facts.observed import (
    Autoscaler,
    Deployment,
    DisruptionBudget,
    Rejection,
    Service,
)
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.apply.rejections import WriteRejected
from canarium.engine.cache.children import Child, live_content
from canarium.engine.cache.routes import (
    ROUTES,
    settings_annotation,
    wanted_kind,
    with_settings_in_effect,
)
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.render import gate_job, labels, pod, routes, runtime, workload
from canarium.render.distribution import traffic_distribution
from canarium.render.errors import RuntimeInvalid
from canarium.render.fetch_container import FetcherConfig
from canarium.render.traffic_split import Split
from canarium.untrusted.quoting import quoted

Manifest = dict[str, Any]
#: Characters of the message why a runtime cannot be rendered.
_LONGEST = 2048


class DesiredManifests:
    """Renders what each child should be. Raises WriteRejected where it cannot be rendered."""

    def __init__(self, store: Store, kit: FetcherConfig | None = None) -> None:
        self._store, self._kit = store, kit

    def new_revision(
        self, parent: Mapping[str, Any], revision: str, resolved: str | None = None
    ) -> tuple[Manifest, Manifest]:
        """Returns a new revision's pod template, and the runtime with the server as rendered.

        `resolved` is what a moving reference stands for (R26): all pods fetch that.
        """
        meta, spec = parent["metadata"], parent["spec"]
        if resolved:
            spec = {**spec, "model": {**spec["model"], "uri": resolved}}
        try:
            chosen = self._store.runtimes.catalog(meta["namespace"]).choose(spec)
            server = runtime.server(meta["name"], meta["namespace"], spec, chosen)
            template = pod.pod_template(meta["name"], revision, spec, server, self._kit)
        except RuntimeInvalid as error:
            # Templates and names of the runtime are in the message, with any characters.
            text = quoted(error, _LONGEST)
            raise WriteRejected(Rejection(UNRENDERED_RECORD, text, reason=error.reason)) from error
        if resolved:
            template["metadata"].setdefault("annotations", {})[labels.RESOLVED] = resolved
        snapshot: Manifest = {"server": server}
        if chosen:
            snapshot |= {"name": chosen.name, "kind": chosen.kind, "digest": chosen.digest}
        return template, snapshot

    def running_template(self, key: Key, revision: str) -> Manifest | None:
        """Returns the pod template of a revision's live Deployment, if there is one.

        A record that was deleted is stored again from it: what runs restarts nothing, what is
        rendered afresh might.
        """
        for child in self._store.children(resources.DEPLOYMENTS, key):
            if child.fact.revision == revision:
                template: Manifest = live_content(child)["spec"]["template"]
                template["metadata"]["labels"].pop(labels.COLOR, None)
                return template
        return None

    def of_child(self, parent: Mapping[str, Any], key: Key, child: Child[Any]) -> Manifest | None:
        """Returns what would be applied over `child`, by its own labels and annotations; None for
        one to leave alone."""
        match child.fact:
            case Deployment(revision=revision, color=color, terminating=False) if color:
                record = self.record(key, revision)
                if record is None or not record.fact.intact:
                    return None
                wanted = self.deployment(parent, key, revision, color)
                # A selector is immutable, so it cannot drift, and an earlier operator may have
                # created the Deployment with another one.
                wanted["spec"]["selector"] = live_content(child)["spec"]["selector"]
                return wanted
            case Service(color=color, traffic=traffic) if traffic.stable:
                return self.service(parent, color, traffic)
            case Route() as fact if fact.traffic.stable:
                return self.route(parent, key, fact)
            case Backend(revision=revision):
                return self.backend(parent, key, revision)
            case GateService(revision=revision):
                return self.gate_service(parent, revision)
            case Autoscaler(
                revision=revision, min_replicas=min_replicas, max_replicas=max_replicas
            ):
                return self.autoscaler(parent, revision, min_replicas, max_replicas)
            case DisruptionBudget(revision=revision, has_minimum=False):
                return self.disruption_budget(parent, key, revision)
        return None

    def deployment(
        self, parent: Mapping[str, Any], key: Key, revision: str, color: str
    ) -> Manifest:
        """Returns a revision's Deployment, from its stored record alone (R1)."""
        record = self.record(key, revision)
        name = workload.child_name(key[1], revision)
        ref = ObjectRef("Deployment", name)
        if record is None:
            raise WriteRejected(Rejection(ref, f"ControllerRevision {name} is missing"))
        if not record.fact.intact:
            raise WriteRejected(Rejection(ref, f"ControllerRevision {name} was altered by hand"))
        return workload.deployment(parent, revision, color, live_content(record)["template"])

    def route(self, parent: Mapping[str, Any], key: Key, fact: Route) -> Manifest:
        """Returns the route with the weights of `fact`, and all else by the settings in effect."""
        parent = with_settings_in_effect(parent, fact.kind, self.live_route(key))
        if wanted_kind(parent["spec"]) != fact.kind:
            text = f"the annotation {labels.TRAFFIC} with its settings is missing"
            raise WriteRejected(Rejection(ObjectRef(fact.kind.kind, key[1]), text))
        versions, shares = self.versions(key), dict(fact.weights)
        split = Split(
            fact.weights,
            fact.traffic.candidate,
            fact.direct,
            versions={name: text for name, text in versions.items() if name in shares},
            notes={**fact.traffic.to_annotations(), **settings_annotation(parent)},
        )
        return routes.RENDERED[fact.kind](parent, _traffic(parent), split)

    def versions(self, key: Key) -> dict[str, str]:
        """Returns the version of each stored revision that has one."""
        records = (c.fact for c in self._store.children(resources.RECORDS, key))
        return {record.revision: record.version for record in records if record.version}

    def backend(self, parent: Mapping[str, Any], key: Key, revision: str) -> Manifest:
        """Returns the Service of one revision, which a route leads to."""
        live = self.live_route(key)
        kind = live.fact.kind if live else None
        parent = with_settings_in_effect(parent, kind, live)
        traffic = _traffic(parent)
        return routes.backend(parent, traffic, revision, self._distribution(traffic))

    def gate_service(self, parent: Mapping[str, Any], revision: str) -> Manifest:
        """Returns the Service of one revision for Jobs of gates."""
        return gate_job.gate_service(parent, _traffic(parent).port, revision)

    def gate_job(self, parent: Mapping[str, Any], action: CreateGateJob) -> Manifest:
        """Returns the Job of a gate."""
        return gate_job.gate_job(parent, _traffic(parent).port, action)

    def service(
        self, parent: Mapping[str, Any], color: str | None, traffic: TrafficRecord
    ) -> Manifest:
        """Returns the callers' Service. Its port keeps the name that it has."""
        settings = _traffic(parent)
        return workload.service(
            parent,
            settings.port,
            color,
            traffic,
            self._port_name(parent, settings.port),
            self._distribution(settings),
        )

    def _distribution(self, traffic: EffectiveTraffic) -> Manifest:
        return traffic_distribution(traffic.distribution, self._store.server_minor)

    def autoscaler(
        self, parent: Mapping[str, Any], revision: str, min_replicas: int, max_replicas: int
    ) -> Manifest:
        """Returns a revision's HorizontalPodAutoscaler with these limits."""
        scaling = effective_scaling(parent["spec"].get("scaling"))
        return workload.autoscaler(parent, scaling, revision, min_replicas, max_replicas)

    def disruption_budget(
        self, parent: Mapping[str, Any], key: Key, revision: str
    ) -> Manifest | None:
        """Returns the PodDisruptionBudget of a revision; None if it has no Deployment, or if the
        budget is switched off."""
        limit = effective_max_unavailable(parent["spec"].get("podDisruptionBudget"))
        deployments = self._store.children(resources.DEPLOYMENTS, key)
        owner = next((child for child in deployments if child.fact.revision == revision), None)
        if limit is None or owner is None:
            return None
        return workload.disruption_budget(parent, revision, owner.fact.color, owner.uid, limit)

    def live_route(self, key: Key) -> Child[Any] | None:
        """Returns the model's own route, of any kind."""
        routes = (c for resource in ROUTES.values() for c in self._store.children(resource, key))
        uid = self._store.parents.items[key].uid
        return next((child for child in routes if child.owner == uid), None)

    def _port_name(self, parent: Mapping[str, Any], port: int) -> str | None:
        """Returns the name of a port of the live Service; None for a port without a name.

        A port that is renamed has no endpoints until its EndpointSlices have the new name too, so
        renaming that of an adopted Service would fail requests.
        """
        meta = parent["metadata"]
        for child in self._store.children(resources.SERVICES, (meta["namespace"], meta["name"])):
            if isinstance(child.fact, Service) and child.owner == meta["uid"]:
                for live in live_content(child)["spec"]["ports"] or ():
                    if live["port"] == port and live.get("protocol", "TCP") == "TCP":
                        name: str | None = live.get("name")
                        return name
        return workload.PORT_NAME

    def record(self, key: Key, revision: str) -> Child[Any] | None:
        """Returns the stored record of a revision."""
        records = self._store.children(resources.RECORDS, key)
        return next((child for child in records if child.fact.revision == revision), None)


def _traffic(parent: Mapping[str, Any]) -> EffectiveTraffic:
    """Returns the settings of `parent`, which may be those that the live route was made from."""
    return effective_traffic(parent["spec"].get("traffic"))
