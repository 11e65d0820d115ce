"""The training run of a revision, on its record: requested once, and written after all else.

It is written last, so that a record that cannot be annotated holds up nothing, and a document that
is incomplete has the reason. Nothing is decided by its content (R30).
"""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Action, AnnotateRevision
from canarium.core.facts.training_run import RunRequest, run_request

#: Annotation of a record, without the prefix.
NOTE = "training-run"


def wanted(ctx: RolloutContext) -> RunRequest | None:
    """Returns the request for the lineage of the target; None if its record has it, or if its
    model is not from a tracking server."""
    record = ctx.observed.record(ctx.target)
    if record is None or record.run_recorded:
        return None
    return run_request(record, ctx.spec.get("model") or {})


def recorded(ctx: RolloutContext) -> list[Action]:
    """Returns the annotation with the lineage of the target, once it has been read."""
    result = ctx.observed.training_run
    if result is None or result.request != wanted(ctx):
        return []
    return [AnnotateRevision(result.request.revision, ((NOTE, result.document),))]
