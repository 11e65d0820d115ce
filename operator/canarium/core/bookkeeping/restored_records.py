"""Records that somebody deleted while their Deployment runs are stored again (R1, R18, R23).

A Deployment has the pod template of its record, so storing that changes no pod. Its revision's name
is the short digest of the identity: where the spec asks for that very revision, the record is
whole again. Elsewhere the identity is lost, and the record keeps the name in its place (algorithm
`v1-name`): it still matches the spec that returns to it, serves as a rollback target, and a
Deployment can be made from it. Its runtime and lineage, and whom it followed, are lost.

It comes before every other decision, since a record that is missing changes which revision the spec
means: `abc-2` without its record would be `abc`, which has failed.
"""

from __future__ import annotations

from canarium.api.reasons import EventReason
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import version_of
from canarium.core.decision.plan import Event, Plan, RestoreRevision
from canarium.core.facts.revision import BY_NAME, NewRecord, digest_v1, identity_v1, short_name


def restoration(ctx: RolloutContext, status: Status) -> Plan | None:
    """Returns the decision to store missing records again; None when there is none to store."""
    actions = tuple(action for revision in _missing(ctx) if (action := _restored(ctx, revision)))
    if not actions:
        return None
    texts = [_text(ctx, action) for action in actions]
    known = status.model_copy(update={"message": texts[0]}) if status.is_new else status
    return Plan(
        phase="Starting",
        status=known,
        actions=actions,
        events=tuple(Event("Warning", EventReason.RECORD_RESTORED, text) for text in texts),
        status_is_urgent=False,
    )


def _missing(ctx: RolloutContext) -> list[str]:
    """Revisions that run, have a part in what is wanted, and have no record."""
    wanted = short_name(digest_v1(identity_v1(ctx.spec)))
    return [
        d.revision
        for d in ctx.observed.deployments
        if ctx.observed.record(d.revision) is None
        and not d.terminating
        and d.color
        and (d.revision in (ctx.stable, ctx.previous) or d.revision.split("-")[0] == wanted)
        # The record of a revision that is to be stored anyway is whole without this.
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
        minted = NewRecord(revision, number, digest, identity)
        return RestoreRevision(minted, None, artifact)
    known = next((o for o in ctx.status.history if o.revision == revision), None)
    model = {
        "version": version_of(ctx, revision),
        "uri": known.uri if known else None,
        "lineage": dict(known.lineage) if known and known.lineage else None,
    }
    kept = tuple((key, value) for key, value in model.items() if value)
    return RestoreRevision(NewRecord(revision, number, base, {}, BY_NAME), kept, artifact)


def _number(ctx: RolloutContext, revision: str) -> int:
    """Its place in the history: before the first that followed it, else the last."""
    after = [r.number for r in ctx.observed.records if r.after == revision]
    if after:
        return max(0, min(after) - 1)
    return max((r.number for r in ctx.observed.records), default=0) + 1


def _text(ctx: RolloutContext, action: RestoreRevision) -> str:
    name = f"{ctx.name}-{action.record.revision}"
    lost = "" if action.model is None else " (its identity, runtime and lineage are lost)"
    return f"Restored ControllerRevision/{name}, which was deleted, from its Deployment{lost}"
