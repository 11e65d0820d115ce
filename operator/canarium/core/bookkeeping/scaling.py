"""Sizes that every decision keeps: stable at its replicas, autoscalers only where they belong."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    CreateDeployment,
    DeleteAutoscaler,
    Scale,
    SetAutoscaler,
)
from canarium.core.routing import capacity


def scaling(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Stable at its wanted size; its floor held while another version has traffic (R5).

    When this very decision makes another version stable, the one before keeps its floor: it is
    warm for an undo (R15).
    """
    if result.stable != ctx.stable:
        return []
    deployment = ctx.observed.deployment(ctx.stable)
    autoscaler = ctx.observed.autoscaler(ctx.stable)
    failed = ctx.quarantined or bool(result.failure and result.failure.revision == ctx.target)
    left = ctx.observed.deployment(ctx.target) or any(
        not ctx.is_stuck(pod) for pod in ctx.observed.pods_of(ctx.target)
    )
    recreating = ctx.strategy == "Recreate" and (
        result.candidate is not None or (failed and ctx.target != ctx.stable and bool(left))
    )
    if recreating:
        gone = [DeleteAutoscaler(ctx.stable or "", autoscaler.uid)] if autoscaler else []
        # Without pods: it tells which colour is stable's, and is there to come back to.
        return [*gone, *(_brought_back(ctx, result, 0) if deployment is None else ())]
    if deployment is None:
        return _brought_back(ctx, result, max(1, ctx.stable_replicas))
    if deployment.terminating:
        return []
    if not ctx.settings.autoscaled:
        actions: list[Action] = []
        if autoscaler:
            actions.append(DeleteAutoscaler(ctx.stable or "", autoscaler.uid))
        size = max(ctx.stable_replicas, capacity.floor(ctx, result))
        if deployment.replicas != size:
            actions.append(Scale(ctx.stable or "", size))
        return [*actions, *_warm(ctx, result)]
    # A candidate that failed a moment ago counts: its traffic comes back now.
    others = any(d.revision != ctx.stable for d in ctx.observed.deployments)
    shared = result.candidate is not None or others
    low = (
        max(ctx.stable_replicas, capacity.floor(ctx, result))
        if shared
        else ctx.settings.min_replicas
    )
    high = max(low, ctx.settings.max_replicas)
    wake: list[Action] = [Scale(ctx.stable or "", low)] if deployment.replicas == 0 else []
    if autoscaler is None or (autoscaler.low, autoscaler.high) != (low, high):
        wake.append(SetAutoscaler(ctx.stable or "", low, high))
    return [*wake, *_rescaled(ctx, result, low, high)]


def _warm(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """The warm version sleeps and wakes with stable."""
    previous = ctx.observed.deployment(result.previous)
    if (
        previous is None
        or previous.terminating
        or bool(previous.replicas) == bool(ctx.stable_replicas)
    ):
        return []
    return [Scale(previous.revision, ctx.stable_replicas)]


def _rescaled(ctx: RolloutContext, result: PhaseResult, low: int, high: int) -> list[Action]:
    """Restores the autoscaler of the warm version where it is not seen: one that lost its labels
    would not be deleted together with its Deployment (R23)."""
    previous = ctx.observed.deployment(result.previous)
    if previous is None or previous.terminating or ctx.observed.autoscaler(previous.revision):
        return []
    return [SetAutoscaler(previous.revision, low, high)]


def _brought_back(ctx: RolloutContext, result: PhaseResult, count: int) -> list[Action]:
    """Stable's Deployment, which is gone, from its record (R23)."""
    record = ctx.observed.record(ctx.stable)
    if ctx.stable is None or record is None or not record.intact:
        return []
    color = ctx.free_color(ctx.stable)
    # A colour that this very decision gives to another one is not free any more.
    given = {a.color for a in result.actions if isinstance(a, CreateDeployment)}
    return [CreateDeployment(ctx.stable, color, count)] if color and color not in given else []


def orphans(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Autoscalers whose Deployment somebody deleted, of revisions that have no part now (R2), and
    that of a candidate which was stable before: its size follows the weight (R5)."""
    keep = {ctx.stable, ctx.previous, *(d.revision for d in ctx.observed.deployments)}
    if result.candidate != ctx.stable and ctx.stable is not None:
        keep -= {result.candidate}
    return [
        DeleteAutoscaler(autoscaler.revision, autoscaler.uid)
        for autoscaler in ctx.observed.autoscalers
        if autoscaler.revision not in keep
    ]
