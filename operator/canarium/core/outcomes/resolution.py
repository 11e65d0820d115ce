"""Moving references in the status: what the target's URI stands for, or why there is none (R26)."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType, SpecReason
from canarium.core.context.context import RolloutContext


def unresolved(ctx: RolloutContext) -> tuple[str, str]:
    """Returns reason and message why the new record cannot be stored yet.

    Only called while `ctx.is_unresolved`.
    """
    request, result = ctx.resolve_request, ctx.observed.resolution
    assert request is not None
    if result and result.request == request and result.reason:
        return result.reason, f"spec.model.uri: {result.message}; the operator retries"
    text = f"spec.model.uri: waiting for {request.endpoint} to resolve {request.uri}"
    return SpecReason.SOURCE_UNRESOLVED, text


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition SourceResolved of a model whose URI moves; () for any other."""
    if ctx.is_unresolved:
        return ((ConditionType.SOURCE_RESOLVED, False, *unresolved(ctx)),)
    record = ctx.observed.record(ctx.target)
    if record is None or record.resolved is None:
        return ()
    text = f"revision {ctx.target} was created from {record.resolved}"
    return ((ConditionType.SOURCE_RESOLVED, True, ConditionReason.RESOLVED, text),)
