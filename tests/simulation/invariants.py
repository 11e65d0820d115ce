"""Checks every write of the operator against the rules.

What the adversary did (pods that crash, children deleted by hand) is never held against the
operator: a rule is broken only by a write of the operator's own. An operator whose watches are
late cannot know better, so facts about readiness count as they were at any time within
`staleness` seconds: a write is wrong only if it was wrong throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.context.colors import STUCK_AFTER
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import pods_needed_by_route, pods_needed_by_service
from canarium.core.phases.table import TABLE
from canarium.core.times import parse
from canarium.kube import resources
from canarium.render import labels
from simulation import route_invariants
from simulation.controllers import selected
from simulation.fields import Object
from simulation.kubelet import is_ready
from simulation.pause_invariants import PauseInvariant
from simulation.readiness_log import ReadinessLog
from simulation.server import KUBERNETES, OPERATOR, PERSON, Write, controller
from simulation.status_checks import false_claims, missing_evidence
from simulation.summary import EXPLORED
from simulation.world import KEY, World, revision_of

_AFTER = {row.phase: row.then_to for row in TABLE}
_VERDICT = "canarium.dev/verdict"
#: Seconds in which the operator has repaired a Service and decided with what it then knew.
RECENT = 5.0


@dataclass
class Invariants:
    world: World
    #: How old, in seconds, the operator's knowledge may be now.
    staleness: float = 0.0
    #: Revisions that must not get traffic: failed, and not retried (R9).
    quarantined: set[str] = field(default_factory=set)
    #: Whether another client has edited the operator's objects.
    edited_by_hand: bool = False
    violations: list[str] = field(default_factory=list)
    writes: int = 0
    #: Whether there was ever a route: then colours are not what keeps versions apart.
    routed: bool = False
    #: uid of a Deployment → the template that it was made with.
    _made: dict[str, Any] = field(default_factory=dict)
    #: When another client last wrote a Service.
    _service_edited_at: float = -math.inf
    #: Candidate → the weight that the last status claimed for it.
    _claimed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pauses = PauseInvariant(self)
        self._readiness = ReadinessLog(self.world)
        self.world.server.observers.append(self.see)

    # --- the account of what is ready ------------------------------------------------------

    def _lately(self) -> list[Mapping[str, int]]:
        return self._readiness.lately(self.staleness)

    def least(self, revisions: set[str]) -> int:
        return min((sum(m.get(r, 0) for r in revisions) for m in self._lately()), default=0)

    def most(self, revisions: set[str]) -> int:
        return max((sum(m.get(r, 0) for r in revisions) for m in self._lately()), default=0)

    def _led(self) -> tuple[set[str], set[str]]:
        """Revisions with a ready pod lately that callers are led to by Service or route; and those
        that the Service selects now beside a ready pod of theirs throughout."""
        service = self.world.service()
        route = self.world.server.find(resources.HTTP_ROUTES, KEY)
        led = self._named(service) | {
            r for r, weight in route_invariants.weights(route).items() if weight
        }
        lately = {revision for moment in self._lately() for revision, n in moment.items() if n}
        throughout = {r for r in self._named(service) if self.least({r})}
        return (led & lately if self.staleness == 0 else lately), throughout

    # --- every write ------------------------------------------------------------------------

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

    def broken(self, rule: str, text: str) -> None:
        at = self.world.clock.now() - self.world.clock.began
        self.violations.append(f"{rule} at {at:.2f} s: {text}")

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
                self.broken("told", text)
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
        asleep = self.sleeps() and self._strategy() != "Recreate" and not self.staleness
        if asleep and weight > old and same:
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

    # --- traffic ----------------------------------------------------------------------------

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
        had, has = self.least(old), self.most(new)
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
            ending = self.routed and (revision != candidate or not self._exists(revision))
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

    def _named(self, service: Object | None) -> set[str]:
        """Revisions whose pods a Service selects."""
        pods = selected(self.world.server, service) if service else []
        return {revision_of(pod) for pod in pods if not self._is_stuck(pod)}

    # --- capacity ---------------------------------------------------------------------------

    def _deployment(self, write: Write) -> None:
        before, after = write.before, write.after
        if after is None:
            assert before
            self._deletion(before)
            return
        revision = revision_of(after)
        if before is None:
            self._made[after["metadata"]["uid"]] = after["spec"]["template"]
            self._creation(after)
            return
        if before["spec"]["template"] != after["spec"]["template"]:
            made = self._made.get(after["metadata"]["uid"])
            if made is not None and made != after["spec"]["template"]:
                self.broken("R1", f"pods of {revision} are created again from another template")
        if after["spec"]["replicas"] < before["spec"]["replicas"]:
            self._scaled_down(revision, after["spec"]["replicas"])

    def _scaled_down(self, revision: str, replicas: int) -> None:
        """R5: no revision gets fewer pods than asked for or than its weight needs. A candidate's
        share never rises since stable gets smaller."""
        settings = self._settings()
        if replicas == 0 and revision != self.stable() and self.sleeps():
            return  # The candidate of a model that its autoscaler has scaled to zero.
        if replicas == 0 and (settings.replicas == 0 or self._strategy() == "Recreate"):
            if self._strategy() != "Recreate":
                self._asleep(revision)
            return
        wanted = settings.replicas
        if revision == self.stable():
            if wanted is None or replicas < wanted:
                self.broken("R5", f"{revision} scaled down to {replicas}")
            self._shared(revision, replicas)
            return
        by = pods_needed_by_route if self.routed else pods_needed_by_service
        need = by(self._weight_of(revision), self._stable_count())
        if replicas < need and not self.staleness:
            self.broken("R5", f"{revision} scaled down to {replicas} of {need}")

    def _asleep(self, revision: str) -> None:
        """A model that is scaled to zero gives no candidate what stable had (I4): one that has no
        ready pod gives nothing, and what answers in its place is scaled with it (R15)."""
        service, stable = self.world.service(), self.stable()
        if revision != stable or not service or not self.least({stable}):
            return
        for other in self._named(service) - {stable}:
            if self.least({other}):
                self.broken("R5", f"stable is scaled to zero while {other} answers")

    def _autoscaled(self, write: Write) -> None:
        """R5: stable is not scaled to zero by its autoscaler while a candidate has traffic, which
        would give it everything."""
        if write.actor != KUBERNETES or write.resource is not resources.DEPLOYMENTS:
            return
        if not write.before or not write.after or write.after["spec"]["replicas"]:
            return
        revision = revision_of(write.before)
        if write.before["spec"]["replicas"] and revision == self.stable() and not self.staleness:
            EXPLORED["models scaled to zero by an autoscaler"] += 1
            if not self.edited_by_hand:
                self._asleep(revision)

    def sleeps(self) -> bool:
        """Whether the autoscaler of stable has scaled the model to zero."""
        stable = self.stable()
        if not stable or self.world.server.find(resources.MODELS, KEY) is None:
            return False
        settings = self._settings()
        if settings.replicas is not None or settings.min_replicas:
            return False
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{stable}"))
        return bool(found and not found["spec"]["replicas"])

    def _shared(self, stable: str, replicas: int) -> None:
        """The candidate's share beside that many pods of stable (router Service; I3)."""
        service, status = self.world.service(), self.world.status()
        revision = (status.get("candidate") or {}).get("revision")
        if self.routed or not service or not revision or revision not in self._named(service):
            return
        if self.world.clock.now() - self._service_edited_at < RECENT:
            return  # The candidate had no traffic a moment ago, so stable needed no floor.
        if self.most({stable}) <= replicas:
            return  # Only pods are deleted that receive no traffic.
        # The record of the traffic is ahead of the status when a decision grants the next step.
        grant = TrafficRecord.from_annotations(service["metadata"].get("annotations", {})).grant
        next_weight = grant.weight if grant and grant.revision == revision else 0
        weight, ready = max(self._weight_of(revision), next_weight), self.least({revision})
        if weight and 100 * ready > weight * (ready + replicas):
            self.broken("R5", f"{ready} pods at weight {weight} beside {replicas} of stable")

    def _weight_of(self, revision: str) -> int:
        progress = self.world.status().get("progress") or {}
        mine = (self.world.status().get("candidate") or {}).get("revision") == revision
        return max(progress.get("weight", 0), progress.get("granted", 0)) if mine else 0

    def _creation(self, new: Object) -> None:
        color = new["spec"]["template"]["metadata"]["labels"][labels.COLOR]
        stable = self.stable()
        revision = revision_of(new)
        for other in (
            *self.world.pods(),
            *self.world.server.all(resources.DEPLOYMENTS, labels.MODEL),
        ):
            theirs = (other.get("spec", {}).get("template") or other)["metadata"]["labels"]
            ends = "deletionTimestamp" in other["metadata"]
            if self.routed and (ends or revision_of(other) != stable):
                continue  # Behind a route, pods of older versions may still end in a colour.
            same = theirs.get(labels.COLOR) == color
            if same and revision_of(other) != revision and not self._is_stuck(other):
                self.broken(
                    "colours", f"{revision} gets {color}, which {revision_of(other)} still has"
                )
                return

    def _deletion(self, gone: Object) -> None:
        """R8: pods go only when callers are not sent to them any more."""
        revision = revision_of(gone)
        route_invariants.check_deletion(self, revision)
        service = self.world.service()
        if not service or not self.least({revision}) or self._strategy() == "Recreate":
            return
        if revision in self._named(service):
            self.broken("R8", f"{revision} is deleted while the Service selects it")
        names = {p["metadata"]["name"] for p in self.world.pods(revision) if is_ready(p)}
        if not self.staleness and names & self.world.endpoint_names():
            self.broken("R8", f"{revision} is deleted while callers are sent to it")

    def _autoscaler(self, write: Write) -> None:
        """R5: stable's floor is held while a candidate exists or the bake lasts."""
        if not write.before or not write.after:
            return
        low, before = (w["spec"]["minReplicas"] for w in (write.after, write.before))
        status = self.world.status()
        beside = status.get("candidate") or status.get("previous")
        lasting = beside and self._exists(beside["revision"])
        if lasting and low < min(before, self._settings().max_replicas) and not self.staleness:
            self.broken("R5", f"the floor falls from {before} to {low} beside {beside}")

    def _exists(self, revision: str) -> bool:
        """Whether its Deployment can be seen: one that lost its labels cannot."""
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
        return bool(found and labels.MODEL in found["metadata"].get("labels", {}))

    # --- records ----------------------------------------------------------------------------

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

    # --- the state --------------------------------------------------------------------------

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

    def _is_stuck(self, thing: Object) -> bool:
        """Whether a pod on a lost node is long past its end (R14): nothing waits for it."""
        ends = thing["metadata"].get("deletionTimestamp")
        # The operator decides by its own clock, which may be ahead; the pod answers nothing.
        now = max(self.world.clock.now(), self.world.clock.wall())
        late = ends and now - parse(ends) >= STUCK_AFTER
        return bool(late and thing["kind"] == "Pod" and not is_ready(thing))

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

    def _settings(self) -> EffectiveSpec:
        return effective_spec(Spec.model_validate(self.world.model()["spec"]))

    def _strategy(self) -> str:
        """The strategy of the rollout under way, which an edit does not change (R12)."""
        progress = self.world.status().get("progress") or {}
        return str(progress.get("strategy") or self._settings().strategy)

    def _stable_count(self) -> int:
        stable = self.stable()
        return self._count_of(stable) if stable else 0

    def stable(self) -> str | None:
        """The stable revision according to the route or the callers' Service."""
        holder = self.world.server.find(resources.HTTP_ROUTES, KEY) or self.world.service()
        notes = holder["metadata"].get("annotations", {}) if holder else {}
        found: str | None = notes.get(labels.STABLE)
        return found

    def _count_of(self, revision: str) -> int:
        """How many pods a revision is meant to have, at the least of spec and Deployment."""
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
        live = found["spec"]["replicas"] if found else 0
        settings = self._settings()
        # An autoscaler whose limits were lowered follows them later.
        return min(live, settings.max_replicas if settings.replicas is None else settings.replicas)
