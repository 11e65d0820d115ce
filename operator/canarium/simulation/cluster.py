"""A small cluster in virtual time that carries plans out as the operator and Kubernetes would.

The decisions are those of `core.planner`. Assertions state what must never be written.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.decision import plan as p
from canarium.core.facts import rollout_settings, takeover
from canarium.core.facts.check_templates import ANNOTATION
from canarium.core.facts.gate_jobs import GateJob, GateService
from canarium.core.facts.gateways import Backend, Route
from canarium.core.facts.observed import (
    Autoscaler,
    Deployment,
    DisruptionBudget,
    Observed,
    Service,
)
from canarium.core.facts.revision import NewRecord, Record, find, resolved_facts
from canarium.core.planner import plan
from canarium.core.status.transitions import with_transitions
from canarium.simulation.kubernetes import Kubernetes


@dataclass
class Cluster(Kubernetes):
    """Kubernetes, and an operator that decides when facts change or a decision asked for it."""

    #: Whether the status keeps the transitions, as with notifications enabled.
    keeps_transitions: bool = False

    def run(self, seconds: float, tick: float = 0.5) -> Self:
        """Advances the time and decides when facts change and when a decision has asked for it:
        what is due without `requeue_after` never happens."""
        end = self.now + seconds
        while self.now < end:
            decided = self._wake()
            # The instants stay those of a run that leaves none out.
            idle_until = self.now if decided else self._next_event()
            self.now += tick
            while self.now < min(end, idle_until):
                self.now += tick
        self._wake()
        return self

    def unattended(self, seconds: float, tick: float = 0.5) -> Self:
        """Advances the time while no operator runs."""
        end = self.now + seconds
        while self.now < end:
            self._live()
            self.now += tick
        return self

    def _wake(self) -> bool:
        """Decides if there is a reason to; whether there was one."""
        self._live()
        is_due = self.due is not None and self.now >= self.due
        if not is_due and self._facts() == self.decided_on:
            return False
        self.settle()
        return True

    def _next_event(self) -> float:
        """Returns when facts may change next, or the decision is due, if no one acts before."""
        due = math.inf if self.due is None else self.due
        return min(due, self._next_change())

    def _facts(self) -> Any:
        """Returns all facts that an event reports."""
        return self.observed(), self.spec, self.status

    def settle(self) -> Self:
        """Decides until a decision writes nothing; more than 40 rounds is a loop."""
        for _ in range(40):
            self._live()
            before = self.writes
            self.reconcile()
            if self.writes == before:
                return self
        raise AssertionError(f"no fixpoint at {self.now}: {self.status.message}")

    def reconcile(self) -> p.Plan:
        observed = self.observed()
        decision = self._decide(observed)
        if decision.requests.resolve != self.requests.resolve:
            # A registry answers before the operator reports that it waits.
            self.requests = decision.requests
            observed = self.observed()
            decision = self._decide(observed)
        # The spec is copied, since users of this class change it in place.
        self.decided_on = (observed, pickle.loads(pickle.dumps(self.spec)), self.status)
        decision = with_transitions(decision, self.status, self.now, record=self.keeps_transitions)
        for action in decision.actions:
            if self._dies():
                return decision
            self._carry_out(action)
            self.writes += 1
        self.requests = decision.requests
        wait = decision.requeue_after
        self.due = None if wait is None else self.now + wait
        late = decision.status_is_urgent or self.now >= self.reported_at + 5.0
        if decision.status != self.status and late:
            self.reported_at = self.now
            if self._dies():
                return decision
            self.status = decision.status
            self.writes += 1
        elif decision.status != self.status:
            self.due = min(self.reported_at + 5.0, self.due or math.inf)
        self.events += decision.events
        return decision

    def _decide(self, observed: Observed | None = None) -> p.Plan:
        return plan(
            self.spec,
            _effective(json.dumps(self.spec), self.runtime.startup_budget),
            self.status,
            observed or self.observed(),
            now=self.now,
            generation=1,
            name="m",
        )

    def _dies(self) -> bool:
        if self.writes != self.die_at:
            return False
        self.die_at = self.decided_on = None
        self.writes += 1  # A crash is not a fixpoint.
        return True

    def _store(self, new: NewRecord, model: Mapping[str, Any], **facts: Any) -> None:
        resolved, digest = resolved_facts(new.algorithm, new.identity)
        record = Record(
            new.revision,
            new.number,
            new.algorithm,
            new.digest,
            new.identity,
            model.get("version"),
            None,
            None,
            uri=model.get("uri"),
            resolved=resolved,
            spec_digest=digest,
        )
        self.records.append(replace(record, **facts))

    def _carry_out(self, action: p.Action) -> None:
        match action:
            case p.StoreRevision(new, served, settings):
                model = self.spec["model"]
                self._store(
                    new,
                    model,
                    served=served,
                    rollout_settings=settings,
                    after=new.after,
                    retry=new.retry,
                    pins="uri" in model and "digest" not in model,
                    endpoint=model.get("endpoint"),
                )
                assert find(self.spec, self.records)
            case p.RestoreRevision(new, recorded, artifact):
                model = self.spec["model"] if recorded is None else dict(recorded)
                self._store(new, model, artifact=artifact)
            case p.AnnotateRevision(revision, facts):
                self.records = [
                    replace(
                        r,
                        served=dict(facts).get("served", r.served),
                        verdict=dict(facts).get("verdict", r.verdict),
                        artifact=dict(facts).get("artifact", r.artifact),
                        signature=dict(facts).get("signature", r.signature),
                        images=dict(facts).get("images", r.images),
                        failure=dict(facts).get("failure", r.failure),
                        gates=dict(facts).get("gates", r.gates),
                        rollout_settings=dict(facts).get(
                            rollout_settings.ANNOTATION, r.rollout_settings
                        ),
                        took_over=dict(facts).get(takeover.ANNOTATION, r.took_over),
                        check_templates=dict(facts).get(ANNOTATION, r.check_templates),
                        commands=tuple(dict(facts).get("commands", "").split(","))
                        if "commands" in dict(facts)
                        else r.commands,
                        tagged=dict(facts).get("tagged", r.tagged),
                        run_recorded=r.run_recorded or "training-run" in dict(facts),
                    )
                    if r.revision == revision
                    else r
                    for r in self.records
                ]
            case p.RenumberRevision(revision, number):
                self.records = [
                    replace(r, number=number) if r.revision == revision else r for r in self.records
                ]
            case p.PinArtifact(revision, digest):
                self.pinned[revision] = digest
            case p.CreateDeployment(revision, color, replicas):
                stable = self.route.traffic.stable if self.route else None
                others = (
                    x
                    for x in self.pods
                    if x.revision != revision
                    and stable in (None, x.revision)
                    and not (x.terminating and self.now >= (x.terminates_by or self.now) + 10.0)
                )
                assert color not in {x.color for x in others}, "a colour is shared"
                assert revision not in self.deployments, "made twice"
                record = next(r for r in self.records if r.revision == revision)
                self.deployments[revision] = Deployment(
                    f"m-{revision}",
                    f"uid-{revision}",
                    revision,
                    color,
                    replicas,
                    resolved=record.resolved,
                )
            case p.Scale(revision, replicas):
                old = self.deployments[revision]
                self.deployments[revision] = replace(old, replicas=replicas)
            case p.DeleteDeployment(revision):
                self._may_go(revision)
                self.deleted.append((self.now, revision))
                del self.deployments[revision]
                self.budgets.pop(revision, None)  # The garbage collector deletes it.
            case p.SetRouteWeights():
                self._weigh(action)
            case p.DeleteRoute():
                self.route = None
            case p.CreateBackend(revision):
                self.backends[revision] = Backend(f"m-{revision}", f"s-{revision}", revision)
                self._endpoints()
            case p.DeleteBackend(revision):
                assert not self.route or self.route.weight(revision) is None, (
                    "a backend of the route is deleted"
                )
                del self.backends[revision]
            case p.SelectColor(color, traffic):
                before = self.serving()
                known = self.service.endpoints if self.service else frozenset()
                self.service = Service("svc", color, traffic, known)
                self._endpoints()
                assert self.serving() or not before, "R0: traffic moved to no ready pod"
            case p.SetAutoscaler(revision, min_replicas, max_replicas):
                self.autoscalers[revision] = Autoscaler(
                    f"m-{revision}", f"hpa-{revision}", revision, min_replicas, max_replicas
                )
            case p.DeleteAutoscaler(revision):
                del self.autoscalers[revision]
            case p.CreateDisruptionBudget(revision):
                assert revision in self.deployments, "its owner"
                self.budgets[revision] = DisruptionBudget(
                    f"m-{revision}", f"b-{revision}", revision
                )
            case p.DeleteDisruptionBudget(revision):
                del self.budgets[revision]
            case p.CreateGateService(revision):
                self.gate_services[revision] = GateService(
                    f"m-{revision}-gate", f"gs-{revision}", revision
                )
                self._endpoints()
            case p.DeleteGateService(revision):
                del self.gate_services[revision]
            case p.CreateGateJob(name, revision, nonce=nonce):
                assert name not in self.gate_jobs, "made twice"
                self.started_jobs.append(action)
                uid = f"job-{len(self.started_jobs)}"
                self.gate_jobs[name] = GateJob(name, uid, revision, nonce=nonce)
            case p.DeleteGateJob(name):
                del self.gate_jobs[name]
            case p.DeleteRevision(revision):
                self.records = [r for r in self.records if r.revision != revision]

    def _weigh(self, action: p.SetRouteWeights) -> None:
        """Sets weights as the API server does: only a change of the spec raises the generation."""
        assert self.route_api_error is None, "no such kind"
        self._assert_weights(action)
        old = self.route
        spec = (action.weights, action.direct)
        changed = old is None or spec != (old.weights, old.direct)
        generation = (old.generation if old else 0) + changed
        current = old if old and not changed else None
        self.route = Route(
            action.kind,
            "route",
            generation,
            action.weights,
            action.traffic,
            action.direct,
            accepted=current.accepted if current else False,
            pending_parents=current.pending_parents if current else ("Gateway ns/public",),
        )
        if changed:
            self.route_written_at = self.now

    def _assert_weights(self, action: p.SetRouteWeights) -> None:
        assert sum(weight for _, weight in action.weights) == 100, "never 0/0"
        for revision, weight in action.weights:
            assert revision in self.backends, "a backend without a Service"
            others = any(self.backends[r].endpoints for r, w in action.weights if r != revision)
            if weight and others:
                assert self.backends[revision].endpoints, "a share without endpoints"
        if self.routed:
            now, then = self.routed[-1][1], [r for r, weight in action.weights if weight]
            ready = {r for r, _ in self._ready()}
            had = any(weight and name in ready for name, weight in now.items())
            assert not had or any(r in ready for r in then), "R0: traffic moved to no ready pod"

    def _may_go(self, revision: str) -> None:
        """Asserts R8: gateways have released it, and requests in flight have had time to end."""
        if self.route is None or self.route.weight(revision) is None or not self.routed:
            return
        if (self.spec.get("rollout") or {}).get("strategy") == "Recreate":
            return  # Its pods are what stable waits for (R22).
        assert not self.routed[-1][1].get(revision), "R8: pods go that a gateway leads to"


@lru_cache(256)
def _effective(spec: str, startup_budget: float | None) -> EffectiveSpec:
    """Returns the effective spec of a spec in JSON."""
    return effective_spec(Spec.model_validate(json.loads(spec)), startup_budget)
