"""Whether a weight rose past a pause without an order or evidence (R12, R18).

What was ordered, how long a pause was, and what the checks found is known here from what the
simulated user did, the virtual clock, and the evidence that the simulation made; never from what
the operator has noted. The operator's own word counts only for the weight that is in effect, and
that is compared with the route's weights and with the pods that share a Service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from canarium import GROUP
from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.facts.weights import pods_needed_by_service
from canarium.kube import resources
from canarium.render import labels
from simulation.gateways import weights
from simulation.server import OPERATOR, PERSON, Write
from simulation.summary import EXPLORED
from simulation.world import KEY, World, revision_of

#: What promotion counts as: above every weight.
WHOLE = 101
WEIGHT_ANNOTATION = f"{GROUP}/rollout"
_ELSEWHERE = ("rollout", "traffic", "scaling", "paused", "revisionHistoryLimit")


class Account(Protocol):
    """The part of the invariants that is needed here."""

    world: World
    staleness: float

    def least(self, revisions: set[str]) -> int: ...
    def broken(self, rule: str, text: str) -> None: ...


@dataclass
class Level:
    """A weight in effect, since when, and whether the operator's clock was wrong meanwhile."""

    revision: str
    weight: int
    since: float
    skewed: bool = False
    #: Its record was edited by hand, so only the present spec defines how it ends (decision 0034).
    damaged: bool = False


@dataclass(frozen=True)
class Order:
    at: float
    command: str
    revision: str
    token: str


