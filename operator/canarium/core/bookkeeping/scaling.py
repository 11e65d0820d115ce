"""Scaling in every decision: stable at its replicas, and autoscalers where they belong."""

from __future__ import annotations

from collections.abc import Sequence

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    CreateDeployment,
    DeleteAutoscaler,
    RestoreLabels,
    Scale,
    SetAutoscaler,
)
from canarium.core.routing import capacity


def scaling(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Returns the writes that keep stable at its size, and at its floor while another version has
    traffic (R5).

    When this decision promotes another version, the old one keeps its size: it stays warm for an
    undo (R15).
    """
    if result.stable != ctx.stable:
        return []
    deployment = ctx.observed.deployment(ctx.stable)
    autoscaler = ctx.observed.autoscaler(ctx.stable)
    failed = ctx.quarantined or bool(result.failure and result.failure.revision == ctx.target)
    remains = ctx.observed.deployment(ctx.target) or any(
        not ctx.is_stuck(pod) for pod in ctx.observed.pods_of(ctx.target)
    )
    recreating = ctx.strategy == "Recreate" and (
        result.candidate is not None or (failed and ctx.target != ctx.stable and bool(remains))
    )
    # The candidate waits until the autoscaler has scaled the model up again.
    recreating = recreating and not (ctx.settings.autoscaled and ctx.stable_replicas == 0)
    if recreating:
        deletes = [DeleteAutoscaler(ctx.stable or "", autoscaler.uid)] if autoscaler else []
        if deployment is None:
            # Without pods: it records stable's colour and can be scaled up for a rollback.
            return [*deletes, *_recreated(ctx, result, 0)]
        # The candidate waits while the model is scaled to zero, so it does not replace stable.
        is_at_zero = ctx.stable_replicas == 0 and deployment.replicas and not deployment.terminating
        return [*deletes, *([Scale(ctx.stable or "", 0)] if is_at_zero else ())]
    if deployment is None:
        return _recreated(ctx, result, max(1, ctx.stable_replicas))
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
    # A candidate that has just failed counts: stable is about to receive its traffic.
    others = any(d.revision != ctx.stable for d in ctx.observed.deployments)
    shared = result.candidate is not None or others
    min_replicas = (
        max(ctx.stable_replicas, capacity.floor(ctx, result))
        if shared
        else ctx.settings.min_replicas
    )
    if shared and autoscaler and ctx.stable_replicas == 0:
        # The autoscaler scaled to zero at the moment in which it got its floor, and follows it.
        min_replicas = min(autoscaler.min_replicas, ctx.settings.max_replicas)
    max_replicas = max(min_replicas, ctx.settings.max_replicas)
    scale_up: list[Action] = []
    if deployment.replicas == 0 and ctx.stable_replicas:
        scale_up.append(Scale(ctx.stable or "", max(min_replicas, ctx.stable_replicas)))
    if autoscaler is None or (autoscaler.min_replicas, autoscaler.max_replicas) != (
        min_replicas,
        max_replicas,
    ):
        scale_up.append(SetAutoscaler(ctx.stable or "", min_replicas, max_replicas))
    return [*scale_up, *_rescaled(ctx, result, min_replicas, max_replicas)]


def _warm(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Returns the scaling of the warm version to zero, and back, together with stable."""
    previous = ctx.observed.deployment(result.previous)
    if (
        previous is None
        or previous.terminating
        or bool(previous.replicas) == bool(ctx.stable_replicas)
    ):
        return []
    return [Scale(previous.revision, ctx.stable_replicas)]


def _rescaled(
    ctx: RolloutContext, result: PhaseResult, min_replicas: int, max_replicas: int
) -> list[Action]:
    """Returns the write that restores the autoscaler of the warm version, if it is not observed.

    One that lost its labels would not be deleted together with its Deployment (R23).
    """
    previous = ctx.observed.deployment(result.previous)
    if previous is None or previous.terminating or ctx.observed.autoscaler(previous.revision):
        return _labeled_again(ctx, result, min_replicas, max_replicas)
    # Scaled to zero with a model of fixed size, it would stay there.
    scale_up = (
        [Scale(previous.revision, min_replicas)] if previous.replicas == 0 and min_replicas else []
    )
    return [*scale_up, SetAutoscaler(previous.revision, min_replicas, max_replicas)]


def _labeled_again(
    ctx: RolloutContext, result: PhaseResult, min_replicas: int, max_replicas: int
) -> list[Action]:
    """Returns the write that makes the autoscaler of a warm version visible again whose Deployment
    another client deleted. The next decision deletes the autoscaler as an orphan (R2): without its
    label, it would stay as long as the model.
    """
    before = ctx.status.previous and ctx.status.previous.revision
    record = before and ctx.observed.record(before)
    if not before or not record or before in (ctx.stable, result.candidate, result.previous):
        return []
    if ctx.observed.deployment(before) or ctx.observed.autoscaler(before):
        return []
    return [SetAutoscaler(before, min_replicas, max_replicas)]


def _recreated(ctx: RolloutContext, result: PhaseResult, count: int) -> list[Action]:
    """Returns the write that recreates stable's Deployment from its record (R23)."""
    record = ctx.observed.record(ctx.stable)
    if ctx.stable is None or record is None or not record.intact:
        return []
    color = ctx.free_color(ctx.stable)
    # A colour that this decision uses for another Deployment is not free any more.
    used_colors = {a.color for a in result.actions if isinstance(a, CreateDeployment)}
    return (
        [CreateDeployment(ctx.stable, color, count)] if color and color not in used_colors else []
    )


def unlabeled_autoscalers(ctx: RolloutContext, moves: Sequence[Action]) -> list[Action]:
    """Returns the writes that make autoscalers observable again that lost their labels (R23).

    Such an autoscaler would resize the Deployment after each `Scale` of the operator, without end.
    Its trace is a Deployment that another client scaled and that this decision scales back.
    """
    scaled = {action.revision for action in moves if isinstance(action, Scale)}
    return [
        RestoreLabels(deployment.revision, "HorizontalPodAutoscaler")
        for deployment in ctx.observed.deployments
        if deployment.revision in scaled
        and deployment.scaled_by_other
        and not ctx.observed.autoscaler(deployment.revision)
    ]


def orphans(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Returns deletions of autoscalers that no longer belong.

    Those are autoscalers without a Deployment of revisions that are not in use (R2), and that of a
    candidate that was stable before: its size follows its weight (R5).
    """
    keep = {ctx.stable, ctx.previous, *(d.revision for d in ctx.observed.deployments)}
    if result.candidate != ctx.stable and ctx.stable is not None:
        keep -= {result.candidate}
    return [
        DeleteAutoscaler(autoscaler.revision, autoscaler.uid)
        for autoscaler in ctx.observed.autoscalers
        if autoscaler.revision not in keep
    ]
