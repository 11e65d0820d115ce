"""Failures and history entries in the form of the status."""

from __future__ import annotations

from canarium.api.reasons import FailureReason
from canarium.api.states import OutcomeKind
from canarium.api.status import Failure, Outcome
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import version_of
from canarium.core.facts.grant import token_of
from canarium.core.facts.signature import parse_signature
from canarium.core.health.cause import Cause
from canarium.core.times import stamp


def failure_record(ctx: RolloutContext, cause: Cause) -> Failure:
    """Returns the failure of the target for the status."""
    weight, step = _position(ctx)
    return Failure(
        revision=ctx.target,
        reason=cause.reason,
        message=cause.message,
        time=stamp(ctx.now),
        pod=cause.pod,
        container=cause.container,
        observed=cause.observed,
        threshold=cause.threshold,
        samples=cause.samples,
        weight=weight,
        step=step,
    )


def _position(ctx: RolloutContext) -> tuple[int | None, str | None]:
    """Returns the weight and the step of the target in the last status, which precedes the
    failure; None where it has none."""
    candidate, stable = ctx.status.candidate, ctx.status.stable
    if candidate and candidate.revision == ctx.target:
        return candidate.effective_weight, ctx.status.step
    if stable and stable.revision == ctx.target:
        return stable.effective_weight, None
    return None, None


def command_cause(ctx: RolloutContext, command: str) -> Cause | None:
    """Returns the cause that `abort` or `undo` is, if that command acts now."""
    order = ctx.active_command(command)
    if order is None:
        return None
    reason = {"abort": FailureReason.ABORTED, "undo": FailureReason.UNDONE}[command]
    return Cause(reason, f"by command {command}, token {order.token}")


def history_entry(
    ctx: RolloutContext,
    revision: str,
    outcome: OutcomeKind,
    reason: str,
    cause: Cause | None = None,
    command: str | None = None,
) -> Outcome:
    """Returns the entry for the history: how `revision` ended or was promoted, and by what.

    `command` is the command that ended its steps, as `command/token`.
    """
    record = ctx.observed.record(revision)
    orders = [ctx.active_command(c) for c in ("abort", "undo")] if revision == ctx.target else []
    order = next((o for o in orders if o), None)
    if order:
        command = token_of(order)
    if command:
        by = f"command {command}"
    else:
        by = "spec" if outcome in (OutcomeKind.SUPERSEDED, OutcomeKind.WITHDRAWN) else "operator"
    return Outcome(
        revision=revision,
        version=version_of(ctx, revision),
        outcome=outcome,
        reason=reason,
        message=cause.message if cause else "",
        by=by,
        start_time=record.created_at if record else None,
        time=stamp(ctx.now),
        lineage=dict(record.lineage) if record and record.lineage else None,
        uri=record.uri if record else None,
        resolved=record.resolved if record else None,
        artifact=record.artifact if record else None,
        signature=parse_signature(record.signature) if record else None,
    )
