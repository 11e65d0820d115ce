"""Replaces a stable version that does not recover, so that it does not block the fix of its fix
(R13, decision 0011).

The case: stable has no ready pods, an older candidate answers in its place, and the spec asks for
a third revision. The older candidate cannot be deleted, since it alone answers (R0), and both
colours are taken, so the wanted revision cannot be made. When stable has been down for as long as
a candidate may take to become ready, the revision that serves becomes stable.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import EventReason, HoldReason, OutcomeReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.health.cause import Cause
from canarium.core.messages import sentences
from canarium.core.outcomes.records import history_entry
from canarium.core.times import length, spoken, stamp


def successor(s: Situation) -> str | None:
    """Returns the older revision that serves all traffic because stable has no ready pods."""
    if s.down_since is None:
        return None
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    return next((x for x in (*s.strays, *previous) if _answers_alone(s, x)), None)


def _answers_alone(s: Situation, revision: str) -> bool:
    """Whether all callers are answered by `revision`, and would be by its colour (R4)."""
    deployment = s.observed.deployment(revision)
    same = [p for p in s.observed.pods if p.serves and deployment and p.color == deployment.color]
    alone = bool(same) and all(p.revision == revision for p in same)
    return alone and s.router.share(s, revision) == 100


def takes_over_at(s: Situation) -> float | None:
    """Returns when the successor becomes stable; None without one, while paused, and while no
    change of traffic would be taken.

    Stable has as long to recover as a candidate has to become ready, unless it was scaled down to
    make room for the successor (R22).
    """
    if s.down_since is None or s.paused or successor(s) is None or s.router.fault(s):
        return None
    return s.down_since + (0.0 if _was_scaled_down(s) else s.settings.progress_deadline)


def _was_scaled_down(s: Situation) -> bool:
    return s.strategy == "Recreate" and not s.observed.replicas(s.stable)


def wait_for_stable(
    s: Situation, base: PhaseResult, other: str, takes_over: float | None
) -> PhaseResult:
    """Waits while `other` answers for stable: neither can be deleted, so nothing of the wanted
    revision is made yet (R0, R10)."""
    then = (
        f"if that lasts until {spoken(takes_over)}, {describe(s, other)} becomes stable and the "
        "rollout continues"
        if takes_over is not None
        else "the rollout continues once it has one"
    )
    return base.recheck_in(takes_over - s.now if takes_over is not None else None).wait(
        HoldReason.STABLE_UNAVAILABLE,
        f"{describe(s, s.target)} waits: {describe(s, other)} cannot be deleted while "
        f"{describe(s, s.stable)} has no ready pods",
        then,
        until=takes_over,
        observed="0 ready",
        threshold="1 ready",
    )


def take_over(s: Situation, base: PhaseResult, other: str) -> PhaseResult:
    """Makes `other` stable: no traffic moves, and no pod (R14). The wanted revision is rolled out
    beside it from the next decision on."""
    deployment = s.observed.deployment(other)
    assert deployment is not None
    base = base.also(*s.router.promote(s, other, deployment.color, None, stamp(s.now)))
    cause = Cause(OutcomeReason.STABLE_UNAVAILABLE, _why(s))
    text = f"{describe(s, other)} is stable: {cause.message}"
    return replace(
        base.wait(
            HoldReason.TERMINATING_OLD_REVISIONS,
            sentences(text, f"{describe(s, s.target)} is rolled out next"),
        ),
        stable=other,
        outcome=history_entry(s, other, "Promoted", cause.reason, cause),
        events=(Event("Warning", EventReason.STABLE_UNAVAILABLE, text),),
        requeue_after=0.0,
    )


def _why(s: Situation) -> str:
    if _was_scaled_down(s):
        return f"{describe(s, s.stable)} was taken down for it"
    return f"{describe(s, s.stable)} had no ready pod for {length(s.settings.progress_deadline)}"
