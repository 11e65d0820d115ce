"""Moves traffic to the standby while stable has no ready pods, and back.

`core.context.standby` has the rule. It is applied after the rows of the table, so that none of them
has to consider it.
"""

from __future__ import annotations

from canarium.api.reasons import EventReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import answering
from canarium.core.context.naming import describe
from canarium.core.context.standby import returns_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Event, SelectColor, SetRouteWeights
from canarium.core.outcomes.rejections import blocked
from canarium.core.times import time_text


def guarded(ctx: RolloutContext, result: PhaseResult) -> PhaseResult:
    """Returns `result` with traffic moved to and from the standby, and a sentence about it.

    A result that moves traffic already is not changed.
    """
    if ctx.stable is None or result.stable != ctx.stable:
        return result
    actions: list[Action] = []
    if not any(isinstance(action, SelectColor | SetRouteWeights) for action in result.actions):
        actions = (
            ctx.router.fail_over(ctx, ctx.standby)
            if ctx.standby
            else ctx.router.fail_back(ctx, result)
        )
    result = result.also(*actions)
    if ctx.standby is None:
        return result
    result = result.add(_text(ctx, is_explained=result.explains_outage)).recheck_in(_left(ctx))
    return result if ctx.stable_unavailable_since is None else result.explaining_outage()


def effective_standby(ctx: RolloutContext) -> str | None:
    """Returns the standby; None if it gets no traffic because that write is rejected."""
    return ctx.standby if blocked(ctx) is None or ctx.standby in answering(ctx) else None


def _left(ctx: RolloutContext) -> float | None:
    at = returns_at(ctx, ctx.standby) if ctx.stable_unavailable_since is None else None
    return at - ctx.now if at is not None else None


def _text(ctx: RolloutContext, *, is_explained: bool) -> str:
    """Returns what serves, with the reason unless the message `is_explained` by it already."""
    by, stable = describe(ctx, ctx.standby), describe(ctx, ctx.stable)
    if ctx.standby != effective_standby(ctx):
        why = "" if is_explained else f"{stable} has no ready pods, and "
        return f"{why}traffic moves to {by} as soon as the API server accepts the write"
    if ctx.stable_unavailable_since is not None:
        share = answering(ctx).get(ctx.standby or "", 0)
        gets = f"{by} receives {share}% of the traffic" if share else f"traffic moves to {by}"
        return f"meanwhile {gets}" if is_explained else f"{gets} because {stable} has no ready pods"
    at = returns_at(ctx, ctx.standby)
    until = f"until {time_text(at)}" if at is not None else f"until {stable} has all its pods"
    return f"{'' if is_explained else f'{stable} is ready again, and '}{by} keeps serving {until}"


def events(ctx: RolloutContext) -> tuple[Event, ...]:
    """Returns an Event when a standby starts to serve, and when stable serves alone again."""
    before, now = ctx.status.standby, effective_standby(ctx)
    if now and now != before:
        text = f"revision {now} serves in place of revision {ctx.stable}, which has no ready pods"
        return (Event("Warning", EventReason.STANDBY_SERVING, text),)
    reported = ctx.status.stable.revision if ctx.status.stable else None
    if before and not ctx.standby and ctx.stable == reported and ctx.observed.ready(ctx.stable):
        return (
            Event(
                "Normal",
                EventReason.STABLE_RECOVERED,
                f"revision {ctx.stable} has recovered and serves again",
            ),
        )
    return ()
