"""Keeps the traffic record in step with the decision: in the writes that move traffic, and by a
write of its own where a command, an edit of the steps or somebody's hand makes it differ (R18).

A write of its own comes first in a decision, so that whatever follows from it finds it on record,
also when the operator dies in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.core.bookkeeping import periods
from canarium.core.context.context import Situation
from canarium.core.context.position import BY_ITSELF, token_of
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Route, Weigh
from canarium.core.facts.gateways import Route as LiveRoute
from canarium.core.facts.grant import Grant, pause_of
from canarium.core.facts.observed import Service
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.routing.preflight import wanting, writable
from canarium.core.times import stamp

#: Commands whose effect only the record keeps when the status is lost.
KEPT = ("promote", "promote-full")


def recordable(s: Situation) -> bool:
    """Whether the record can be written without a change of traffic."""
    witness = s.witness
    if isinstance(witness, Service):
        return witness.color is not None and not s.observed.refused(f"Service {s.name}")
    if witness is None or s.route_kind != witness.kind:
        return False
    return writable(s, witness.kind) and wanting(s, witness.kind) is None


def recorded(s: Situation, result: PhaseResult, moves: tuple[Action, ...]) -> tuple[Action, ...]:
    """`moves` with the record of what they do, after a write of the record alone where it differs
    and none of them writes it."""
    if s.stable is None or s.witness is None:
        return periods.dated(s, moves)
    grant = _grant(s, result)
    if grant:
        moves = tuple(_with(s, action, grant) for action in moves)
    kind = Weigh if s.route_kind else Route
    known = any(isinstance(action, kind) for action in moves)
    if known or result.stable != s.stable or not recordable(s):
        return periods.dated(s, moves)
    return periods.dated(s, (*_own(s, result, grant), *moves))


def _with(s: Situation, action: Action, grant: Grant) -> Action:
    """A write that moves traffic, with the grant where it is about this candidate."""
    if not isinstance(action, Weigh if s.route_kind else Route):
        return action
    if action.traffic.stable != s.stable or action.traffic.candidate not in (None, s.target):
        return action
    return replace(action, traffic=replace(action.traffic, candidate=s.target, grant=grant))


def _own(s: Situation, result: PhaseResult, grant: Grant | None) -> tuple[Action, ...]:
    """A write of the record alone; none when it tells all that it has to."""
    assert s.witness is not None
    live = s.witness.traffic
    failed = result.failure is not None and s.quarantined and s.target != s.stable
    wanted = replace(
        live,
        stable=s.stable,
        candidate=s.target if grant else live.candidate,
        grant=grant,
        previous=s.previous if result.previous else live.previous,
        quarantined=live.quarantined or (s.target if failed else None),
    )
    if live.stable == s.stable and _is_of_older_operator(live) and not _acts(s, result, grant):
        return ()
    action = _same(s.witness, wanted)
    return (action,) if wanted != live or _incomplete(s, live, action) else ()


def _is_of_older_operator(live: TrafficRecord) -> bool:
    """Whether an operator wrote the record that knew none of these fields: an upgrade writes to no
    model's objects, and the next write that moves traffic adds them."""
    return not (live.promoted_at or live.traffic_since or live.images or live.grant)


def _acts(s: Situation, result: PhaseResult, grant: Grant | None) -> bool:
    """Whether this decision grants a weight or carries out an order, which has to be on record."""
    raises = (
        grant is not None and result.progress is not None and grant.weight > result.progress.weight
    )
    return raises or any(a.command in KEPT and a.result == "Done" for a in s.answers)


def _same(witness: Service | LiveRoute, traffic: TrafficRecord) -> Route | Weigh:
    """A write that changes nothing but the record."""
    if isinstance(witness, Service):
        return Route(witness.color, traffic)
    return Weigh(witness.kind, witness.weights, traffic, direct=witness.direct)


def _incomplete(s: Situation, live: TrafficRecord, action: Route | Weigh) -> bool:
    """Whether somebody took a time away that can be told anew."""
    if live.promoted_at and live.traffic_since:
        return False
    (dated,) = periods.dated(s, (action,))
    assert isinstance(dated, Route | Weigh)
    new = dated.traffic
    return (new.promoted_at, new.traffic_since) != (live.promoted_at, live.traffic_since)


def _grant(s: Situation, result: PhaseResult) -> Grant | None:
    """What the record has to say of the candidate after this decision; None before anything was
    granted or ordered."""
    p, old = result.progress, s.grant
    if p is None or result.candidate != s.target or result.stable != s.stable or result.failure:
        return None
    orders = old.orders if old else ()
    acts = (a for a in s.answers if a.command in KEPT and a.result == "Done")
    new = tuple(token for a in acts if (token := token_of(a)) not in orders)
    if p.pause is None and not p.full:
        return None
    stays = old is not None and (old.weight, old.passed) == (p.granted, p.passed)
    full = old.full if old else None
    if p.full and full is None:
        full = next((x for x in new if x.startswith("promote-full/")), None) or _by(p.by)
    return Grant(
        revision=s.target,
        weight=p.granted,
        origin=old.origin if old and stays else min(p.weight, p.granted),
        since=old.since if old and stays else stamp(s.now),
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


def ordered(s: Situation) -> Iterable[str]:
    """Commands that can act only once the record can be written."""
    return () if s.witness is None or recordable(s) else KEPT
