"""Phases in which no candidate moves: serving, baking, rolled back, invalid."""

from __future__ import annotations

from dataclasses import replace

from canarium.core import gate, outage
from canarium.core.draft import Draft
from canarium.core.health import Cause, unfetched, unstarted
from canarium.core.leaving import Leaving, leaving
from canarium.core.moments import length, spoken, stamp
from canarium.core.moves import (
    by_order,
    failure_of,
    hold,
    judged,
    outcome_of,
    removed,
    replicas_of,
    said,
    stored,
    where,
    word,
)
from canarium.core.plan import Action, Event
from canarium.core.refusals import blocked, quoted, reason_of
from canarium.core.situation import Situation
from canarium.core.traffic import safe_to_select
from canarium.core.verdicts import known_failure
from canarium.core.waits import unreturned


def invalid(s: Situation) -> Draft:
    """The spec cannot be carried out: say why; stable serves on, alone (R10, R21, R24).

    A candidate of the spec before is not wanted any more and would go on unjudged.
    """
    actions: list[Action] = []
    if s.strays and s.router.withdraw(s, actions):
        actions += removed(s, s.strays)
    reason, text = _why_invalid(s)
    serves = f"; {word(s, s.stable)} serves on" if s.stable else "; nothing serves yet"
    return Draft(
        text + serves,
        tuple(actions),
        events=(Event("Warning", reason, text),),
        stable=s.stable,
        previous=s.previous,
        bake_since=stamp(s.bake_since) if s.previous else None,
        reason=reason,
        refusal=s.observed.rejection,
    )


def _why_invalid(s: Situation) -> tuple[str, str]:
    rejection, runtime = s.observed.rejection, s.observed.runtime
    if s.observed.foreign:
        what = ", ".join(s.observed.foreign)
        return "NameConflict", f"{what} exists and is not ours: rename or remove it"
    if s.minted and runtime.reason:
        return runtime.reason, runtime.message
    assert rejection is not None
    return reason_of(rejection), quoted(rejection)


