"""Leads callers to the standby while stable has no ready pod, and back.

See `core.context.standby`.

It comes after the rows of the table, so that none of them has to think of it.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import EventReason
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import answering
from canarium.core.context.naming import describe
from canarium.core.context.standby import returns_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Event, Route, Weigh
from canarium.core.messages import sentences
from canarium.core.outcomes.refusals import blocked
from canarium.core.times import spoken


def guarded(s: Situation, result: PhaseResult) -> PhaseResult:
    """`result` with callers led to who can answer, unless it moves traffic itself, and with that
    said."""
    if s.stable is None or result.stable != s.stable:
        return result
    actions: list[Action] = []
    if not any(isinstance(action, Route | Weigh) for action in result.actions):
        if s.standby and not s.has_failed(s.standby):
            actions = s.router.fail_over(s, s.standby)
        elif s.standby is None:
            actions = s.router.fail_back(s, result)
    result = replace(result, actions=(*result.actions, *actions))
    if s.standby is None:
        return result
    waits = [result.requeue_after, _left(s)]
    return replace(
        result,
        message=sentences(result.message, _text(s)),
        requeue_after=min((x for x in waits if x is not None), default=None),
    )


def stands_in(s: Situation) -> str | None:
    """The standby, unless callers are not led to it and the write that would do so is refused."""
    return s.standby if blocked(s) is None or s.standby in answering(s) else None


def _left(s: Situation) -> float | None:
    at = returns_at(s, s.standby) if s.down_since is None else None
    return at - s.now if at is not None else None


def _text(s: Situation) -> str:
    by, stable = describe(s, s.standby), describe(s, s.stable)
    if s.standby != stands_in(s):
        return (
            f"{by} answers in place of {stable}, which has no ready pod, once the write is allowed"
        )
    if s.down_since is not None:
        share = answering(s).get(s.standby or "", 0)
        gets = f"{by} receives {share}% of the traffic" if share else f"traffic moves to {by}"
        return f"{gets} because {stable} has no ready pods"
    at = returns_at(s, s.standby)
    until = f"until {spoken(at)}" if at is not None else f"until {stable} has all its pods"
    return f"{stable} is ready again; {by} keeps answering {until}"


def events(s: Situation) -> tuple[Event, ...]:
    """One Event when a standby begins to answer, and one when stable answers alone again."""
    before, now = s.status.standby, stands_in(s)
    if now and now != before:
        text = f"revision {now} answers in place of revision {s.stable}, which has no ready pods"
        return (Event("Warning", EventReason.STANDBY_SERVING, text),)
    told = s.status.stable.revision if s.status.stable else None
    if before and not s.standby and s.stable == told and s.observed.ready(s.stable):
        return (
            Event("Normal", EventReason.STABLE_RECOVERED, f"revision {s.stable} answers again"),
        )
    return ()
