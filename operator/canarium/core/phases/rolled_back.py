"""Phase RolledBack: the wanted revision has failed, and stable serves (R8, R9).

The row RollingBack uses the same decision while anything of the revision still runs. The latch
holds until a new spec or a retry: applying the same spec again changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import ConditionType, EventReason, FailureReason, HoldReason
from canarium.api.status import Failure, Outcome
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import carries_traffic
from canarium.core.context.naming import describe
from canarium.core.context.position import issued_by
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action, Event
from canarium.core.health.availability import serving_now
from canarium.core.health.cause import Cause
from canarium.core.messages import event_text, explain, retry_advice
from canarium.core.outcomes.failures import known_failure
from canarium.core.outcomes.records import history_entry
from canarium.core.outcomes.refusals import until_refused
from canarium.core.phases.deployments import delete_revisions
from canarium.core.phases.leftover_pods import Leftover, find_leftover
from canarium.core.phases.rolling_back import removing_traffic, rollback_blocked

#: The command that a failure was ordered by.
_COMMANDS: dict[str, str] = {FailureReason.ABORTED: "abort", FailureReason.UNDONE: "undo"}


def rolled_back(s: Situation) -> PhaseResult:
    """The wanted revision is quarantined: moves traffic to stable, then deletes its pods.

    It is called rolled back only when callers do not reach it any more (R29).
    """
    moves: list[Action] = []
    withdrawn = s.router.withdraw(s, moves)
    others = [r for r in (s.target, *s.strays) if s.observed.deployment(r)]
    # Recreate scaled stable down for it, so stable waits for the failed version's own pods (R22).
    in_the_way = s.strategy == "Recreate" and not s.observed.replicas(s.stable)
    if withdrawn or in_the_way:
        moves += delete_revisions(s, others)
    failure = known_failure(s)
    carrying = carries_traffic(s, s.target)
    base = PhaseResult(
        actions=until_refused(s, moves),
        stable=s.stable,
        candidate=s.target if carrying else None,
        progress=s.status.progress if carrying else None,
        carrying=carrying,
    ).fail(failure)
    why = explain(failure)
    if not in_the_way and not s.router.may_return(s):
        return rollback_blocked(s, base, why)
    if carrying and not in_the_way:
        return removing_traffic(s, base, why)
    busy = bool(others) or not withdrawn
    left = [p for p in s.observed.pods_of(s.target) if not s.is_stuck(p)]
    recreating = s.strategy == "Recreate" and (busy or bool(left))
    late = find_leftover(s, left) if recreating else Leftover()
    text = f"{describe(s, s.target)} was rolled back at {failure.at}: {why}"
    if carrying:
        text = f"Rolling back {describe(s, s.target)}: {why}"
    restart = (
        f"{describe(s, s.stable)} starts once its pods are gone{late.text}" if recreating else ""
    )
    return replace(
        base.at(s.status.progress if recreating else None)
        .recheck_in(late.recheck)
        .say(text, serving_now(s), restart, retry_advice(s.target)),
        waiting_for=Wait(HoldReason.TERMINATING_FAILED_REVISION, pod=late.pod)
        if busy or recreating
        else None,
        outcome=None if carrying else _history(s, failure),
        events=() if carrying else _events(s, failure),
    )


def _events(s: Situation, failure: Failure) -> tuple[Event, ...]:
    """Returns one Event for each time that a version is rolled back."""
    known = next((c for c in s.status.conditions if c.type == ConditionType.ROLLED_BACK), None)
    if known and known.status == "True" and s.status.failure:
        return ()
    return (Event("Warning", EventReason.ROLLED_BACK, event_text(s.target, failure)),)


def _history(s: Situation, failure: Failure) -> Outcome | None:
    """Returns the entry for the history, once: a spec that returns to a version that failed before
    ends nothing anew (R9)."""
    last = next((o.outcome for o in s.status.history if o.revision == s.target), None)
    if last in ("RolledBack", "Undone", "Failed"):
        return None
    newest = next(iter(s.status.history), None)
    undone = newest is not None and newest.revision == s.target and newest.outcome == "Promoted"
    cause = Cause(failure.reason, failure.message, failure.pod, failure.container)
    command = _COMMANDS.get(failure.reason)
    orders = (a for a in s.status.commands if a.revision == s.target and a.result == "Done")
    order = next((a for a in orders if a.command == command), None)
    by = issued_by(order) if order else None
    outcome = "Undone" if undone else "RolledBack"
    return history_entry(s, s.target, outcome, failure.reason, cause, by=by)
