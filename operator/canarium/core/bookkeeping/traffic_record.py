"""Keeps the traffic record in step with the decision: in the writes that move traffic, and by a
write of its own where a command, an edit of the steps or somebody's hand makes it differ (R18).

A separate write comes first in a decision, so that what depends on it finds it on record even
if the operator dies in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.core.bookkeeping import periods
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, SelectColor, SetRouteWeights
from canarium.core.facts.gateways import Route
from canarium.core.facts.grant import BY_ITSELF, Grant, pause_of, token_of
from canarium.core.facts.observed import Service
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.routing.preflight import wanting, writable
from canarium.core.times import stamp

#: Commands whose effect only the record keeps when the status is lost.
KEPT = ("promote", "promote-full")


def recordable(ctx: RolloutContext) -> bool:
    """Whether the record can be written without a change of traffic."""
    witness = ctx.traffic.record_object
    if isinstance(witness, Service):
        return witness.color is not None and not ctx.observed.refused(f"Service {ctx.name}")
    if witness is None or ctx.route_kind != witness.kind:
        return False
    return writable(ctx, witness.kind) and wanting(ctx, witness.kind) is None


def recorded(
    ctx: RolloutContext, result: PhaseResult, moves: tuple[Action, ...]
) -> tuple[Action, ...]:
    """`moves` with the record of what they do, after a write of the record alone where it differs
    and none of them writes it."""
    if ctx.stable is None or ctx.traffic.record_object is None:
        return periods.dated(ctx, moves)
    grant = _grant(ctx, result)
    if grant:
        moves = tuple(_with(ctx, action, grant) for action in moves)
    kind = SetRouteWeights if ctx.route_kind else SelectColor
    known = any(isinstance(action, kind) for action in moves)
    if known or result.stable != ctx.stable or not recordable(ctx):
        return periods.dated(ctx, moves)
    return periods.dated(ctx, (*_own(ctx, result, grant), *moves))


def _with(ctx: RolloutContext, action: Action, grant: Grant) -> Action:
    """A write that moves traffic, with the grant where it is about this candidate."""
    if not isinstance(action, SetRouteWeights if ctx.route_kind else SelectColor):
        return action
    if action.traffic.stable != ctx.stable or action.traffic.candidate not in (None, ctx.target):
        return action
    return replace(action, traffic=replace(action.traffic, candidate=ctx.target, grant=grant))


def _own(ctx: RolloutContext, result: PhaseResult, grant: Grant | None) -> tuple[Action, ...]:
    """A write of the record alone; none when it tells all that it has to."""
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
    if live.stable == ctx.stable and _is_of_older_operator(live) and not _acts(ctx, result, grant):
        return ()
    action = _same(ctx.traffic.record_object, wanted)
    return (action,) if wanted != live or _incomplete(ctx, live, action) else ()


def _is_of_older_operator(live: TrafficRecord) -> bool:
    """Whether an operator wrote the record that knew none of these fields: an upgrade writes to no
    model's objects, and the next write that moves traffic adds them."""
    return not (live.promoted_at or live.traffic_since or live.images or live.grant)


def _acts(ctx: RolloutContext, result: PhaseResult, grant: Grant | None) -> bool:
    """Whether this decision grants a weight or carries out an order, which has to be on record."""
    raises = (
        grant is not None and result.progress is not None and grant.weight > result.progress.weight
    )
    return raises or any(a.command in KEPT and a.result == "Accepted" for a in ctx.commands)


def _same(witness: Service | Route, traffic: TrafficRecord) -> SelectColor | SetRouteWeights:
    """A write that changes nothing but the record."""
    if isinstance(witness, Service):
        return SelectColor(witness.color, traffic)
    return SetRouteWeights(witness.kind, witness.weights, traffic, direct=witness.direct)


def _incomplete(
    ctx: RolloutContext, live: TrafficRecord, action: SelectColor | SetRouteWeights
) -> bool:
    """Whether somebody took a time away that can be told anew."""
    if live.promoted_at and live.traffic_since:
        return False
    (dated,) = periods.dated(ctx, (action,))
    assert isinstance(dated, SelectColor | SetRouteWeights)
    new = dated.traffic
    return (new.promoted_at, new.traffic_since) != (live.promoted_at, live.traffic_since)


def _grant(ctx: RolloutContext, result: PhaseResult) -> Grant | None:
    """What the record has to say of the candidate after this decision; None before anything was
    granted or ordered."""
    p, old = result.progress, ctx.grant
    if p is None or result.candidate != ctx.target or result.stable != ctx.stable or result.failure:
        return None
    orders = old.orders if old else ()
    acts = (a for a in ctx.commands if a.command in KEPT and a.result == "Accepted")
    new = tuple(token for a in acts if (token := token_of(a)) not in orders)
    if p.pause is None and not p.full:
        return None
    stays = old is not None and (old.weight, old.passed) == (p.granted, p.passed)
    full = old.full if old else None
    if p.full and full is None:
        full = next((x for x in new if x.startswith("promote-full/")), None) or _by(p.by)
    return Grant(
        revision=ctx.target,
        weight=p.granted,
        origin=old.origin if old and stays else min(p.weight, p.granted),
        since=old.since if old and stays else stamp(ctx.now),
        pause=p.pause,
        analysis=p.analysis,
        passed=p.passed,
        released=None if p.released in BY_ITSELF else p.released,
        full=full,
        orders=(*orders, *new),
        strategy=p.strategy,
        steps=tuple(Step(x.weight, pause_of(x.pause)) for x in p.steps),
    )


def _by(by: str | None) -> str:
    """A promote-full that a status of before tells of."""
    return (by or "").removeprefix("command ") or "promote-full/unknown"


def ordered(ctx: RolloutContext) -> Iterable[str]:
    """Commands that can act only once the record can be written."""
    return () if ctx.traffic.record_object is None or recordable(ctx) else KEPT
