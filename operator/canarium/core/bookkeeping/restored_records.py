"""Restores records that were deleted while their Deployment runs (R1, R18, R23).

A Deployment has the pod template of its record, so restoring the record changes no pod. The name of
a revision is the short digest of its identity: if the spec asks for that revision, its record is
restored completely; the Deployment has the result of a moving reference. Otherwise the identity is
lost, and the record has the name in its place (algorithm `v1-name`): it still matches the spec that
returns to it, unless its reference moves, and it can be rolled back to and recreate its Deployment.
Its runtime, lineage and predecessor are lost.

Records are restored before any other decision, because a missing record changes which revision the
spec refers to: `abc-2` without its record would be `abc`, which has failed.
"""

from __future__ import annotations

from typing import Any

from canarium.api.reasons import EventReason
from canarium.api.states import Phase
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import version_of
from canarium.core.decision.plan import Event, Plan, RestoreRevision
from canarium.core.facts.observed import Deployment
from canarium.core.facts.revision import (
    ALGORITHM,
    BY_NAME,
    RESOLVED,
    NewRecord,
    digest_v1,
    identity_v1,
    identity_v2,
    next_number,
    short_name,
)


def restoration(ctx: RolloutContext, status: Status) -> Plan | None:
    """Returns the decision to restore missing records; None when none can be restored."""
    actions = tuple(_restored(ctx, deployment) for deployment in _missing(ctx))
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


def _missing(ctx: RolloutContext) -> list[Deployment]:
    """Returns running revisions without a record that are stable, previous or the target."""
    return [
        d
        for d in ctx.observed.deployments
        if ctx.observed.record(d.revision) is None
        and not d.terminating
        and d.color
        and (d.revision in (ctx.stable, ctx.previous) or _is_wanted(ctx, d))
        # A new record of this revision is about to be stored anyway.
        and (ctx.new_record is None or ctx.new_record.revision != d.revision or ctx.is_unresolved)
        and not ctx.record_rejection(d.revision)
    ]


def _identity(ctx: RolloutContext, deployment: Deployment) -> tuple[str, dict[str, Any]]:
    """Returns algorithm and identity of the spec, with what its URI stood for in `deployment`."""
    if deployment.resolved is None:
        return ALGORITHM, identity_v1(ctx.spec)
    return RESOLVED, identity_v2(ctx.spec, deployment.resolved)


def _is_wanted(ctx: RolloutContext, deployment: Deployment) -> bool:
    """Returns whether the spec asks for the revision of `deployment`.

    Of several results of a moving reference, it is the one that the status names.
    """
    last = ctx.status.revision
    if deployment.resolved and ctx.current_record and last not in (None, deployment.revision):
        return False
    wanted = short_name(digest_v1(_identity(ctx, deployment)[1]))
    return deployment.revision.split("-")[0] == wanted


def _restored(ctx: RolloutContext, deployment: Deployment) -> RestoreRevision:
    revision = deployment.revision
    algorithm, identity = _identity(ctx, deployment)
    base, digest = revision.split("-")[0], digest_v1(identity)
    number = _number(ctx, deployment)
    artifact = next((p.artifact for p in ctx.observed.pods_of(revision) if p.artifact), None)
    parts = (ctx.status.stable, ctx.status.candidate, ctx.status.previous, *ctx.status.history)
    artifact = artifact or next(
        (x.artifact for x in parts if x and x.revision == revision and x.artifact), None
    )
    if short_name(digest) == base:
        new = NewRecord(revision, number, digest, identity, algorithm)
        return RestoreRevision(new, None, artifact)
    entry = next((o for o in ctx.status.history if o.revision == revision), None)
    recovered = {
        "version": version_of(ctx, revision),
        "uri": entry.uri if entry else None,
        "lineage": dict(entry.lineage) if entry and entry.lineage else None,
    }
    model = tuple((key, value) for key, value in recovered.items() if value)
    return RestoreRevision(NewRecord(revision, number, base, {}, BY_NAME), model, artifact)


def _number(ctx: RolloutContext, deployment: Deployment) -> int:
    """Returns the number of a revision in the history: before its first successor, else last.

    It is also last if its moving reference has returned to it.
    """
    revision = deployment.revision
    after = [r.number for r in ctx.observed.records if r.after == revision]
    if after and not (deployment.resolved and revision == ctx.status.revision):
        return max(0, min(after) - 1)
    return next_number(ctx.observed.records)


def _text(ctx: RolloutContext, action: RestoreRevision) -> str:
    name = f"{ctx.name}-{action.record.revision}"
    lost = "" if action.model is None else " (its identity, runtime and lineage are lost)"
    return f"Restored ControllerRevision/{name}, which was deleted, from its Deployment{lost}"
