"""Keeps the traffic record consistent with the decision (R18).

The record is written together with traffic. Where a command, an edit of the steps or an edit by
hand makes it differ and no write moves traffic, a separate write updates it. That write precedes
all others of the decision, so that they find it on record even if the operator crashes in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.api.states import CommandOutcome
from canarium.core.bookkeeping import periods
from canarium.core.context.context import RolloutContext
from canarium.core.context.standby import serves_for_stable
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, SelectColor, SetRouteWeights
from canarium.core.facts.gateways import Route
from canarium.core.facts.grant import BY_ITSELF, Grant, pause_of, token_of
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Service
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.routing.preflight import is_writable, missing_prerequisite
from canarium.core.times import stamp

#: Commands whose effect survives a lost status only in the traffic record.
RECORDED_COMMANDS = ("promote", "promote-full")
#: Stands for the command where the status records only that the remaining steps are skipped.
_UNKNOWN_COMMAND = "promote-full/unknown"


def recordable(ctx: RolloutContext) -> bool:
    """Returns whether the record can be written without a change of traffic."""
    holder = ctx.traffic.record_object
    if isinstance(holder, Service):
        return holder.color is not None and not ctx.observed.rejected(
            ObjectRef("Service", ctx.name)
        )
    if holder is None or ctx.route_kind != holder.kind:
        return False
    return is_writable(ctx, holder.kind) and missing_prerequisite(ctx, holder.kind) is None


def recorded(
    ctx: RolloutContext, result: PhaseResult, moves: tuple[Action, ...]
) -> tuple[Action, ...]:
    """Returns `moves` with the traffic record added to those that write it.

    Where the record differs and none of them writes it, a write of the record alone precedes them.
    """
    if ctx.stable is None or ctx.traffic.record_object is None:
        return periods.dated(ctx, moves)
    grant = _grant(ctx, result)
    if grant:
        moves = tuple(_with_grant(ctx, action, grant) for action in moves)
    kind = SetRouteWeights if ctx.route_kind else SelectColor
    written = any(isinstance(action, kind) for action in moves)
    if written or result.stable != ctx.stable or not recordable(ctx):
        return periods.dated(ctx, moves)
    return periods.dated(ctx, (*_separate_write(ctx, result, grant), *moves))


def _with_grant(ctx: RolloutContext, action: Action, grant: Grant) -> Action:
    """Returns a write that moves traffic with the grant, if it is about this candidate."""
    if not isinstance(action, SetRouteWeights if ctx.route_kind else SelectColor):
        return action
    if action.traffic.stable != ctx.stable or action.traffic.candidate not in (None, ctx.target):
        return action
    return replace(action, traffic=replace(action.traffic, candidate=ctx.target, grant=grant))


def _separate_write(
    ctx: RolloutContext, result: PhaseResult, grant: Grant | None
) -> tuple[Action, ...]:
    """Returns a write of the record alone; none when the record is complete."""
    assert ctx.traffic.record_object is not None
    live = ctx.traffic.record_object.traffic
    failed = result.failure is not None and ctx.quarantined and ctx.target != ctx.stable
    wanted = replace(
        live,
        stable=ctx.stable,
        candidate=ctx.target if grant else live.candidate,
        grant=grant,
        previous=ctx.previous if result.previous else live.previous,
        quarantined=live.quarantined or (ctx.target if failed else None),
    )
    action = _unmoved(ctx.traffic.record_object, wanted)
    return (action,) if wanted != live or _incomplete(ctx, live, action) else ()


def _unmoved(holder: Service | Route, traffic: TrafficRecord) -> SelectColor | SetRouteWeights:
    """Returns a write that changes only the record on `holder`."""
    if isinstance(holder, Service):
        return SelectColor(holder.color, traffic)
    return SetRouteWeights(holder.kind, holder.weights, traffic, direct=holder.direct)


def _incomplete(
    ctx: RolloutContext, live: TrafficRecord, action: SelectColor | SetRouteWeights
) -> bool:
    """Returns whether the record lacks a time that `action` would restore."""
    if live.promoted_at and live.traffic_since:
        return False
    (dated,) = periods.dated(ctx, (action,))
    assert isinstance(dated, SelectColor | SetRouteWeights)
    new = dated.traffic
    return (new.promoted_at, new.traffic_since) != (live.promoted_at, live.traffic_since)


def _grant(ctx: RolloutContext, result: PhaseResult) -> Grant | None:
    """Returns the candidate's grant after this decision; None before a weight was granted or a
    command recorded.

    One that serves in place of stable has a grant of 0 from then on, so that a lost status does not
    turn the traffic that it has into a weight (R12, R13).
    """
    p, old = result.progress, ctx.grant
    if p is None or result.candidate != ctx.target or result.stable != ctx.stable or result.failure:
        return None
    orders = old.orders if old else ()
    acting = [
        c
        for c in ctx.commands
        if c.command in RECORDED_COMMANDS and c.result == CommandOutcome.ACCEPTED
    ]
    new = tuple(token for c in acting if (token := token_of(c)) not in orders)
    in_place = ctx.standby == ctx.target or serves_for_stable(ctx, ctx.target)
    if p.pause is None and not p.full and not in_place and old is None:
        return None
    unchanged = old is not None and (old.weight, old.passed) == (p.granted, p.passed)
    full = old.full if old else None
    if p.full and full is None:
        skips = (token_of(c) for c in acting if c.command == "promote-full")
        full = next((x for x in skips if x in new), p.command or _UNKNOWN_COMMAND)
    return Grant(
        revision=ctx.target,
        weight=p.granted,
        origin=old.origin if old and unchanged else min(p.weight, p.granted),
        since=old.since if old and unchanged else stamp(ctx.now),
        pause=p.pause,
        analysis=p.analysis,
        passed=p.passed,
        released=None if p.released in BY_ITSELF else p.released,
        full=full,
        orders=(*orders, *new),
        strategy=p.strategy,
        steps=tuple(Step(x.weight, pause_of(x.pause)) for x in p.steps),
    )


def unrecordable_commands(ctx: RolloutContext) -> Iterable[str]:
    """Returns the commands that must not act yet because the record cannot be written: that of the
    traffic, or that of a stable revision which took over."""
    if ctx.is_unreleased:
        rejection = ctx.record_rejection(ctx.target)
        return RECORDED_COMMANDS if rejection else ()
    return () if ctx.traffic.record_object is None or recordable(ctx) else RECORDED_COMMANDS
