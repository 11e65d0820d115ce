"""Moving references in the status: what the target's URI stands for, or why there is none (R26)."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType, SpecReason
from canarium.core.context.context import RolloutContext
from canarium.core.messages import sentences
from canarium.core.times import duration_text

Fact = tuple[str, bool, str, str]


def unresolved(ctx: RolloutContext) -> tuple[str, str]:
    """Returns reason and message why the new record cannot be stored yet.

    Only called while `ctx.is_unresolved`.
    """
    request, result = ctx.resolve_request, ctx.observed.resolution
    assert request is not None
    if result and result.request == request and result.reason:
        return result.reason, f"spec.model.uri: {result.message}; the operator retries"
    text = (
        f"spec.model.uri: waiting for {request.endpoint or 'the registry'} to resolve {request.uri}"
    )
    return SpecReason.SOURCE_UNRESOLVED, text


def reported(ctx: RolloutContext) -> tuple[Fact, ...]:
    """Returns the condition SourceResolved of a model whose URI moves; () for any other."""
    if ctx.is_unresolved:
        return ((ConditionType.SOURCE_RESOLVED, False, *unresolved(ctx)),)
    record = ctx.observed.record(ctx.target)
    if record is None or record.resolved is None:
        return ()
    fault = _fault(ctx)
    if fault:
        return ((ConditionType.SOURCE_RESOLVED, False, *fault),)
    reason, request = ConditionReason.RESOLVED, ctx.resolve_request
    # The URI of a record that was restored may be lost.
    uri, interval = request.uri if request else record.uri, ctx.settings.follow_interval
    text = f"revision {record.revision} was created from {record.resolved}"
    if ctx.held_result:
        reason = ConditionReason.RESULT_HELD
        pause = "spec.paused" if ctx.settings.paused else "the command pause"
        text = sentences(text, f"{uri} now names {ctx.held_result}, which waits for {pause} to end")
    elif ctx.follows and interval is not None:
        text = sentences(
            text, f"The operator asks what {uri} names every {duration_text(interval)}"
        )
    return ((ConditionType.SOURCE_RESOLVED, True, reason, text),)


def _fault(ctx: RolloutContext) -> tuple[str, str] | None:
    """Returns reason and message why the followed reference has no answer, or no steady one.

    Before the first answer to an operator that has just started, the last condition stands.
    """
    if not ctx.follows:
        return None
    result = ctx.observed.resolution
    if result is None or result.request != ctx.resolve_request:
        conditions = ctx.status.conditions
        old = next((c for c in conditions if c.type == ConditionType.SOURCE_RESOLVED), None)
        return (old.reason, old.message) if old and old.status == "False" else None
    if result.reason is None:
        return None
    text = f"spec.model.follow: {result.message}"
    return result.reason, sentences(text, f"Revision {ctx.target} stays, and the operator retries")
