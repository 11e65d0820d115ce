"""Restores records that were deleted while their Deployment runs (R1, R18, R23).

A Deployment has the pod template of its record, so restoring the record changes no pod. The name of
a revision is the short digest of its identity: if the spec asks for that revision, its record is
restored completely. Otherwise the identity is lost, and the record has the name in its place
(algorithm `v1-name`): it still matches the spec that returns to it, and it can be rolled back to
and recreate its Deployment. Its runtime, lineage and predecessor are lost.

Records are restored before any other decision, because a missing record changes which revision the
spec refers to: `abc-2` without its record would be `abc`, which has failed.
"""

from __future__ import annotations

from canarium.api.reasons import EventReason
from canarium.api.states import Phase
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import version_of
from canarium.core.decision.plan import Event, Plan, RestoreRevision
from canarium.core.facts.revision import BY_NAME, NewRecord, digest_v1, identity_v1, short_name


def restoration(ctx: RolloutContext, status: Status) -> Plan | None:
    """Returns the decision to restore missing records; None when none can be restored."""
    actions = tuple(action for revision in _missing(ctx) if (action := _restored(ctx, revision)))
    if not actions:
        return None
    texts = [_text(ctx, action) for action in actions]
    after = status.model_copy(update={"message": texts[0]}) if status.is_new else status
    return Plan(
        phase=Phase.STARTING,
        status=after,
        actions=actions,
        events=tuple(Event("Warning", EventReason.RECORD_RESTORED, text) for text in texts),
        status_is_urgent=False,
    )


def _missing(ctx: RolloutContext) -> list[str]:
    """Returns running revisions without a record that are stable, previous or the target."""
    wanted = short_name(digest_v1(identity_v1(ctx.spec)))
    return [
        d.revision
        for d in ctx.observed.deployments
        if ctx.observed.record(d.revision) is None
        and not d.terminating
        and d.color
        and (d.revision in (ctx.stable, ctx.previous) or d.revision.split("-")[0] == wanted)
        # A new record of this revision is about to be stored anyway.
        and not (ctx.new_record and ctx.new_record.revision == d.revision)
        and not ctx.observed.refused(f"ControllerRevision {ctx.name}-{d.revision}")
    ]


def _restored(ctx: RolloutContext, revision: str) -> RestoreRevision | None:
    base, identity = revision.split("-")[0], identity_v1(ctx.spec)
    digest = digest_v1(identity)
    number = _number(ctx, revision)
    artifact = next((p.artifact for p in ctx.observed.pods_of(revision) if p.artifact), None)
    parts = (ctx.status.stable, ctx.status.candidate, ctx.status.previous, *ctx.status.history)
    artifact = artifact or next(
        (x.artifact for x in parts if x and x.revision == revision and x.artifact), None
    )
    if short_name(digest) == base:
        return RestoreRevision(NewRecord(revision, number, digest, identity), None, artifact)
    entry = next((o for o in ctx.status.history if o.revision == revision), None)
    known = {
        "version": version_of(ctx, revision),
        "uri": entry.uri if entry else None,
        "lineage": dict(entry.lineage) if entry and entry.lineage else None,
    }
    model = tuple((key, value) for key, value in known.items() if value)
    return RestoreRevision(NewRecord(revision, number, base, {}, BY_NAME), model, artifact)


def _number(ctx: RolloutContext, revision: str) -> int:
    """Returns the number of `revision` in the history: before its first successor, else last."""
    after = [r.number for r in ctx.observed.records if r.after == revision]
    if after:
        return max(0, min(after) - 1)
    return max((r.number for r in ctx.observed.records), default=0) + 1


def _text(ctx: RolloutContext, action: RestoreRevision) -> str:
    name = f"{ctx.name}-{action.record.revision}"
    lost = "" if action.model is None else " (its identity, runtime and lineage are lost)"
    return f"Restored ControllerRevision/{name}, which was deleted, from its Deployment{lost}"
