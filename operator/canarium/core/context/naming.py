"""Names of revisions in messages: the user's version beside the operator's revision."""

from __future__ import annotations

from canarium.api.uri import registered_version
from canarium.core.context.context import RolloutContext


def version_of(ctx: RolloutContext, revision: str | None) -> str | None:
    """Returns the version of a revision as users know it, if it has one.

    It is read from the revision's record or, if that was deleted, from the spec and the last
    status.
    """
    record = ctx.observed.record(revision)
    if record:
        return record.version
    if revision == ctx.target:
        model, new = ctx.spec.get("model") or {}, ctx.new_record
        resolved = new.identity.get("resolved") if new else None
        return model.get("version") or registered_version(resolved or model.get("uri"))
    parts = (ctx.status.stable, ctx.status.candidate, ctx.status.previous, *ctx.status.history)
    return next((x.version for x in parts if x and x.revision == revision and x.version), None)


def describe(ctx: RolloutContext, revision: str | None) -> str:
    """Returns a revision as messages name it: `version 2 (abc23456)`."""
    if revision is None:
        return "none"
    version = version_of(ctx, revision)
    return f"version {version} ({revision})" if version else f"revision {revision}"
