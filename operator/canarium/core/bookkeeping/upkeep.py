"""What every decision does besides: stable at its size, the history at its length."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.core.bookkeeping import images as recorded_images
from canarium.core.bookkeeping import periods as serving
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    AnnotateRevision,
    CreateDeployment,
    DeleteAutoscaler,
    DeleteRevision,
    PinArtifact,
    Scale,
    SetAutoscaler,
)
from canarium.core.facts.revision import QUARANTINED
from canarium.core.outcomes.failures import noted
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


def pinning(ctx: RolloutContext) -> list[Action]:
    """Pins that somebody took away or changed, of revisions that may start pods (R23)."""
    told = dict(ctx.observed.pinned_artifacts)
    return [
        PinArtifact(record.revision, record.artifact)
        for record in ctx.observed.records
        if record.pins
        and record.artifact
        and told.get(record.revision) != record.artifact
        and ctx.observed.deployment(record.revision)
    ]


def notes(ctx: RolloutContext, result: PhaseResult, moves: Iterable[Action]) -> list[Action]:
    """Later facts on the wanted revision's record: its verdict (R9), commands consumed (R16), the
    bytes and the images that its pods have, who had traffic until these `moves`.

    Commands are noted only after the status has them: the status alone is written together with
    their effect.
    """
    record = ctx.observed.record(ctx.target)
    told_to, periods = serving.due(ctx, moves) or (None, "")
    if record is None:
        older = [AnnotateRevision(told_to, (("served", periods),))] if told_to else []
        return [*_latched(ctx), *_resolved(ctx), *older]
    before = [*_latched(ctx), *_resolved(ctx)]
    facts = [("served", periods)] if told_to else []
    first = next((p for p in ctx.observed.pods_of(ctx.target) if p.artifact), None)
    if first and first.artifact and record.artifact is None:
        # The ConfigMap first: once the record has the digest, more pods start.
        before += [PinArtifact(ctx.target, first.artifact)] if record.pins else []
        facts.append(("artifact", first.artifact))
        facts += [("resolved", first.resolved)] if first.resolved else []
    failure = result.failure
    fails = failure and failure.revision == ctx.target and record.verdict != QUARANTINED
    if failure and fails:
        facts += [("verdict", QUARANTINED), ("failure", noted(failure))]
    resolved = recorded_images.final(ctx, record) if fails else recorded_images.to_note(ctx, record)
    if resolved:
        facts.append(("images", resolved))
    paused = ("paused",) if ctx.pause and ctx.pause.by != "spec.paused" else ()
    told = [
        f"{a.command}/{a.token}"
        for a in ctx.status.commands
        if a.revision == ctx.target and a.token
    ]
    kept = [x for x in record.commands if x != "paused"]
    wanted = tuple(sorted({*told, *kept, *paused}))
    if told and wanted != record.commands:
        facts.append(("commands", ",".join(wanted)))
    if facts:
        before.append(AnnotateRevision(ctx.target, tuple(facts)))
    return before


def _resolved(ctx: RolloutContext) -> list[Action]:
    """Images that pods of other revisions run by now."""
    others = (ctx.observed.record(d.revision) for d in ctx.observed.deployments)
    return [
        AnnotateRevision(record.revision, (("images", text),))
        for record in others
        if record
        and record.revision != ctx.target
        and (text := recorded_images.to_note(ctx, record))
    ]


def _latched(ctx: RolloutContext) -> list[Action]:
    """The verdict of an older revision that only the Service or route tells yet: its next write
    would drop it, when the operator died right after the traffic was taken off."""
    witness = ctx.observed.route or ctx.observed.service
    revision = witness.traffic.quarantined if witness else None
    record = ctx.observed.record(revision)
    if record is None or record.revision == ctx.target or record.verdict == QUARANTINED:
        return []
    return [AnnotateRevision(record.revision, (("verdict", QUARANTINED),))]


def pruning(ctx: RolloutContext) -> list[Action]:
    """Old records beyond the limit; never one that has a part now (R9)."""
    keep = {ctx.stable, ctx.target, ctx.previous, *(d.revision for d in ctx.observed.deployments)}
    idle = sorted(
        (r for r in ctx.observed.records if r.revision not in keep and r.owned),
        key=lambda r: r.number,
    )
    excess = len(idle) - ctx.settings.history_limit
    return [DeleteRevision(record.revision) for record in idle[: max(0, excess)]]