@dataclass
class PauseInvariant:
    account: Account
    levels: dict[str, Level] = field(default_factory=dict)
    specs: list[tuple[float, EffectiveSpec]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    #: When the checks of a revision passed.
    passes: list[tuple[float, str]] = field(default_factory=list)
    promoted: set[str] = field(default_factory=set)
    #: Since when a revision is stable because it alone served, before it was promoted.
    taken_over: dict[str, float] = field(default_factory=dict)
    #: Since when a revision has had the weight that the operator claims for it.
    _since: dict[tuple[str, int], float] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _identity: Any = None
    _skewed: bool = False

    @property
    def _now(self) -> float:
        return self.account.world.clock.now()

    def see(self, write: Write) -> None:
        if self.account.world.clock.skew:
            self._skewed = True
            for level in self.levels.values():
                level.skewed = True
        if write.resource is resources.MODELS and write.actor == PERSON and write.after:
            self._user(write.before or {"metadata": {}}, write.after)
        if write.actor != OPERATOR or write.after is None:
            return
        if write.resource is resources.MODELS:
            self._settled(write.after.get("status") or {})
        if write.resource is resources.DEPLOYMENTS and write.before:
            self._scaled(write.before, write.after)
        routed = self._routed()
        if write.key == KEY and write.resource is (
            resources.HTTP_ROUTES if routed else resources.SERVICES
        ):
            self._moved(write.before, write.after)

    def record_was_damaged(self) -> None:
        """Notes that the grant on the record was deleted by hand.

        One that the status has not noted either, because the operator died between the two
        writes, cannot be restored, and the rollout begins with its first step (decision 0034).
        """
        progress = self.account.world.status().get("progress") or {}
        for level in list(self.levels.values()):
            level.damaged = True
            if "pause" not in progress:
                self.levels.pop(level.revision)

    # --- what the user does -----------------------------------------------------------------

    def _user(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        identity = {k: v for k, v in after["spec"].items() if k not in _ELSEWHERE}
        if identity != self._identity:
            self.levels.clear()  # What was granted belongs to a rollout that this spec ended.
            self._identity = identity
        if after["spec"] != before.get("spec"):
            self.specs.append((self._now, effective_spec(Spec.model_validate(after["spec"]))))
        was, now = (x["metadata"].get("annotations") or {} for x in (before, after))
        for command in ("promote", "promote-full"):
            text = now.get(f"{GROUP}/{command}")
            if text and text != was.get(f"{GROUP}/{command}"):
                revision, _, token = text.partition("/")
                self.orders.append(Order(self._now, command, revision, token))

    # --- what the operator does ---------------------------------------------------------------

    def _moved(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        notes = after["metadata"].get("annotations") or {}
        was = ((before or {"metadata": {}})["metadata"].get("annotations") or {}).get(labels.STABLE)
        stable, candidate = notes.get(labels.STABLE), notes.get(labels.CANDIDATE)
        if stable and was and stable != was:
            level = self.levels.pop(stable, None)
            if level and not notes.get(labels.QUARANTINED):
                self._rises(level, WHOLE, was)
        if stable and was and stable not in self.promoted | {was} and self._is_replaced(stable):
            self.taken_over.setdefault(stable, self._now)
        elif stable and stable not in self.taken_over:
            self.promoted.add(stable)
        claimed = claimed_weight(notes)
        if candidate is None or claimed is None:
            return
        level = self.levels.get(candidate)
        if level and claimed > level.weight:
            self._rises(level, claimed, stable)
        if level is None or claimed != level.weight:
            earlier = (before or {"metadata": {}})["metadata"].get("annotations") or {}
            same = (earlier.get(labels.CANDIDATE), claimed_weight(earlier)) == (candidate, claimed)
            # A rollout that a spec ended, and that continues because the next one is as before.
            since = self._since.get((candidate, claimed), self._now) if same else self._now
            self.levels[candidate] = Level(candidate, claimed, since)
            self._since[candidate, claimed] = since
        if after["kind"] != "HTTPRoute":
            return
        share = weights(after).get(candidate, 0)
        # One that serves in place of stable keeps its share for a moment when stable is back (R15).
        kept = weights(before).get(candidate, 0) if before else 0
        # Pods without the color answer by the callers' Service, and not by the route (R15).
        colorless = {revision_of(pod) for pod in self.account.world.released_pods()}
        serves = (
            stable
            and stable not in colorless
            and self.account.least({stable})
            and self._has_endpoints(stable)
        )
        if share > max(claimed, kept) and serves:
            self.account.broken("pauses", f"{candidate} has weight {share}, granted is {claimed}")

    def _has_endpoints(self, revision: str) -> bool:
        """Whether the Service that the route refers to has endpoints: if it was deleted, the
        revision receives nothing by the route, even with ready pods (R15)."""
        key = (KEY[0], f"{KEY[1]}-{revision}-slice")
        found = self.account.world.server.find(resources.ENDPOINT_SLICES, key)
        return bool(found and found.get("endpoints"))

    def _scaled(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """More pods beside stable are a higher weight, where one Service selects both."""
        revision, pods = revision_of(dict(after)), after["spec"]["replicas"]
        level, service = self.levels.get(revision), self.account.world.service()
        if level is None or service is None or pods <= before["spec"]["replicas"]:
            return
        if self._routed() or labels.COLOR in service["spec"]["selector"]:
            return
        stable = (service["metadata"].get("annotations") or {}).get(labels.STABLE)
        found = self.account.world.server.find(
            resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{stable}")
        )
        live = found["spec"]["replicas"] if found else 0
        settings = self.specs[-1][1]
        count = max(live, settings.replicas or 0, settings.min_replicas)
        if (
            pods > pods_needed_by_service(level.weight, count)
            and stable
            and self.account.least({stable})
        ):
            self._rises(level, WHOLE, stable, consumes=False)

    def _rises(self, level: Level, to: int, stable: str | None, *, consumes: bool = True) -> None:
        EXPLORED["rises past pauses"] += 1
        if level.revision in self.promoted:
            return  # It returns, without steps (R11).
        if stable and not self.account.least({stable}) and self._is_old(level.revision):
            return  # It replaces a stable that does not recover (R13).
        if any(o.command == "promote-full" and o.revision == level.revision for o in self.orders):
            return
        if self._is_over(level):
            return
        order = next((o for o in self._orders(level) if o.token not in self._used), None)
        if order is None:
            self.account.broken(
                "pauses",
                f"{level.revision} rises from {level.weight} to {to} without order or evidence",
            )
        elif consumes:
            self._used.add(order.token)

    def _is_replaced(self, revision: str) -> bool:
        """Whether the rollout under way is that of another revision, by the status or, because the
        write of the traffic precedes it, by the spec."""
        candidate = (self.account.world.status().get("candidate") or {}).get("revision")
        return candidate not in (None, revision) or not self.account.world.asks_for(revision)

    def _settled(self, status: Mapping[str, Any]) -> None:
        """A version that took over counts as promoted only after its pauses (decision 0011)."""
        revision = (status.get("stable") or {}).get("revision")
        asked_for = revision == status.get("revision")
        if revision in self.taken_over and asked_for and status["phase"] in ("Ready", "Baking"):
            EXPLORED["releases past pauses"] += 1
            since = self.taken_over.pop(revision)
            self.promoted.add(revision)
            if not (self._skewed or self._is_released(revision, since)):
                self.account.broken("pauses", f"{revision} is released without order or evidence")

    def _is_released(self, revision: str, since: float) -> bool:
        earliest = since - self.account.staleness
        if any(o.revision == revision and o.at >= earliest for o in self.orders):
            return True
        oldest = self._now - self.account.staleness
        for index, (_, settings) in enumerate(self.specs):
            if index + 1 < len(self.specs) and self.specs[index + 1][0] < oldest:
                continue
            pauses = [step.pause for step in settings.steps]
            judged = settings.analysis is not None
            whole = sum(x for x in pauses if x is not None)
            if not pauses or (
                None not in pauses and not judged and self._now - since >= whole - 0.01
            ):
                return True
        return False

    # --- orders and evidence ------------------------------------------------------------------

    def _orders(self, level: Level) -> Iterator[Order]:
        since = level.since - self.account.staleness
        for order in self.orders:
            if (order.command, order.revision) == ("promote", level.revision) and order.at >= since:
                yield order

    def _is_over(self, level: Level) -> bool:
        """Whether the pause of a weight was over at any moment, by the specs that there were."""
        pause, judged = self._first(level), False
        for index, (_, settings) in enumerate(self.specs):
            last = index + 1 == len(self.specs)
            follows = self._now if last else self.specs[index + 1][0]
            end = min(follows + self.account.staleness, self._now)
            if not last and (level.damaged or follows <= level.since):
                continue
            pauses = [x.pause for x in settings.steps if x.weight == level.weight]
            if pauses:
                pause = None if None in pauses else max(x for x in pauses if x is not None)
            judging = settings.analysis
            # With Promote, a check without enough data ends the step as well (R17).
            strict = judging and judging.on_insufficient != "Promote"
            judged = judged or bool(
                judging and strict and pauses and level.weight >= judging.start_weight
            )
            seen = any(a >= level.since and r == level.revision for a, r in self.passes)
            if judged and not seen:
                continue
            if pause is not None and (level.skewed or end - level.since >= pause - 0.01):
                return True
        return False

    def _first(self, level: Level) -> float | None:
        """The pause of a weight by the last spec before it that had one; the whole has none."""
        for at, settings in reversed(self.specs):
            pauses = [x.pause for x in settings.steps if x.weight == level.weight]
            if at <= level.since and pauses:
                return None if None in pauses else max(x for x in pauses if x is not None)
            if at <= level.since and level.weight >= 100:
                return 0.0  # Without a step of that weight, it is the promotion.
        return 0.0 if level.weight >= 100 else None

    def _is_old(self, revision: str) -> bool:
        model = self.account.world.model()
        return revision != (model.get("status", {}).get("candidate") or {}).get("revision")

    def _routed(self) -> bool:
        route = self.account.world.server.find(resources.HTTP_ROUTES, KEY)
        notes = route["metadata"].get("annotations") or {} if route else {}
        return labels.STABLE in notes


def claimed_weight(notes: Mapping[str, str]) -> int | None:
    """The weight that the operator reports as granted; None before the first."""
    found = json.loads(notes.get(WEIGHT_ANNOTATION) or "null")
    if not found or "pause" not in found:
        return None
    return int(found["weight"])
