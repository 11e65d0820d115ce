"""Whether callers are answered while any version could (R0, R13, R15).

Checked with every write and after every rule. Stable could answer while it has ready pods. Another
version could when it was stable once, or is the candidate that the spec asks for, has ready pods
and has not failed. What keeps the operator
from writing or from knowing stops the clock: then nothing is held against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from canarium.kube import resources
from canarium.render import labels
from simulation.gateways import TAKES, weights
from simulation.invariants import Invariants
from simulation.operators import Operator
from simulation.server import Write
from simulation.summary import EXPLORED
from simulation.world import KEY, World

#: Seconds in which another version has to answer.
WITHIN = 1.0


@dataclass
class ServingInvariant:
    world: World
    checks: Invariants
    operator: Operator
    form: str
    _stables: set[str] = field(default_factory=set)
    _since: float | None = None
    _down: bool = False

    def __post_init__(self) -> None:
        if self.form == "decisions":  # The engine's writes take time, and its watches are late.
            self.world.server.observers.append(self._see)

    def _see(self, _: Write) -> None:
        self.look()

    def look(self) -> None:
        stable = self.checks.stable()
        if stable:
            self._stables.add(stable)
        able = self._able(stable) if stable else set()
        down = bool(able) and stable not in able
        if down and not self._down:
            EXPLORED[f"{self.form} outages beside a ready version"] += 1
        self._down = down
        if not able or self._led():
            self._since = None
            return
        now = self.world.clock.now()
        self._since = self._since if self._since is not None else now
        if now - self._since > WITHIN:
            self.checks.broken(
                "R13", f"{sorted(able)} could answer and does not; stable is {stable}"
            )
            self._since = None

    def _able(self, stable: str) -> set[str]:
        """Versions that could answer, as the operator knows: stable, or another without it."""
        model = self.world.server.find(resources.MODELS, KEY)
        status = (model or {}).get("status") or {}
        scaling = (model or {}).get("spec", {}).get("scaling", {})
        excused = (
            not self.operator.running
            or self.operator.faults.forbidden
            or self.checks.edited_by_hand
            or self.world.endpoints.lag
            or self.world.gateways.answer != TAKES
            or self.world.gateways.lag > WITHIN / 2
            or scaling.get("replicas") == 0
            or self.checks.sleeps()
        )
        if excused:
            return set()
        if self.world.ready(stable):
            return {stable}
        candidate = (status.get("candidate") or {}).get("revision")
        return {
            revision
            for revision in {*self._stables, candidate} - {stable, None} - self.checks.quarantined
            if self._stays(revision) and self.world.ready(revision)
        }

    def _stays(self, revision: str) -> bool:
        found = self.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
        return bool(
            found
            and "deletionTimestamp" not in found["metadata"]
            and labels.MODEL in found["metadata"].get("labels", {})
        )

    def _led(self) -> bool:
        """Whether callers are led to any ready pod."""
        route = self.world.server.find(resources.HTTP_ROUTES, KEY)
        if route is None:
            return bool(self.world.selected_ready())
        return any(weight and self.world.ready(name) for name, weight in weights(route).items())
