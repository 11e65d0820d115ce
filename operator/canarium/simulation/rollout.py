"""A whole rollout in virtual time: what the operator decides, and what a failure leads to.

The previous version serves at the beginning. Pods, gateways and measurements behave as the
scenario describes; all decisions are those of the operator. Where it waits for a person, the
simulation promotes or approves, so that it shows the whole rollout.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.states import Phase
from canarium.core.decision import plan as p
from canarium.core.facts.gateways import Gateway, Listener
from canarium.core.facts.observed import ResolvedRuntime
from canarium.core.times import parse
from canarium.simulation.cluster import Cluster
from canarium.simulation.scenario import PREVIOUS, RUNNING, Scenario
from canarium.simulation.signals import Signals
from canarium.simulation.timeline import Moment, SimulatedRollout, Usage

_START = 1_000.0
_TICK = 0.5
#: The longest rollout, in seconds.
_HORIZON = 14 * 86_400.0
_ENDED = (Phase.READY, Phase.ROLLED_BACK, Phase.FAILED)
#: Seconds without a change, beyond every deadline, after which nothing more is expected.
_STUCK = 900.0
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
#: Maximum number of decisions until a rollout under way has its weight.
_PREPARATION = 2_000


def simulate(
    spec: Mapping[str, Any], scenario: Scenario, runtime: ResolvedRuntime | None = None
) -> SimulatedRollout:
    """Returns the rollout of `spec`, a valid raw spec, with the `runtime` that it selects."""
    rollout = _Rollout(spec, scenario, runtime or ResolvedRuntime())
    moments = list(rollout.moments())
    return SimulatedRollout(
        moments, rollout.actions, list(rollout.usage.values()), rollout.before, rollout.peak
    )


@dataclass
class _Recorded(Cluster):
    """A cluster that keeps the writes of its operator."""

    actions: list[p.Action] = field(default_factory=list)

    def _carry_out(self, action: p.Action) -> None:
        self.actions.append(action)
        super()._carry_out(action)


class _Rollout:
    """One run of the simulation: it applies the spec, and then reports what changes."""

    def __init__(
        self, spec: Mapping[str, Any], scenario: Scenario, runtime: ResolvedRuntime
    ) -> None:
        self._scenario = scenario
        self._new = copy.deepcopy(dict(spec))
        self._version = str(self._new["model"].setdefault("version", "new"))
        self._settings: EffectiveSpec = effective_spec(
            Spec.model_validate(self._new), runtime.startup_budget
        )
        self._cluster = _Recorded(
            self._new if scenario.first else self._earlier(), now=_START, runtime=runtime
        )
        self._cluster.gateways = tuple(self._gateways())
        #: By weight: the pods when it is reached first.
        self.usage: dict[int, Usage] = {}
        self.before = self.peak = 0
        self._promotions = 0
        self._failed = False
        self._signals = Signals(self._cluster, scenario, self._version)

    def _earlier(self) -> dict[str, Any]:
        """Returns the spec of the previous version."""
        earlier = copy.deepcopy(self._new)
        earlier["model"]["version"] = PREVIOUS
        earlier.pop("paused", None)
        return earlier

    def _gateways(self) -> Iterator[Gateway]:
        gateway = (self._new.get("traffic") or {}).get("gateway") or {}
        for parent in gateway.get("parentRefs") or ():
            yield Gateway(
                parent.get("namespace") or "default",
                parent["name"],
                own=not parent.get("namespace"),
                section=parent.get("sectionName"),
                port=parent.get("port"),
                listeners=(
                    Listener(parent.get("sectionName") or "http", parent.get("port") or 80, "All"),
                ),
            )

    @property
    def actions(self) -> list[p.Action]:
        """The writes since the spec was applied."""
        return self._cluster.actions

    def moments(self) -> Iterator[Moment]:
        """Yields what changes, in virtual time."""
        cluster = self._cluster
        if not self._scenario.first:
            self._prepare()
            cluster.actions.clear()
            self.before = self.peak = sum(d.replicas for d in cluster.deployments.values())
            cluster.spec = self._new
        cluster.boot = self._scenario.startup
        if self._scenario.fail_at == 0 and self._scenario.server_fails:
            cluster.broken.add(self._version)
        began, last, changed = cluster.now, None, cluster.now
        while cluster.now < began + _HORIZON:
            self._signals.answer(self._settings.analysis)
            cluster.run(0)
            self._fail()
            moment = self._moment(began)
            self._count(moment.weight)
            if last is None or replace(moment, t=last.t) != last:
                yield moment
                last, changed = moment, cluster.now
            if self._has_ended() or cluster.now - changed > self._longest():
                return
            if not self._promoted():
                cluster.now = max(cluster.now + _TICK, self._next(changed))

    def _prepare(self) -> None:
        """Brings the earlier version into service, and the rollout under way to its weight."""
        for _ in range(240):
            self._signals.answer(self._settings.analysis)
            self._cluster.run(_TICK)
            if self._cluster.status.phase == Phase.READY:
                break
        if self._scenario.running is None:
            return
        running = copy.deepcopy(dict(self._scenario.running))
        running["model"]["version"] = RUNNING
        running.pop("paused", None)
        cluster, settings = self._cluster, self._settings
        cluster.spec = running
        self._settings = effective_spec(
            Spec.model_validate(running), cluster.runtime.startup_budget
        )
        for _ in range(_PREPARATION):
            self._signals.answer(self._settings.analysis)
            cluster.run(0)
            if self._runs():
                break
            if not self._promote(RUNNING):
                cluster.now = max(cluster.now + _TICK, self._next(cluster.now - 5.0))
        self._settings = settings

    def _runs(self) -> bool:
        """Returns whether the rollout under way has its weight."""
        status, weight = self._cluster.status, self._scenario.running_weight
        if weight == 100:
            return status.phase == Phase.BAKING
        return status.candidate is not None and self._weight() >= weight

    def _fail(self) -> None:
        """Makes the server of the new version exit once it has the weight of the scenario."""
        if not self._scenario.fail_at or self._failed or not self._scenario.server_fails:
            return
        if self._signals.has_reached(self._scenario.fail_at):
            self._failed = True
            self._cluster.crash(self._version)

    def _moment(self, began: float) -> Moment:
        status = self._cluster.status
        candidate = status.candidate
        weight = (candidate.weight or 0) if candidate else 0
        effective = (candidate.effective_weight or 0) if candidate else 0
        if status.stable and self._cluster.version(status.stable.revision) == self._version:
            weight = effective = 100
        t = round(self._cluster.now - began, 1)
        return Moment(t, status.phase, weight, effective, _relative(status.message, began))

    def _count(self, weight: int) -> None:
        """Counts the pods that the versions are to have."""
        mine = others = 0
        for deployment in self._cluster.deployments.values():
            if self._cluster.version(deployment.revision) == self._version:
                mine += deployment.replicas
            else:
                others += deployment.replicas
        self.usage.setdefault(weight, Usage(weight, mine, others))
        self.peak = max(self.peak, mine + others)

    def _has_ended(self) -> bool:
        status = self._cluster.status
        pending = any(pod.terminating or not pod.ready for pod in self._cluster.pods)
        if status.phase == Phase.FAILED:
            return True
        settled = status.phase in _ENDED and len(self._cluster.deployments) == 1 and not pending
        # The first decision on the new spec has been taken.
        return settled and self._cluster.decided_on is not None and self._knows(self._version)

    def _knows(self, version: str) -> bool:
        return any(record.version == version for record in self._cluster.records)

    def _promoted(self) -> bool:
        """Promotes where the rollout waits for a person and for nothing else."""
        manual = self._pause_is_manual()
        waits = self._cluster.status.phase == Phase.PROGRESSING and self._cluster.due is None
        if not (waits and manual) or self._promotions >= len(self._settings.steps):
            return False
        if not self._promote(self._version):
            return False
        self._promotions += 1
        return True

    def _promote(self, version: str) -> bool:
        """Commands to end the pause at this weight; returns whether it is the first time."""
        cluster, token = self._cluster, f"/simulated-{self._weight()}"
        known = cluster.annotations.get("promote", "")
        if not self._knows(version):
            return False
        wanted = cluster.revision(version) + token
        cluster.annotations["promote"] = wanted
        return wanted != known

    def _weight(self) -> int:
        candidate = self._cluster.status.candidate
        return (candidate.effective_weight or 0) if candidate else 0

    def _pause_is_manual(self) -> bool:
        return any(s.pause is None and s.weight == self._weight() for s in self._settings.steps)

    def _longest(self) -> float:
        """Returns after how many seconds without a change it ends: longer than every deadline."""
        s = self._settings
        pauses = (step.pause or 0.0 for step in s.steps)
        return _STUCK + max(
            s.progress_deadline, s.bake_time, s.scale_down_delay, self._scenario.startup, *pauses, 0
        )

    def _next(self, changed: float) -> float:
        """Returns when something can happen next: soon after a change, or at the next decision."""
        cluster = self._cluster
        moving = any(pod.terminating for pod in cluster.pods) or cluster.now - changed < 5.0
        if moving:
            return cluster.now + _TICK
        times = [pod.created + cluster.boot for pod in cluster.pods if not pod.ready]
        if cluster.due is not None:
            times.append(cluster.due)
        if cluster.requests.analysis and self._settings.analysis:
            times.append(self._signals.next_evaluation(self._settings.analysis))
        later = [t for t in times if t > cluster.now]
        return min(later, default=cluster.now + 60.0)


def _relative(message: str, began: float) -> str:
    """Returns a message with its points in time as seconds since the spec was applied."""
    return _MOMENT.sub(lambda match: f"+{parse(match[0]) - began:g}s", message)
