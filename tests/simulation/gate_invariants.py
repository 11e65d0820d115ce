"""Whether a weight rose past a gate without a positive result for that revision (R27).

What was approved is known from what the simulated users and systems did, never from what the
operator has recorded. A gate counts where every spec that the operator may have seen has it; one
that the operator has published as waiting counts until it is approved, with any later spec.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium import GROUP
from canarium.api.effective_gates import FINISH, TRAFFIC, EffectiveGate
from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.facts.gate_jobs import ATTEMPTS
from canarium.kube import resources
from canarium.render import labels
from simulation.gate_jobs import GateJobs
from simulation.gate_systems import GateSystems
from simulation.pause_invariants import WEIGHT_ANNOTATION, WHOLE, Account, claimed_weight
from simulation.server import OPERATOR, PERSON, Write
from simulation.summary import EXPLORED
from simulation.world import KEY


@dataclass
class GateInvariant:
    account: Account
    #: What systems at web gates have answered.
    systems: GateSystems
    #: How Jobs of gates have ended.
    jobs: GateJobs
    specs: list[tuple[float, EffectiveSpec]] = field(default_factory=list)
    #: Revision and gate of every approval that the user gave.
    approved: set[tuple[str, str]] = field(default_factory=set)
    #: Revision and gate that the operator has published as waiting before a rise.
    waiting: set[tuple[str, str]] = field(default_factory=set)
    promoted: set[str] = field(default_factory=set)
    #: Revisions that became stable because they alone served, before they were promoted.
    taken_over: set[str] = field(default_factory=set)
    #: UIDs of the latest Job of each name, and those that a record has.
    started: dict[str, str] = field(default_factory=dict)
    known_jobs: set[str] = field(default_factory=set)
    #: Orders to run the Job of a revision and gate again, the first attempt since the last one, and
    #: what its Jobs have run since.
    reruns: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_attempts: dict[tuple[str, str], int] = field(default_factory=dict)
    images: dict[tuple[str, str], str] = field(default_factory=dict)
    #: The weight that the operator claimed last for the present candidate, and the highest one.
    claimed: int | None = None
    highest: tuple[str, int] = ("", -1)
    #: Since when the strategy Recreate, which has no gates, may be the one of the rollout.
    _recreate: bool = False
    _version: Any = None

    def see(self, write: Write) -> None:
        if write.resource is resources.RECORDS and write.after is not None:
            self._recorded(write.after)
        if write.resource is resources.JOBS and write.actor == OPERATOR and write.verb == "create":
            self._started(write.after or {})
        if self.systems.repeated:
            self.account.broken("R27", f"asked again after a result: {self.systems.repeated}")
        if write.key != KEY or write.after is None:
            return
        if write.resource is resources.MODELS and write.actor == PERSON:
            self._user(write.before or {"metadata": {}}, write.after)
        elif write.resource is resources.MODELS and write.actor == OPERATOR:
            status = write.after.get("status") or {}
            self._settled(status)
            self.waiting |= {
                (status["revision"], gate["name"])
                for gate in status.get("gates") or ()
                if gate["state"] == "Waiting" and gate["before"] != FINISH
            }
        elif write.actor == OPERATOR and write.resource in (
            resources.SERVICES,
            resources.HTTP_ROUTES,
        ):
            self._moved(_notes(write.before), _notes(write.after))

    def _user(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        if after["spec"] != before.get("spec"):
            settings = effective_spec(Spec.model_validate(after["spec"]))
            self.specs.append((self.account.world.clock.now(), settings))
            if after["spec"]["model"] != self._version:
                self._recreate, self._version = False, after["spec"]["model"]
            self._recreate = self._recreate or settings.strategy == "Recreate"
        value = _notes(after).get(f"{GROUP}/approve")
        if value and value != _notes(before).get(f"{GROUP}/approve"):
            revision, _, token = value.partition("/")
            self.approved.add((revision, token.partition(":")[0]))
        value = _notes(after).get(f"{GROUP}/rerun")
        if value and value != _notes(before).get(f"{GROUP}/rerun"):
            revision, _, token = value.partition("/")
            about = (revision, token.partition(":")[0])
            self.reruns[about] += 1

    def _recorded(self, record: Mapping[str, Any]) -> None:
        """Notes the results on a record: each is that of a person, of a system or of a Job."""
        revision = record["metadata"]["labels"].get(labels.REVISION, "")
        for gate in json.loads(_notes(record).get(f"{GROUP}/gates", "[]")):
            result, about = gate.get("result"), (revision, gate["name"])
            if gate["kind"] == "Job" and "uid" in gate:
                self.known_jobs.add(gate["uid"])
            first = gate.get("first_attempt", 1)
            if self.first_attempts.get(about, 1) != first:
                if not self.reruns[about]:
                    self.account.broken("R27", f"the Job of {about} runs again without an order")
                self.first_attempts[about] = first
                self.images.pop(about, None)
            if gate["kind"] == "Approval" or result is None:
                continue
            self.systems.recorded.add(about)
            sent = {
                "Web": {"Passed": self.systems.passed, "Rejected": self.systems.rejected},
                "Job": {"Passed": self.jobs.passed, "Rejected": self.jobs.failed},
            }[gate["kind"]]
            if result in sent and about not in sent[result]:
                self.account.broken("R27", f"{about} is recorded as {result} without an answer")

    def _started(self, job: Mapping[str, Any]) -> None:
        """Checks a new Job: one for each attempt, and none after a result."""
        meta = job["metadata"]
        about = (meta["labels"][labels.REVISION], meta["labels"][labels.GATE])
        EXPLORED["jobs of gates"] += 1
        if about in self.systems.recorded:
            self.account.broken("R27", f"a Job for {about} after its result")
        if self.started.get(meta["name"]) in self.known_jobs:
            self.account.broken("R27", f"Job {meta['name']} is created twice")
        if int(meta["name"].rpartition("-")[2]) > ATTEMPTS * (1 + self.reruns[about]):
            self.account.broken("R27", f"Job {meta['name']} is one attempt too many")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        image = container["image"]
        if self.images.setdefault(about, image) != image:
            self.account.broken("R27", f"Job {meta['name']} runs {image}, without an order")
        self.started[meta["name"]] = meta["uid"]

    def _moved(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        stable, candidate = after.get(labels.STABLE), after.get(labels.CANDIDATE)
        was = before.get(labels.STABLE)
        if stable and stable != was:
            candidate_of = self.account.world.status().get("candidate") or {}
            current = candidate_of.get("revision") in (None, stable)
            # The write of the traffic precedes the status of the spec that asks for another one.
            current = current and self.account.world.asks_for(stable)
            # What a user has deleted of the record is restored: that promotes nothing.
            current = current and not (was is None and stable in self.taken_over)
            if current and stable not in self.promoted:
                self._rises(stable, WHOLE, is_first=was is None and not self.promoted)
            if current:
                self.promoted.add(stable)
            elif stable not in self.promoted:
                self.taken_over.add(stable)
        claimed = claimed_weight(after)
        earlier = None
        if candidate in (before.get(labels.CANDIDATE), _claimed_for(before)):
            # A part of the record that was deleted by hand is restored, which raises nothing.
            restored = claimed_weight(before)
            earlier = self.claimed if restored is None else restored
        self.claimed = claimed
        if candidate is None or claimed is None:
            return
        if candidate == self.highest[0]:
            # Where the record was damaged by hand, another object takes it over.
            earlier = max(self.highest[1], earlier if earlier is not None else -1)
        self.highest = (candidate, max(claimed, earlier if earlier is not None else -1))
        if earlier is not None and claimed <= earlier:
            return
        if candidate not in self.promoted:
            self._rises(candidate, claimed)

    def _settled(self, status: Mapping[str, Any]) -> None:
        """A version that took over counts as promoted only after its gates (decision 0011)."""
        revision = (status.get("stable") or {}).get("revision")
        asked_for = revision == status.get("revision")
        if asked_for and revision in self.taken_over and status["phase"] in ("Ready", "Baking"):
            EXPLORED["releases past gates"] += 1
            self._rises(revision, WHOLE)
            self.taken_over.discard(revision)
            self.promoted.add(revision)

    def _rises(self, revision: str, to: int, *, is_first: bool = False) -> None:
        EXPLORED["moves past gates"] += 1
        for name in sorted(self._required(to, is_first=is_first) | self._published(revision)):
            if (revision, name) not in self.approved | self.systems.passed | self.jobs.passed:
                self.account.broken("R27", f"{revision} rises to {to} without gate {name}")

    def _published(self, revision: str) -> set[str]:
        return {name for one, name in self.waiting if one == revision}

    def _required(self, to: int, *, is_first: bool) -> set[str]:
        """The gates before `to` in every spec that the operator may have seen."""
        if self._recreate:
            return set()
        oldest = self.account.world.clock.now() - self.account.staleness
        seen = [
            settings
            for index, (_, settings) in enumerate(self.specs)
            if index + 1 == len(self.specs) or self.specs[index + 1][0] >= oldest
        ]
        names = [
            {gate.name for gate in settings.gates if _is_before(gate, to, is_first)}
            for settings in seen
        ]
        return set.intersection(*names) if names else set()


def _is_before(gate: EffectiveGate, to: int, is_first: bool) -> bool:
    if gate.weight is not None:
        return not is_first and gate.weight <= to
    return gate.before == TRAFFIC or (gate.before != FINISH and to == WHOLE)


def _notes(of: Mapping[str, Any] | None) -> Mapping[str, str]:
    notes: Mapping[str, str] = ((of or {}).get("metadata") or {}).get("annotations") or {}
    return notes


def _claimed_for(notes: Mapping[str, str]) -> str | None:
    """The revision that the operator claims a weight for."""
    claim = json.loads(notes.get(WEIGHT_ANNOTATION) or "null") or {}
    return claim.get("revision")
