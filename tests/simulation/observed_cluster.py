"""What invariants know of the cluster: who was ready, who is stable, how many pods are meant.

An operator whose watches are late cannot know better, so facts about readiness count as they were
at any time within `staleness` seconds: a write is wrong only if it was wrong throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.context.colors import STUCK_AFTER
from canarium.core.times import parse
from canarium.kube import resources
from canarium.render import labels
from simulation import route_invariants
from simulation.controllers import selected
from simulation.fields import Object
from simulation.kubelet import is_ready
from simulation.readiness_log import ReadinessLog
from simulation.world import KEY, World, revision_of

#: Seconds in which the operator has repaired a Service and decided with what it then knew.
RECENT = 5.0


@dataclass
class ObservedCluster:
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
        self._readiness = ReadinessLog(self.world)

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

    def broken(self, rule: str, text: str) -> None:
        at = self.world.clock.now() - self.world.clock.began
        self.violations.append(f"{rule} at {at:.2f} s: {text}")

    def stable(self) -> str | None:
        """The stable revision according to the route or the callers' Service."""
        holder = self.world.server.find(resources.HTTP_ROUTES, KEY) or self.world.service()
        notes = holder["metadata"].get("annotations", {}) if holder else {}
        found: str | None = notes.get(labels.STABLE)
        return found

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

    def _settings(self) -> EffectiveSpec:
        return effective_spec(Spec.model_validate(self.world.model()["spec"]))

    def _strategy(self) -> str:
        """The strategy of the rollout under way, which an edit does not change (R12)."""
        progress = self.world.status().get("progress") or {}
        return str(progress.get("strategy") or self._settings().strategy)

    def _stable_count(self) -> int:
        stable = self.stable()
        return self._count_of(stable) if stable else 0

    def _count_of(self, revision: str) -> int:
        """How many pods a revision is meant to have, at the least of spec and Deployment."""
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
        live = found["spec"]["replicas"] if found else 0
        settings = self._settings()
        # An autoscaler whose limits were lowered follows them later.
        return min(live, settings.max_replicas if settings.replicas is None else settings.replicas)

    def _weight_of(self, revision: str) -> int:
        progress = self.world.status().get("progress") or {}
        mine = (self.world.status().get("candidate") or {}).get("revision") == revision
        return max(progress.get("weight", 0), progress.get("granted", 0)) if mine else 0

    def _exists(self, revision: str) -> bool:
        """Whether its Deployment can be seen: one that lost its labels cannot."""
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
        return bool(found and labels.MODEL in found["metadata"].get("labels", {}))

    def _named(self, service: Object | None) -> set[str]:
        """Revisions whose pods a Service selects."""
        pods = selected(self.world.server, service) if service else []
        return {revision_of(pod) for pod in pods if not self._is_stuck(pod)}

    def selected_ready(self, service: Object | None) -> int:
        """How many ready pods a Service selects now."""
        pods = selected(self.world.server, service) if service else []
        return sum(map(is_ready, pods))

    def _is_stuck(self, thing: Object) -> bool:
        """Whether a pod on a lost node is long past its end (R14): nothing waits for it."""
        ends = thing["metadata"].get("deletionTimestamp")
        # The operator decides by its own clock, which may be ahead; the pod answers nothing.
        now = max(self.world.clock.now(), self.world.clock.wall())
        late = ends and now - parse(ends) >= STUCK_AFTER
        return bool(late and thing["kind"] == "Pod" and not is_ready(thing))
