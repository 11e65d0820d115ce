"""Carries out the actions of a plan, in their order: one write of the API server each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium import GROUP
from canarium.core.decision import plan as p
from canarium.core.facts.gate_jobs import service_name
from canarium.core.facts.observed import Modified
from canarium.engine.apply.adoption import Adoption
from canarium.engine.apply.child_writer import ChildWriter
from canarium.engine.apply.contested_children import RepairLimiter
from canarium.engine.apply.desired import DesiredManifests
from canarium.engine.apply.drift_repair import DriftRepair
from canarium.engine.apply.records import RevisionRecords
from canarium.engine.apply.rejections import Rejections, WriteRejected
from canarium.engine.cache.routes import ROUTES, route_of, with_live_settings
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.render import workload
from canarium.render.fetch_container import FetcherConfig


class Executor:
    """Writes for one model at a time.

    Raises ApiError for a failure to retry later, and WriteRejected for a rejection that calls for a
    new decision.
    """

    def __init__(
        self, api: Api, store: Store, rejections: Rejections, kit: FetcherConfig | None = None
    ) -> None:
        self._desired = DesiredManifests(store, kit)
        self._writer = ChildWriter(api, store, rejections)
        self._records = RevisionRecords(api, store, rejections, self._desired, self._writer)
        self._adoption = Adoption(api, store, rejections, self._writer)
        self._drift = DriftRepair(
            store, self._desired, self._writer, RepairLimiter(rejections.clock)
        )

    async def carry_out(self, parent: Mapping[str, Any], action: p.Action) -> None:
        """Carries out one action."""
        namespace, model = parent["metadata"]["namespace"], parent["metadata"]["name"]
        key, writer = (namespace, model), self._writer
        match action:
            case p.StoreRevision(new, serving, settings):
                await self._records.store(parent, key, new, serving, settings)
            case p.RestoreRevision(new, model_known, artifact):
                await self._records.restore(parent, key, new, model_known, artifact)
            case p.AnnotateRevision(revision, facts):
                notes = {f"{GROUP}/{name}": value for name, value in facts}
                name = workload.child_name(model, revision)
                await writer.annotate(resources.RECORDS, key, name, notes)
            case p.RenumberRevision(revision, number):
                await writer.renumber(key, workload.child_name(model, revision), number)
            case p.PinArtifact(revision, digest):
                await self._records.pin(parent, key, revision, digest)
            case p.Adopt(kind, name, uid):
                await self._adoption.adopt(parent, key, kind, name, uid)
            case p.CreateDeployment(revision, color, replicas):
                body = self._desired.deployment(parent, key, revision, color)
                body["spec"]["replicas"] = replicas
                await writer.create(resources.DEPLOYMENTS, key, body)
            case p.RestoreLabels(revision, "HorizontalPodAutoscaler"):
                body = self._desired.autoscaler(parent, revision, 1, 1)
                await writer.restore_labels(resources.AUTOSCALERS, key, body)
            case p.RestoreLabels(revision):
                body = workload.deployment(parent, revision, "", {})
                await writer.restore_labels(resources.DEPLOYMENTS, key, body)
            case p.Scale(revision, replicas):
                await writer.scale(key, workload.child_name(model, revision), replicas)
            case p.DeleteDeployment(revision, uid):
                name = workload.child_name(model, revision)
                await writer.delete(resources.DEPLOYMENTS, key, name, uid)
            case p.DeleteAutoscaler(revision, uid):
                name = workload.child_name(model, revision)
                await writer.delete(resources.AUTOSCALERS, key, name, uid)
            case p.DeleteRevision(revision):
                await writer.delete(resources.RECORDS, key, workload.child_name(model, revision))
            case p.SelectColor(color, traffic):
                body = self._desired.service(parent, color, traffic)
                await writer.apply(resources.SERVICES, key, body)
            case p.SetRouteWeights():
                await self._weigh(parent, key, action)
            case p.DeleteRoute(kind, uid):
                await writer.delete(ROUTES[kind], key, model, uid)
            case p.CreateBackend(revision):
                body = self._desired.backend(parent, key, revision)
                await writer.apply(resources.SERVICES, key, body)
            case p.DeleteBackend(revision, uid):
                name = workload.child_name(model, revision)
                await writer.delete(resources.SERVICES, key, name, uid)
            case p.SetAutoscaler(revision, min_replicas, max_replicas):
                body = self._desired.autoscaler(parent, revision, min_replicas, max_replicas)
                await writer.apply(resources.AUTOSCALERS, key, body)
            case p.CreateDisruptionBudget(revision):
                budget = self._desired.disruption_budget(parent, key, revision)
                if budget:
                    await writer.apply(resources.DISRUPTION_BUDGETS, key, budget)
            case p.DeleteDisruptionBudget(revision, uid):
                name = workload.child_name(model, revision)
                await writer.delete(resources.DISRUPTION_BUDGETS, key, name, uid)

            case p.CreateGateService(revision):
                body = self._desired.gate_service(parent, revision)
                await writer.apply(resources.SERVICES, key, body)
            case p.DeleteGateService(revision, uid):
                name = service_name(model, revision)
                await writer.delete(resources.SERVICES, key, name, uid)
            case p.CreateGateJob():
                body = self._desired.gate_job(parent, action)
                await writer.create(resources.JOBS, key, body)
            case p.DeleteGateJob(name, uid):
                await writer.delete(resources.JOBS, key, name, uid)

    async def repair(self, parent: Mapping[str, Any], *, freeze_route: bool = False) -> int:
        """Restores children that drifted; returns how many were written."""
        return await self._drift.repair(parent, freeze_route=freeze_route)

    def modified(self, parent: Mapping[str, Any]) -> tuple[Modified, ...]:
        """Returns what the API server or an admission policy changed in our own writes."""
        return self._drift.modified(parent)

    async def release(self, parent: Mapping[str, Any]) -> None:
        """Prepares the records of a model for its orphaning deletion."""
        await self._adoption.release(parent)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a deleted model."""
        self._drift.forget(key)
        self._records.forget(key)

    async def _weigh(self, parent: Mapping[str, Any], key: Key, action: p.SetRouteWeights) -> None:
        fact = route_of(action)
        try:
            body = self._desired.route(parent, key, fact)
            await self._writer.apply(ROUTES[fact.kind], key, body)
        except WriteRejected:
            before = with_live_settings(parent, self._desired.live_route(key))
            if action.traffic.candidate or before is None:
                raise
            # Traffic is taken off a failed version (R8) although the API server rejects the route
            # that the spec asks for now: with the settings of the live one.
            body = self._desired.route(before, key, fact)
            await self._writer.apply(ROUTES[fact.kind], key, body)
