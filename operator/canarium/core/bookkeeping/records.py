"""Updates of stored ControllerRevisions: annotations with later facts, pins, and pruning."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.states import PauseSource
from canarium.core.bookkeeping import images as recorded_images
from canarium.core.bookkeeping import periods as serving
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    AnnotateRevision,
    DeleteRevision,
    PinArtifact,
    RenumberRevision,
)
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.revision import QUARANTINED, next_number
from canarium.core.outcomes.failures import failure_to_json


def renumbering(ctx: RolloutContext) -> list[Action]:
    """Returns the write that makes the target's record the newest again, if its followed reference
    has returned to an earlier result (R26).

    It precedes all others: what they do is decided by that result also after a crash.
    """
    record = ctx.current_record
    if ctx.moved_to is None or record is None:
        return []
    return [RenumberRevision(record.revision, next_number(ctx.observed.records))]


def pinning(ctx: RolloutContext) -> list[Action]:
    """Returns writes of pins that were deleted or changed, for revisions that may start pods
    (R23).

    A pin that the API server rejects does not stop later writes, such as a rollback.
    """
    pinned = dict(ctx.observed.pinned_artifacts)
    return [
        PinArtifact(record.revision, record.artifact)
        for record in ctx.observed.records
        if record.pins
        and record.artifact
        and pinned.get(record.revision) != record.artifact
        and ctx.observed.deployment(record.revision)
        and not ctx.observed.rejected(ObjectRef("ConfigMap", f"{ctx.name}-{record.revision}"))
    ]


def notes(ctx: RolloutContext, result: PhaseResult, moves: Iterable[Action]) -> list[Action]:
    """Returns the annotations of records that this decision adds.

    The target's record gets its verdict (R9), consumed commands (R16), the digest and the signature
    of its model, the images of its pods, and the periods that `moves` end. Commands are recorded
    only after the status lists them: the status alone is written together with their effect.
    """
    record = ctx.observed.record(ctx.target)
    served_of, periods = serving.due(ctx, moves) or (None, "")
    if record is None:
        older = [AnnotateRevision(served_of, (("served", periods),))] if served_of else []
        return [*_unrecorded_verdict(ctx), *_resolved(ctx), *older]
    before = [*_unrecorded_verdict(ctx), *_resolved(ctx)]
    facts = [("served", periods)] if served_of else []
    first = next((p for p in ctx.observed.pods_of(ctx.target) if p.artifact), None)
    if first and first.artifact and record.artifact is None:
        # The ConfigMap first: once the record has the digest, more pods start.
        before += [PinArtifact(ctx.target, first.artifact)] if record.pins else []
        facts.append(("artifact", first.artifact))
    signed = next((p.signature for p in ctx.observed.pods_of(ctx.target) if p.signature), None)
    if signed and record.signature is None:
        facts.append(("signature", signed))
    failure = result.failure
    fails = failure and failure.revision == ctx.target and record.verdict != QUARANTINED
    if failure and fails:
        facts += [("verdict", QUARANTINED), ("failure", failure_to_json(failure))]
    resolved = (
        recorded_images.final(ctx, record) if fails else recorded_images.new_images(ctx, record)
    )
    if resolved:
        facts.append(("images", resolved))
    paused = ("paused",) if ctx.pause and ctx.pause.source is PauseSource.COMMAND else ()
    consumed = [
        f"{c.command}/{c.token}"
        for c in ctx.status.commands
        if c.revision == ctx.target and c.token
    ]
    recorded = [x for x in record.commands if x != "paused"]
    commands = tuple(sorted({*consumed, *recorded, *paused}))
    if consumed and commands != record.commands:
        facts.append(("commands", ",".join(commands)))
    if facts:
        before.append(AnnotateRevision(ctx.target, tuple(facts)))
    return before


def _resolved(ctx: RolloutContext) -> list[Action]:
    """Returns annotations with images that pods of other revisions have started to run."""
    others = (ctx.observed.record(d.revision) for d in ctx.observed.deployments)
    return [
        AnnotateRevision(record.revision, (("images", text),))
        for record in others
        if record
        and record.revision != ctx.target
        and (text := recorded_images.new_images(ctx, record))
    ]


def _unrecorded_verdict(ctx: RolloutContext) -> list[Action]:
    """Returns the annotation for a verdict on an older revision that only the traffic record has.

    That happens if the operator crashes right after a rollback; the next write of the traffic
    record would drop the verdict.
    """
    holder = ctx.observed.route or ctx.observed.service
    revision = holder.traffic.quarantined if holder else None
    record = ctx.observed.record(revision)
    if record is None or record.revision == ctx.target or record.verdict == QUARANTINED:
        return []
    return [AnnotateRevision(record.revision, (("verdict", QUARANTINED),))]


def pruning(ctx: RolloutContext) -> list[Action]:
    """Returns deletions of the oldest records beyond the limit, never of one in use (R9)."""
    keep = {ctx.stable, ctx.target, ctx.previous, *(d.revision for d in ctx.observed.deployments)}
    idle = sorted(
        (r for r in ctx.observed.records if r.revision not in keep and r.owned),
        key=lambda r: r.number,
    )
    excess = len(idle) - ctx.settings.history_limit
    return [DeleteRevision(record.revision) for record in idle[: max(0, excess)]]
