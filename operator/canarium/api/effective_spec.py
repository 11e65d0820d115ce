"""The effective spec: every setting of a model with its default filled in.

This module and the others named `effective_*` are the only places that define what an absent field
means. Decisions, signals and rendering all read settings from here; nothing is written back to the
spec. What belongs to a revision's identity (model, runtime, pod) is not in `EffectiveSpec`:
`effective_server`, `effective_pod` and `effective_metrics` resolve it when a revision is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from canarium.api.base import seconds
from canarium.api.defaults import SCALE_DOWN_DELAY, STRATEGY
from canarium.api.disruption_budget import effective_max_unavailable
from canarium.api.effective_analysis import EffectiveAnalysis, effective_analysis
from canarium.api.effective_gates import EffectiveGate, effective_gates
from canarium.api.effective_scaling import effective_scaling
from canarium.api.effective_smoke_tests import EffectiveSmokeTest, effective_smoke_tests
from canarium.api.effective_traffic import EffectiveRoute, EffectiveTraffic, effective_traffic
from canarium.api.model_deployment import Follow, Rollout, Spec

MANUAL = "Manual"
#: Seconds that scheduling, pulling and fetching may take before a server starts, in the default of
#: `progressDeadline`.
_BEFORE_STARTUP = 300.0
#: Default and bounds of `spec.model.follow.interval`, in seconds; the CRD rejects others.
_FOLLOW, _SHORTEST_FOLLOW, _LONGEST_FOLLOW = 120.0, 30.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a rollout: `weight` in percent, `pause` in seconds, or None until promoted."""

    weight: int
    pause: float | None


@dataclass(frozen=True, slots=True)
class EffectiveSpec:
    """Everything of a spec but its identity. Times are in seconds."""

    strategy: str
    steps: tuple[Step, ...]
    progress_deadline: float
    unschedulable_deadline: float
    bake_time: float
    replicas: int | None
    min_replicas: int
    max_replicas: int
    paused: bool
    history_limit: int
    smoke_tests: tuple[EffectiveSmokeTest, ...] = ()
    analysis: EffectiveAnalysis | None = None
    gates: tuple[EffectiveGate, ...] = ()
    traffic: EffectiveTraffic = field(default_factory=EffectiveTraffic)
    scale_down_delay: float = SCALE_DOWN_DELAY
    #: Seconds between two requests for a followed reference (R26); None: it is not followed.
    follow_interval: float | None = None
    #: Most unavailable pods of a version while one may be evicted, as a number or a percentage;
    #: None: versions have no PodDisruptionBudget.
    max_unavailable: int | str | None = 1

    @property
    def route(self) -> EffectiveRoute | None:
        """The route that splits traffic; None: the model's Service alone does."""
        return self.traffic.route

    @property
    def autoscaled(self) -> bool:
        """Whether a HorizontalPodAutoscaler sets the replicas."""
        return self.replicas is None

    @property
    def base(self) -> int:
        """How many replicas a revision starts with when nothing runs yet.

        A first version needs a pod to pass its smoke tests (R4), also if an autoscaler may scale
        it to zero afterwards.
        """
        return max(1, self.min_replicas) if self.replicas is None else self.replicas


def effective_spec(spec: Spec, startup_budget: float | None = None) -> EffectiveSpec:
    """Returns `spec` with its defaults, for a server that may take `startup_budget` to load."""
    rollout = spec.rollout or Rollout()
    raw = spec.scaling.model_dump(by_alias=True, exclude_none=True) if spec.scaling else None
    scaling = effective_scaling(raw)
    traffic = spec.traffic.model_dump(by_alias=True, exclude_none=True) if spec.traffic else None
    return EffectiveSpec(
        strategy=rollout.strategy or STRATEGY,
        steps=_steps(rollout),
        progress_deadline=_duration(
            rollout.progress_deadline, max(600.0, (startup_budget or 0.0) + _BEFORE_STARTUP)
        ),
        unschedulable_deadline=_duration(rollout.unschedulable_deadline, 300.0),
        bake_time=_duration(rollout.bake_time, 600.0),
        replicas=scaling.replicas,
        min_replicas=scaling.min_replicas,
        max_replicas=scaling.max_replicas,
        paused=bool(spec.paused),
        history_limit=spec.revision_history_limit or 10,
        smoke_tests=effective_smoke_tests(rollout.smoke_tests),
        analysis=effective_analysis(rollout.analysis) if rollout.analysis else None,
        gates=effective_gates(rollout.gates),
        traffic=effective_traffic(traffic),
        scale_down_delay=_duration(rollout.scale_down_delay, SCALE_DOWN_DELAY),
        follow_interval=_follow_interval(spec.model.follow),
        max_unavailable=effective_max_unavailable(
            spec.pod_disruption_budget.model_dump(by_alias=True, exclude_none=True)
            if spec.pod_disruption_budget
            else None
        ),
    )


def _follow_interval(follow: Follow | None) -> float | None:
    if follow is None:
        return None
    return min(max(_duration(follow.interval, _FOLLOW), _SHORTEST_FOLLOW), _LONGEST_FOLLOW)


def _duration(text: str | None, default: float) -> float:
    return default if text is None else seconds(text)


def _steps(rollout: Rollout) -> tuple[Step, ...]:
    if not rollout.steps or rollout.strategy not in (None, STRATEGY):
        return ()
    return tuple(
        Step(
            step.weight,
            None if step.pause == MANUAL else seconds(step.pause) if step.pause else 0.0,
        )
        for step in rollout.steps
    )
