"""Obstacles that keep the pods of a revision from starting, with the cluster's text (R7, R29).

There are two kinds. What the cluster *withholds* may still become available: room in a quota, a
volume, a network, an image that another pod of the revision already runs. The version is not at
fault: the rollout holds, the progress deadline stops, and the rollout continues when the pods
start. Everything else is only named while a deadline counts: no node, an init container or a
sidecar that fails.

The condition `PodsBlocked` and one Event per obstacle report it in every phase, for the wanted
revision as for stable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium.api.reasons import ConditionType, ObstacleReason
from canarium.api.server import FETCH_CONTAINER
from canarium.api.status import Condition, Status
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.facts.observed import Deployment
from canarium.core.facts.pods import Container, Pod, TroubleReason
from canarium.core.health.containers import (
    CRASH_LOOP,
    PULL_FAULTS,
    STARTING,
    fetch_failure,
    fetch_unavailable,
    last_line,
    waiting_text,
)
from canarium.core.messages import sentences

CONDITION = ConditionType.PODS_BLOCKED
#: Seconds on its node after which the Events of a pod without a container are read.
UNEXPLAINED_AFTER = 3.0
#: Number of pods of a model whose Events are read; one is enough for a reason.
_EXAMINED = 3
_QUOTED = 512

#: Obstacles that the cluster can still resolve, so that no deadline applies.
_WITHHELD = frozenset(
    {
        ObstacleReason.POD_CREATION_FAILED,
        ObstacleReason.VOLUME_UNAVAILABLE,
        ObstacleReason.POD_SANDBOX_FAILED,
        ObstacleReason.IMAGE_UNAVAILABLE,
        ObstacleReason.MODEL_UNAVAILABLE,
    }
)
_VOLUME = frozenset(
    {
        TroubleReason.FAILED_ATTACH_VOLUME,
        TroubleReason.FAILED_MAP_VOLUME,
        TroubleReason.FAILED_MOUNT,
    }
)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a pod does not start."""

    reason: ObstacleReason
    message: str
    pod: str | None = None
    container: str | None = None

    @property
    def withheld(self) -> bool:
        """Whether the cluster may still provide what is missing."""
        return self.reason in _WITHHELD

    @property
    def place(self) -> tuple[str, str | None]:
        """The pod and container that show it, or the reason where no pod does."""
        return (self.pod, self.container) if self.pod else (self.reason, None)


def obstacle(ctx: RolloutContext, revision: str | None) -> Obstacle | None:
    """Returns the first obstacle for pods of `revision`; one that is withheld has priority."""
    obstacles = list(_obstacles(ctx.observed.deployment(revision), ctx.observed.pods_of(revision)))
    return next((o for o in obstacles if o.withheld), None) or next(iter(obstacles), None)


def withheld(ctx: RolloutContext, revision: str | None) -> Obstacle | None:
    """Returns what the cluster withholds from pods of `revision` and may still grant."""
    first = obstacle(ctx, revision)
    return first if first and first.withheld else None


def _obstacles(deployment: Deployment | None, pods: Iterable[Pod]) -> Iterable[Obstacle]:
    present = [pod for pod in pods if not pod.terminating]
    if deployment and deployment.failure is not None and len(present) < deployment.replicas:
        yield Obstacle(ObstacleReason.POD_CREATION_FAILED, deployment.failure[:_QUOTED])
    runs = any(c.is_server and c.started for pod in present for c in pod.containers)
    fetched = any(pod.artifact for pod in present)
    for pod in present:
        if pod.ready or pod.disrupted:
            continue
        if pod.trouble:
            yield _troubled(pod)
        if pod.unschedulable_since is not None:
            text = pod.unschedulable_message[:_QUOTED]
            yield Obstacle(ObstacleReason.UNSCHEDULABLE, text, pod.name)
        if pod.scheduling_gated:
            text = "the pod has a scheduling gate"
            yield Obstacle(ObstacleReason.SCHEDULING_GATED, text, pod.name)
        for container in pod.containers:
            reason = _container(container, runs, fetched)
            if reason:
                yield Obstacle(*reason, pod.name, container.name)


