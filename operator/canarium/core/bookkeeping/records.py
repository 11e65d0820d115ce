"""ControllerRevisions after they are stored: later facts as annotations, pins, and pruning."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.core.bookkeeping import images as recorded_images
from canarium.core.bookkeeping import periods as serving
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    AnnotateRevision,
    DeleteRevision,
    PinArtifact,
)
from canarium.core.facts.revision import QUARANTINED
from canarium.core.outcomes.failures import noted


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
