"""Phases in which no candidate moves: serving, baking, rolled back, invalid."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.status import Failure, Outcome
from canarium.core.bookkeeping.adoption import conflicts
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import answering, carries_traffic
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Action, Event
from canarium.core.facts.weights import safe_to_select
from canarium.core.health import gates
from canarium.core.health import outages as outage
from canarium.core.health.availability import is_down, outage_cause, serving_now
from canarium.core.health.pods import Cause
from canarium.core.outcomes.failures import known_failure
from canarium.core.outcomes.messages import retry_advice, sentences
from canarium.core.outcomes.moves import (
    by_order,
    failure_of,
    hold,
    judged,
    ordered_by,
    outcome_of,
    removed,
    replicas_of,
    said,
    stored,
    where,
    word,
)
from canarium.core.outcomes.refusals import blocked, quoted, reason_of, until_refused
from canarium.core.phases.leftover_pods import Leaving, leaving
from canarium.core.phases.starting import unserved_first
from canarium.core.phases.waiting import returning, traffic_kept, unreturned
from canarium.core.times import length, spoken, stamp


def invalid(s: Situation) -> Draft:
    """The spec cannot be carried out: say why; stable serves on, alone (R10, R21, R24).

    A candidate of the spec before is not wanted any more and would go on unjudged.
    """
    actions: list[Action] = []
    if s.strays and s.router.withdraw(s, actions):
        actions += removed(s, s.strays)
    reason, text = _why_invalid(s)
    return Draft(
        sentences(text, _still_serving(s)),
        tuple(actions),
        events=(Event("Warning", reason, text),),
        stable=s.stable,
        previous=s.previous,
        bake_since=stamp(s.bake_since) if s.previous else None,
        reason=reason,
        refusal=s.observed.rejection,
    )


def _still_serving(s: Situation) -> str:
    if s.stable is None:
        return "no version is serving yet"
    shares = answering(s)
    alone = list(shares) == [s.stable]
    keeps = "keeps serving" if alone else "stays the promoted version"
    return serving_now(s) if shares and not alone else f"{word(s, s.stable)} {keeps}"


def _why_invalid(s: Situation) -> tuple[str, str]:
    rejection, runtime = s.observed.rejection, s.observed.runtime
    if s.observed.foreign:
        return "NameConflict", conflicts(s.observed, s.name)
    if s.minted and runtime.reason:
        return runtime.reason, runtime.message
    assert rejection is not None
    return reason_of(rejection), quoted(rejection)


def rolled_back(s: Situation) -> Draft:
    """The wanted revision is quarantined: traffic to stable, then its pods are deleted (R8, R9).

    It is called rolled back only when callers are not led to it any more (R29).
    """
    actions: list[Action] = []
    gone = s.router.withdraw(s, actions)
    others = [r for r in (s.target, *s.strays) if s.observed.deployment(r)]
    # Recreate took stable down for it, so it is its own pods that stable waits for (R22).
    in_the_way = s.strategy == "Recreate" and not replicas_of(s, s.stable)
    if gone or in_the_way:
        actions += removed(s, others)
    failure = known_failure(s)
    why = f"{failure.reason}: {failure.message}{where(failure.pod, failure.container)}"
    carrying = carries_traffic(s, s.target)
    base = Draft(
        "",
        until_refused(s, actions),
        stable=s.stable,
        candidate=s.target if carrying else None,
        progress=s.status.progress if carrying else None,
        failure=failure,
        reason=failure.reason,
        carrying=carrying,
    )
    if not in_the_way and not s.router.may_return(s):
        return unreturned(s, base, why)
    if carrying and not in_the_way:
        return returning(s, base, why)
    busy = bool(others) or not gone
    left = [p for p in s.observed.pods_of(s.target) if not s.is_stuck(p)]
    recreating = s.strategy == "Recreate" and (busy or bool(left))
    late = leaving(s, left) if recreating else Leaving()
    text = f"{word(s, s.target)} was rolled back at {failure.at}: {why}"
    if carrying:
        text = f"Rolling back {word(s, s.target)}: {why}"
    ending = f"{word(s, s.stable)} starts once its pods are gone{late.text}" if recreating else ""
    return replace(
        base,
        message=sentences(text, serving_now(s), ending, retry_advice(s.target)),
        progress=s.status.progress if recreating else None,
        hold=hold(s, "FailedPodsGoing", pod=late.pod) if busy or recreating else None,
        requeue_after=late.recheck,
        outcome=None if carrying else _taken_back(s, failure),
        events=() if carrying else _announced(s, failure),
    )


def _announced(s: Situation, failure: Failure) -> tuple[Event, ...]:
    """One Event for each time that a version is rolled back."""
    known = next((c for c in s.status.conditions if c.type == "RolledBack"), None)
    if known and known.status == "True" and s.status.failure:
        return ()
    cause = Cause(failure.reason, failure.message, failure.pod, failure.container)
    return (Event("Warning", "RolledBack", said(s.target, cause)),)


def _taken_back(s: Situation, failure: Failure) -> Outcome | None:
    """The entry for the history, once: a spec that returns to a version that failed before ends
    nothing anew (R9)."""
    last = next((o.outcome for o in s.status.history if o.revision == s.target), None)
    if last in ("RolledBack", "Undone", "Failed"):
        return None
    newest = next(iter(s.status.history), None)
    undone = newest is not None and newest.revision == s.target and newest.outcome == "Promoted"
    cause = Cause(failure.reason, failure.message, failure.pod, failure.container)
    command = {"Aborted": "abort", "Undone": "undo"}.get(failure.reason)
    orders = (a for a in s.status.commands if a.revision == s.target and a.result == "Done")
    order = next((a for a in orders if a.command == command), None)
    by = ordered_by(order) if order else None
    outcome = "Undone" if undone else "RolledBack"
    return outcome_of(s, s.target, outcome, failure.reason, cause, by=by)


def baking(s: Situation) -> Draft:
    """Promoted, and the old version still warm (R15)."""
    base = Draft(
        "",
        stable=s.stable,
        previous=s.previous,
        bake_since=stamp(s.bake_since),
    )
    undone = by_order(s, "undo")
    failed, recheck = judged(s, was_good=True)
    judging = s.settings.analysis
    if not failed and judging and judging.during_bake:
        failed = gates.condemned(s)
    outages = outage.count(s)
    base = replace(base, outages=outages)
    cause = undone or failed or outage.cause(s, outages)
    if cause and _may_undo(s) and not blocked(s):
        return _undoing(s, base, cause)
    if cause:
        return _undo_held(s, base, cause)
    if s.down_since is not None or s.standby:
        return _interrupted(s, base, recheck)
    end = s.bake_since + s.settings.bake_time
    missing, does = _serving(s)
    base = replace(base, reason=missing.reason if missing else "")
    has = f"{word(s, s.stable)} {does}"
    warm = f"{word(s, s.previous)} stays warm"
    if s.paused:
        return replace(
            base,
            message=sentences(has, f"{warm} while the bake is paused by {s.paused}"),
            actions=tuple(stored(s)),
            hold=hold(s, "Paused"),
            requeue_after=recheck,
        )
    if judging and judging.during_bake and (why := gates.bake_frozen(s)) is not None:
        return replace(
            base,
            message=f"{has}; {word(s, s.previous)} stays warm: {why}; the bake ends when the check "
            "passes, and the command undo rolls back",
            actions=tuple(stored(s)),
            hold=hold(s, gates.ANALYSIS_FAILED),
            requeue_after=recheck,
        )
    if end > s.now:
        return replace(
            base,
            message=sentences(has, f"{warm} until {spoken(end)}"),
            actions=tuple(stored(s)),
            hold=hold(s, "Bake", until=end, threshold=length(s.settings.bake_time)),
            requeue_after=min(x for x in (end - s.now, recheck) if x is not None),
        )
    actions: list[Action] = stored(s)
    if s.router.withdraw(s, actions):
        actions += removed(s, (s.previous or "",))
    return replace(
        base,
        message=has,
        actions=tuple(actions),
        previous=None,
        bake_since=None,
        phase="Ready",
    )


def _interrupted(s: Situation, base: Draft, recheck: float | None) -> Draft:
    """The new stable has no ready pod, or had none a moment ago. The warm version answers if it
    can; the bake does not end meanwhile, also not while paused (R15)."""
    down = s.down_since is not None
    until = outage.ends_at(s) if s.standby else None
    missing, _ = _serving(s)
    why = f": {missing.message}{where(missing.pod, missing.container)}" if missing else ""
    has = f"has no ready pods{why}" if down else "has ready pods again"
    then = f"its promotion is undone unless it is ready by {spoken(until)}" if until else ""
    held = hold(s, "StableDown", until=until, observed=f"{s.observed.ready(s.stable)} ready")
    return replace(
        base,
        message=sentences(f"{word(s, s.stable)} {has}", then, "the bake does not end meanwhile"),
        actions=tuple(stored(s)),
        hold=held.model_copy(update={"threshold": f"{s.count} ready"}),
        reason=missing.reason if missing else "StableDown",
        requeue_after=min(
            (x for x in (until - s.now if until else None, recheck) if x is not None), default=None
        ),
    )


def _may_undo(s: Situation) -> bool:
    """Whether the version before has a ready pod, and one where the Service would lead (R0)."""
    previous = s.observed.deployment(s.previous)
    ready = previous and s.observed.ready(s.previous)
    return bool(ready and previous and safe_to_select(previous.color, s.observed))


def _undo_held(s: Situation, base: Draft, cause: Cause) -> Draft:
    """It fails, but nobody can take its traffic (R0), or the write that gives it back was refused:
    the version before is kept until it can."""
    why = f"{cause.reason}: {cause.message}{where(cause.pod, cause.container)}"
    text = f"{word(s, s.stable)} failed ({why}) and {traffic_kept(s, s.stable)}"
    refused = blocked(s)
    if refused and _may_undo(s):
        return replace(
            base,
            message=sentences(
                f"{text}: {quoted(refused)}",
                f"The undo to {word(s, s.previous)} runs as soon as the write is allowed",
            ),
            actions=(*stored(s), *until_refused(s, s.router.undo(s))),
            hold=hold(s, "UndoBlocked"),
            reason=cause.reason,
            refusal=refused,
        )
    return replace(
        base,
        message=sentences(
            f"{text}: {word(s, s.previous)} has no ready pods",
            f"The undo runs as soon as it does, unless {word(s, s.stable)} recovers first",
        ),
        actions=tuple(stored(s)),
        hold=hold(s, "UndoHeld", observed="0 ready", threshold="1 ready"),
        reason=cause.reason,
    )


def _undoing(s: Situation, base: Draft, cause: Cause) -> Draft:
    """The promotion is taken back: one write, as it was made."""
    return replace(
        base,
        message=f"Undoing the promotion of {word(s, s.target)}: {cause.reason}: {cause.message}"
        f"{where(cause.pod, cause.container)}",
        actions=(*stored(s), *s.router.undo(s)),
        phase="RollingBack",
        carrying=True,
        stable=s.previous,
        candidate=s.target,
        previous=None,
        bake_since=None,
        failure=failure_of(s, cause),
        hold=hold(s, "FailedPodsGoing"),
        reason=cause.reason,
    )


def steady(s: Situation) -> Draft:
    """The version in spec serves; whatever else still runs goes (R11)."""
    actions: list[Action] = stored(s)
    if s.observed.deployment(s.stable) is None:
        text = f"Recreating the Deployment of {word(s, s.stable)}, which was deleted"
        return Draft(text, tuple(actions), stable=s.stable, hold=hold(s, "BringingBack"))
    if s.router.withdraw(s, actions):
        actions += removed(s, s.strays)
    short = s.observed.ready(s.stable) < s.count
    if not short and first_unserved(s):
        # What was waited for stands until callers are answered; a lost status lacks it.
        base = Draft("", candidate=s.stable, progress=s.status.progress, phase="Starting")
        return unserved_first(s, base, actions)
    missing, does = _serving(s)
    failure = known_failure(s) if s.quarantined else None
    reason = missing.reason if missing else ""
    if failure:
        # It took the place of a stable that did not come back (R13); the latch holds (R9).
        reason = failure.reason
        failed = (
            f"it failed at {failure.at} ({failure.reason}: {failure.message}"
            f"{where(failure.pod, failure.container)}), but there is no other version to roll "
            "back to"
        )
        text = sentences(f"{word(s, s.stable)} {does}", failed, retry_advice(s.target))
    elif is_down(s, s.stable):
        text = ""  # An outage is described for every phase alike (`core.health.outages`).
    else:
        text = f"{word(s, s.stable)} {does}"
    return Draft(
        text,
        tuple(actions),
        stable=s.stable,
        phase="Failed" if failure else None,
        failure=failure,
        reason=reason,
        hold=hold(
            s,
            "WaitingForPods",
            observed=f"{s.observed.ready(s.stable)} ready",
            threshold=f"{s.count} ready",
        )
        if short
        else None,
    )


def _serving(s: Situation) -> tuple[Cause | None, str]:
    """Why stable has fewer ready pods than wanted, as far as one of them shows it, and what stable
    does, in words."""
    if not s.count:
        return None, "is live but scaled to zero"
    ready = s.observed.ready(s.stable)
    does = "is serving" if s.stable in answering(s) else "is promoted"
    if ready >= s.count:
        return None, does
    missing = outage_cause(s, s.stable)
    why = f": {missing.message}{where(missing.pod, missing.container)}" if missing else ""
    return missing, f"{does} with {ready} of {s.count} pods ready{why}"


def first_unserved(s: Situation) -> bool:
    """The first version was promoted, and no endpoint of the new Service answers yet."""
    told = s.status.stable is None and s.status.candidate is not None
    return told and not s.observed.served_by(s.stable)