def _troubled(pod: Pod) -> Obstacle:
    assert pod.trouble is not None
    text = f"{pod.trouble.reason}: {pod.trouble.message[:_QUOTED]}"
    if pod.trouble.missing:
        return Obstacle(ObstacleReason.VOLUME_SOURCE_MISSING, text, pod.name)
    reason = (
        ObstacleReason.VOLUME_UNAVAILABLE
        if pod.trouble.reason in _VOLUME
        else ObstacleReason.POD_SANDBOX_FAILED
    )
    return Obstacle(reason, text, pod.name)


def _container(c: Container, runs: bool, fetched: bool) -> tuple[ObstacleReason, str] | None:
    """Returns the obstacle in one container that does not fail its revision by itself.

    `runs`: another pod of the revision runs the server, so its image exists; `fetched`: another pod
    has downloaded the model, so its source is valid.
    """
    if fetched and fetch_unavailable(c):
        failure = fetch_failure(c)
        return (ObstacleReason.MODEL_UNAVAILABLE, failure[1][:_QUOTED]) if failure else None
    if c.is_server:
        if runs and c.waiting in PULL_FAULTS:
            return ObstacleReason.IMAGE_UNAVAILABLE, waiting_text(c)[:_QUOTED]
        return None
    if c.init and c.name == FETCH_CONTAINER and c.waiting not in PULL_FAULTS:
        return None
    reason = ObstacleReason.INIT_CONTAINER_FAILED if c.init else ObstacleReason.SIDECAR_FAILED
    what = f"{'init container' if c.init else 'sidecar'} {c.name}"
    if c.waiting and c.waiting not in (CRASH_LOOP, *STARTING):
        return reason, f"{what}: {waiting_text(c)[:_QUOTED]}"
    code = c.exit_code if c.terminated else c.last_exit_code
    ended = c.terminated or c.last_terminated
    if ended and (code or not c.init) and not c.ready:
        return reason, f"{what} exited with code {code} ({ended}){last_line(c)}"
    return None


def unexplained(ctx: RolloutContext) -> tuple[str, ...]:
    """Returns pods of target and stable whose Events may explain why no container starts."""
    return tuple(p.name for p in _creating(ctx) if _due(p) <= ctx.now)[:_EXAMINED]


def recheck(ctx: RolloutContext) -> float | None:
    """Returns the seconds until the Events of another pod have to be read."""
    waits = [_due(p) - ctx.now for p in _creating(ctx) if _due(p) > ctx.now]
    return min(waits, default=None)


def _creating(ctx: RolloutContext) -> list[Pod]:
    return [p for p in ctx.observed.pods if p.creating and p.revision in (ctx.target, ctx.stable)]


def _due(pod: Pod) -> float:
    return max(pod.created, pod.containers_since or 0.0) + UNEXPLAINED_AFTER


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition `PodsBlocked` while there is an obstacle."""
    first = _first(ctx)
    return ((CONDITION, True, first[1].reason, _text(*first)),) if first else ()


def named(ctx: RolloutContext, result: PhaseResult) -> str:
    """Returns the message of the result with the obstacle that it does not explain yet."""
    failed = result.failure.revision if result.failure and not ctx.quarantined else None
    first = _first(ctx)
    if first is None or first[0] == failed or (first[0], first[1].place) in result.explained:
        return result.message
    return sentences(result.message, f"{first[1].reason}: {_text(*first)}")


def _first(ctx: RolloutContext) -> tuple[str, Obstacle] | None:
    """Returns the obstacle of the target, or of stable if the target has none or has failed."""
    for revision in (ctx.stable if ctx.quarantined else ctx.target, ctx.stable):
        first = obstacle(ctx, revision) if revision else None
        if revision and first:
            return revision, first
    return None


def _text(revision: str, blocking: Obstacle) -> str:
    where = f" (pod/{blocking.pod})" if blocking.pod else ""
    return f"revision {revision}: {blocking.message}{where}"


def events(before: Status, after: Status) -> tuple[Event, ...]:
    """Returns an Event for an obstacle that is new or whose reason has changed."""

    def blocked(status: Status) -> Condition | None:
        return next((c for c in status.conditions if c.type == CONDITION), None)

    old, new = blocked(before), blocked(after)
    if new is None or (old and old.reason == new.reason):
        return ()
    return (Event("Warning", new.reason, new.message),)
