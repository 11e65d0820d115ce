"""Phase RollingBack: the target has failed and still has traffic or pods (R8, R9).

Traffic first, pods later. The quarantine lasts until a new spec or a retry: applying the same spec
again changes nothing.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionType, EventReason, FailureReason, HoldReason
from canarium.api.states import CommandOutcome, OutcomeKind
from canarium.api.status import Failure, Outcome
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import carries_traffic
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action, Event
from canarium.core.facts.grant import token_of
from canarium.core.health.availability import serving_now
from canarium.core.health.cause import Cause
from canarium.core.messages import event_text, explain, retry_advice
from canarium.core.outcomes.failures import known_failure
from canarium.core.outcomes.records import history_entry
from canarium.core.outcomes.rejections import until_rejected
from canarium.core.phases.deployments import delete_revisions
from canarium.core.phases.leftover_pods import Leftover, find_leftover
from canarium.core.phases.rollback import removing_traffic, rollback_blocked

#: Command that caused the failure, by its reason.
_COMMANDS: dict[str, str] = {FailureReason.ABORTED: "abort", FailureReason.UNDONE: "undo"}


def rolling_back(ctx: RolloutContext) -> PhaseResult:
    """Moves traffic from the quarantined target to stable, then deletes its pods.

    It is reported as rolled back only once callers no longer reach it (R29).
    """
    moves: list[Action] = []
    moves += ctx.router.route_all_to_stable(ctx)
    is_on_stable = ctx.router.stable_has_all(ctx)
    others = [r for r in (ctx.target, *ctx.obsolete_revisions) if ctx.observed.deployment(r)]
    # Recreate scaled stable down for it, so stable waits for the failed version's own pods (R22).
    in_the_way = ctx.strategy == "Recreate" and not ctx.observed.replicas(ctx.stable)
    if is_on_stable or in_the_way:
        moves += delete_revisions(ctx, others)
    failure = known_failure(ctx)
    receives_traffic = carries_traffic(ctx, ctx.target)
    base = PhaseResult(
        actions=until_rejected(ctx, moves),
        stable=ctx.stable,
        candidate=ctx.target if receives_traffic else None,
        progress=ctx.status.progress if receives_traffic else None,
        receives_traffic=receives_traffic,
    ).fail(failure)
    why = explain(failure)
    if not in_the_way and not ctx.router.can_fall_back(ctx):
        return rollback_blocked(ctx, base, why)
    if receives_traffic and not in_the_way:
        return removing_traffic(ctx, base, why)
    busy = bool(others) or not is_on_stable
    left = [p for p in ctx.observed.pods_of(ctx.target) if not ctx.is_stuck(p)]
    recreating = ctx.strategy == "Recreate" and (busy or bool(left))
    late = find_leftover(ctx, left) if recreating else Leftover()
    text = f"{describe(ctx, ctx.target)} was rolled back at {failure.time}: {why}"
    if receives_traffic:
        text = f"Rolling back {describe(ctx, ctx.target)}: {why}"
    restart = (
        f"{describe(ctx, ctx.stable)} starts once these pods have terminated{late.text}"
        if recreating
        else ""
    )
    if recreating:
        base = base.explaining_outage()
    wait = Wait(HoldReason.TERMINATING_FAILED_REVISION, pod=late.pod)
    return (
        base.at(ctx.status.progress if recreating else None)
        .recheck_in(late.recheck)
        .with_message(
            text, serving_now(ctx), restart, retry_advice(ctx.target, follows=ctx.follows)
        )
        .with_wait(wait if busy or recreating else None)
        .with_outcome(None if receives_traffic else _history(ctx, failure))
        .with_events(*(() if receives_traffic else _events(ctx, failure)))
    )


def _events(ctx: RolloutContext, failure: Failure) -> tuple[Event, ...]:
    """Returns one Event for each time that a version is rolled back."""
    condition = next(
        (c for c in ctx.status.conditions if c.type == ConditionType.ROLLED_BACK), None
    )
    failure_before = ctx.status.failure
    same = failure_before is not None and failure_before.revision == ctx.target
    if condition and condition.status == "True" and same:
        return ()
    return (Event("Warning", EventReason.ROLLED_BACK, event_text(ctx.target, failure)),)


def _history(ctx: RolloutContext, failure: Failure) -> Outcome | None:
    """Returns the entry for the history, once: applying the spec of a failed version again adds no
    second entry (R9)."""
    last = next((o.outcome for o in ctx.status.history if o.revision == ctx.target), None)
    if last in (OutcomeKind.ROLLED_BACK, OutcomeKind.UNDONE, OutcomeKind.FAILED):
        return None
    newest = next(iter(ctx.status.history), None)
    undone = (
        newest is not None
        and newest.revision == ctx.target
        and newest.outcome == OutcomeKind.PROMOTED
    )
    cause = Cause(failure.reason, failure.message, failure.pod, failure.container)
    command = _COMMANDS.get(failure.reason)
    orders = (
        a
        for a in ctx.status.commands
        if a.revision == ctx.target and a.result == CommandOutcome.ACCEPTED
    )
    order = next((a for a in orders if a.command == command), None)
    by = token_of(order) if order else None
    outcome = OutcomeKind.UNDONE if undone else OutcomeKind.ROLLED_BACK
    return history_entry(ctx, ctx.target, outcome, failure.reason, cause, command=by)