def rolled_back(s: Situation) -> Draft:
    """The wanted revision is quarantined: all on stable, the failed pods go (R8, R9)."""
    actions: list[Action] = []
    gone = s.router.withdraw(s, actions)
    others = [r for r in (s.target, *s.strays) if s.observed.deployment(r)]
    # Recreate took stable down for it, so it is its own pods that stable waits for (R22).
    in_the_way = s.strategy == "Recreate" and not replicas_of(s, s.stable)
    if gone or in_the_way:
        actions += removed(s, others)
    failure = known_failure(s)
    why = f"{failure.reason}: {failure.message}{where(failure.pod, failure.container)}"
    text = (
        f"{word(s, s.target)} was rolled back at {failure.at}: {why}; {word(s, s.stable)} serves; "
        f"change the spec, or retry by canarium.dev/retry: {s.target}/TOKEN"
    )
    busy = bool(others) or not gone
    left = [p for p in s.observed.pods_of(s.target) if not s.is_stuck(p)]
    recreating = s.strategy == "Recreate" and (busy or bool(left))
    late = leaving(s, left) if recreating else Leaving()
    if recreating:
        text = f"{text}; its pods have to go before {word(s, s.stable)} comes back{late.text}"
    told = s.status.phase in ("RollingBack", "RolledBack") and s.status.failure is not None
    # A spec that returns to a version that failed before ends nothing anew (R9).
    last = next((o.outcome for o in s.status.history if o.revision == s.target), None)
    again = last in ("RolledBack", "Undone", "Failed")
    cause = Cause(failure.reason, failure.message, failure.pod, failure.container)
    back = Draft(
        text,
        tuple(actions),
        stable=s.stable,
        failure=failure,
        reason=failure.reason,
        progress=s.status.progress if recreating else None,
        hold=hold(s, "FailedPodsGoing", pod=late.pod) if busy or recreating else None,
        requeue_after=late.recheck,
        outcome=None
        if told or again
        else outcome_of(s, s.target, "RolledBack", failure.reason, cause),
        events=() if told else (Event("Warning", "RolledBack", said(s.target, cause)),),
    )
    return back if in_the_way or s.router.may_return(s) else unreturned(s, back, why)


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
    judging = s.settings.judging
    if not failed and judging and judging.during_bake:
        failed = gate.condemned(s)
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
    has = f"{word(s, s.stable)} {does if missing or not s.count else 'serves'}"
    if s.paused:
        return replace(
            base,
            message=f"{has}; {word(s, s.previous)} stays warm, the bake is paused by {s.paused}",
            actions=tuple(stored(s)),
            hold=hold(s, "Paused"),
            requeue_after=recheck,
        )
    if judging and judging.during_bake and (why := gate.bake_frozen(s)) is not None:
        return replace(
            base,
            message=f"{has}; {word(s, s.previous)} stays warm: {why}; the bake ends when the check "
            "passes, and the command undo rolls back",
            actions=tuple(stored(s)),
            hold=hold(s, gate.ANALYSIS_FAILED),
            requeue_after=recheck,
        )
    if end > s.now:
        return replace(
            base,
            message=f"{has}; {word(s, s.previous)} stays warm until {spoken(end)}",
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
    has = f"has no ready pod{why}" if down else "has ready pods again"
    then = f"; unless it is ready by {spoken(until)}, its promotion is undone" if until else ""
    held = hold(s, "StableDown", until=until, observed=f"{s.observed.ready(s.stable)} ready")
    return replace(
        base,
        message=f"{word(s, s.stable)} {has}{then}; the bake does not end before that",
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
    fails = (
        f"{word(s, s.stable)} fails ({cause.reason}: {cause.message}"
        f"{where(cause.pod, cause.container)}) and keeps its traffic: "
    )
    if _may_undo(s):
        return replace(
            base,
            message=f"{fails}it cannot be given back to {word(s, s.previous)}",
            actions=(*stored(s), *s.router.undo(s)),
            hold=hold(s, "UndoHeld"),
            reason=cause.reason,
        )
    return replace(
        base,
        message=f"{fails}{word(s, s.previous)} has no "
        "ready pod to take it back; undone as soon as it has, unless the failure is over by then",
        actions=tuple(stored(s)),
        hold=hold(s, "UndoHeld", observed="0 ready", threshold="1 ready"),
        reason=cause.reason,
    )


def _undoing(s: Situation, base: Draft, cause: Cause) -> Draft:
    """The promotion is taken back: one write, as it was made."""
    return replace(
        base,
        message=f"the promotion of {word(s, s.target)} is being undone: {cause.reason}: "
        f"{cause.message}{where(cause.pod, cause.container)}; {word(s, s.previous)} serves again",
        actions=(*stored(s), *s.router.undo(s)),
        phase="RollingBack",
        stable=s.previous,
        previous=None,
        bake_since=None,
        failure=failure_of(s, cause),
        hold=hold(s, "FailedPodsGoing"),
        reason=cause.reason,
        outcome=outcome_of(s, s.target, "Undone", cause.reason, cause),
        events=(Event("Warning", "RolledBack", said(s.target, cause)),),
    )


def steady(s: Situation) -> Draft:
    """The version in spec serves; whatever else still runs goes (R11)."""
    actions: list[Action] = stored(s)
    if s.observed.deployment(s.stable) is None:
        text = f"{word(s, s.stable)} is being brought back: its Deployment was gone"
        return Draft(text, tuple(actions), stable=s.stable, hold=hold(s, "BringingBack"))
    if s.router.withdraw(s, actions):
        actions += removed(s, s.strays)
    short = s.observed.ready(s.stable) < s.count
    if not short and _first_unserved(s):
        # What was waited for stands until callers are answered; a lost status lacks it.
        return Draft(
            s.status.message or f"the first version, {word(s, s.stable)}, is about to serve",
            tuple(actions),
            candidate=s.stable,
            progress=s.status.progress,
            hold=s.status.hold,
            phase="Starting",
        )
    missing, does = _serving(s)
    failure = known_failure(s) if s.quarantined else None
    reason = missing.reason if missing else ""
    if failure:
        # It took the place of a stable that did not come back (R13); the latch holds (R9).
        does = (
            f"{does}, though it failed at {failure.at} ({failure.reason}: {failure.message}"
            f"{where(failure.pod, failure.container)}), as there is no other to go back to; "
            f"change the spec, or retry by canarium.dev/retry: {s.stable}/TOKEN"
        )
        reason = failure.reason
    return Draft(
        f"{word(s, s.stable)} {does}",
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
        return None, "is live and scaled to no pods"
    if s.observed.ready(s.stable) >= s.count:
        return None, "serves"
    pods = s.observed.pods_of(s.stable)
    missing = unfetched(pods) or unstarted(pods)
    why = f": {missing.message}{where(missing.pod, missing.container)}" if missing else ""
    return missing, f"serves, with fewer ready pods than wanted{why}"


def _first_unserved(s: Situation) -> bool:
    """The first version was promoted, and no endpoint of the new Service answers yet."""
    told = s.status.stable is None and s.status.candidate is not None
    return told and not s.observed.served_by(s.stable)
