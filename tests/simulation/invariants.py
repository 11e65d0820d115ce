"""Checks every write of the operator against the rules.

What the adversary did (pods that crash, children deleted by hand) is never held against the
operator: a rule is broken only by a write of the operator's own. `observed_cluster` has the facts
that writes are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.facts.weights import pods_needed_by_route, pods_needed_by_service
from canarium.core.phases.table import TABLE
from canarium.kube import resources
from canarium.render import labels
from simulation import route_invariants
from simulation.capacity_invariants import CapacityInvariants
from simulation.fields import Object
from simulation.observed_cluster import RECENT
from simulation.pause_invariants import PauseInvariant
from simulation.server import OPERATOR, PERSON, Write, controller
from simulation.status_checks import false_claims, missing_evidence
from simulation.summary import EXPLORED
from simulation.world import KEY, revision_of

_AFTER = {row.phase: row.then_to for row in TABLE}
_VERDICT = "canarium.dev/verdict"


@dataclass
class Invariants(CapacityInvariants):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.pauses = PauseInvariant(self)
        self.world.server.observers.append(self.see)

    def see(self, write: Write) -> None:
        if write.resource is resources.PODS:
            self._readiness.note()
            self._colors()
        self.pauses.see(write)
        if write.actor != OPERATOR:
            self._autoscaled(write)
            if write.actor == PERSON and write.resource is resources.SERVICES:
                self._service_edited_at = self.world.clock.now()
            return
        self.writes += 1
        check = {
            resources.MODELS: self._parent,
            resources.SERVICES: self._service,
            resources.DEPLOYMENTS: self._deployment,
            resources.AUTOSCALERS: self._autoscaler,
            resources.RECORDS: self._record,
            resources.HTTP_ROUTES: self._route,
        }.get(write.resource)
        if write.resource not in (resources.MODELS, resources.EVENTS):
            self._ours(write)
        if check:
            check(write)

    def _parent(self, write: Write) -> None:
        if write.verb != "status" or not write.before or not write.after:
            self.broken("parent", f"the operator does {write.verb} to the parent")
        elif write.before["spec"] != write.after["spec"]:
            self.broken("parent", "the operator wrote spec")
        failure = (write.after or {}).get("status", {}).get("failure")
        if failure:
            self.quarantined.add(failure["revision"])
        if write.after:
            for text in missing_evidence(write.after["status"]):
                self.broken("evidence", text)
            # Endpoints that an edited Service had for a moment are still reported then.
            recent = self.world.clock.now() - self._service_edited_at < RECENT
            if not (self.edited_by_hand or recent):
                EXPLORED["statuses compared"] += 1
                for text in false_claims(write.after["status"], *self._led()):
                    self.broken("R29", text)
            self.routed = self.routed or bool(write.after["status"].get("route"))
            before = (write.before or {}).get("status") or {}
            self._weight(write.after["status"], before)
            self._follows(write.after["status"], before)
            route_invariants.check_claim(self, write.after["status"], before)

    def _follows(self, status: Object, before: Object) -> None:
        """Checks the order of phases in the table while the spec is unchanged.

        A followed alias that moves is a change of the spec.
        """
        same = status.get("observedGeneration") == before.get("observedGeneration")
        if self._settings().follow_interval is not None:
            same = same and status.get("revision") == before.get("revision")
        old, new = before.get("phase"), status["phase"]
        if same and not self.edited_by_hand and old in _AFTER and new not in (old, *_AFTER[old]):
            self.broken("table", f"{new} follows {old}")

    def _weight(self, status: Object, before: Object) -> None:
        """R5: a weight that is claimed had its pods."""
        weight = (status.get("progress") or {}).get("weight", 0)
        old = (before.get("progress") or {}).get("weight", 0)
        candidate = (status.get("candidate") or {}).get("revision")
        if not candidate:
            return
        same = candidate == (before.get("candidate") or {}).get("revision")
        at_zero = self.sleeps() and self._strategy() != "Recreate" and not self.staleness
        if at_zero and weight > old and same:
            self.broken("R5", f"weight {weight} while the model is scaled to zero")
        # What was lost of a status is written again from the traffic record: that raises nothing.
        lost = not (before.get("candidate") and before.get("progress"))
        known = self._claimed.get(candidate, 0) if lost else old if same else 0
        self._claimed[candidate] = weight
        if weight > known and self._stable_count():
            by = pods_needed_by_route if status.get("route") else pods_needed_by_service
            have, need = self.most({candidate}), by(weight, self._stable_count())
            if have < need:
                self.broken("R5", f"weight {weight} with {have} of {need} pods ready")

    def _ours(self, write: Write) -> None:
        """R24: only what the parent controls is touched; only with a revision is it deleted."""
        parent = self.world.server.find(resources.MODELS, KEY)
        uid = parent["metadata"]["uid"] if parent else None
        controllers = {uid}
        if write.resource is resources.DISRUPTION_BUDGETS:
            deployments = self.world.server.all(resources.DEPLOYMENTS)
            controllers = {d["metadata"]["uid"] for d in deployments if controller(d) == uid}
        for obj in (write.before, write.after):
            if obj and controller(obj) not in controllers:
                self.broken("R24", f"{write.verb} of a foreign {write.resource.kind}")
        route = write.resource is resources.HTTP_ROUTES
        if write.after is None and write.before and not revision_of(write.before) and not route:
            self.broken("R24", f"deleted a {write.resource.kind} without a revision")

    def _route(self, write: Write) -> None:
        self.routed = True
        route_invariants.check(self, write)

    def _service(self, write: Write) -> None:
        if write.key != KEY:
            return
        assert write.after
        notes = write.after["metadata"].get("annotations", {})
        if notes.get(labels.QUARANTINED):
            self.quarantined.add(notes[labels.QUARANTINED])
        old, new = self._named(write.before), self._named(write.after)
        if old == new:
            return
        # Behind a route, pods that lost their colour still answer, but not through this Service.
        had, has = min(self.least(old), self.selected_ready(write.before)), self.most(new)
        if had and not has:
            self.broken("R0", f"traffic moves from {old} with {had} ready pods to {new or 'none'}")
        for revision in (new - old) & self.quarantined:
            if self.most({revision}):
                self.broken("R9", f"quarantined {revision} gets traffic")
        # Pods without a revision do not count. What was stable needs none to be selected beside
        # another: endpoints follow its readiness.
        for revision in new - old - {"", self._stable_in(write.before)}:
            # Behind a route, an older version that is about to be deleted, or its last pods, may
            # have the colour of another one.
            candidate = (self.world.status().get("candidate") or {}).get("revision")
            # The status is older than a spec that asks for another version.
            stays = revision == candidate and self.world.asks_for(revision)
            ending = self.routed and not (stays and self._exists(revision))
            if had and not ending and not self.most({revision}):
                self.broken("R4", f"{revision} gets traffic without a ready pod")
        stable = notes.get(labels.STABLE)
        was = (write.before or {"metadata": {}})["metadata"].get("annotations", {})
        promoted = stable and stable != was.get(labels.STABLE) and not notes.get(labels.QUARANTINED)
        if promoted and was.get(labels.STABLE) and self._strategy() != "Recreate":
            need = self._count_of(was[labels.STABLE])
            if self.most({stable}) < min(need, self.least(old)):
                self.broken(
                    "R5", f"{stable} is promoted with {self.most({stable})} of {need} pods ready"
                )

    def _stable_in(self, service: Object | None) -> str:
        notes = (service or {"metadata": {}})["metadata"].get("annotations", {})
        return str(notes.get(labels.STABLE, ""))

    def _record(self, write: Write) -> None:
        if write.after is None:
            assert write.before
            revision = revision_of(write.before)
            live = {
                revision_of(d) for d in self.world.server.all(resources.DEPLOYMENTS, labels.MODEL)
            }
            service = self.world.service() or {"metadata": {}}
            if revision in live | {service["metadata"].get("annotations", {}).get(labels.STABLE)}:
                self.broken("R9", f"the record of {revision} is pruned, which has a part now")
        elif write.after["metadata"].get("annotations", {}).get(_VERDICT) == "Quarantined":
            self.quarantined.add(revision_of(write.after))

    def _colors(self) -> None:
        seen: dict[str, str] = {}
        if self.routed:
            return
        for pod in self.world.pods():
            if self._is_stuck(pod):
                continue
            color = pod["metadata"]["labels"].get(labels.COLOR, "")
            if seen.setdefault(color, revision_of(pod)) != revision_of(pod):
                self.broken("colours", f"{seen[color]} and {revision_of(pod)} share {color}")
                return
        if len(set(seen.values())) > 2:
            self.broken("R10", f"more than two revisions have pods: {sorted(seen.values())}")

    def evidence(self) -> set[str]:
        """Revisions of whose failure the cluster still has a trace."""
        found = {
            revision_of(r)
            for r in self.world.server.all(resources.RECORDS)
            if r["metadata"].get("annotations", {}).get(_VERDICT) == "Quarantined"
        }
        route = self.world.server.find(resources.HTTP_ROUTES, KEY)
        failure = self.world.status().get("failure")
        for holder in (self.world.service(), route):
            if holder:
                found.add(holder["metadata"].get("annotations", {}).get(labels.QUARANTINED, ""))
        if failure:
            found.add(failure["revision"])
        return found

    def forgive(self) -> None:
        """After tampering: the operator cannot know what has left no trace in the cluster."""
        self.quarantined &= self.evidence()
        self.edited_by_hand = True
