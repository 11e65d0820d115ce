"""What a decision notes of who has traffic, in writes that are made anyway.

Whoever has traffic now is noted on the witness, in the write that gave it (R18). What is over, and
whom a new revision would follow, is noted on a record: by the write that stores the next revision,
or that notes a verdict (decision 0010).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from canarium.core.bookkeeping import images as recorded_images
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import (
    Action,
    CreateDeployment,
    SelectColor,
    SetRouteWeights,
    StoreRevision,
)
from canarium.core.facts import images
from canarium.core.facts.periods import Period, key, newest, now, periods, plain, read
from canarium.core.times import stamp

#: How many a record tells of, which only versions that change places all day would pass.
KEPT = 256


def dated(ctx: RolloutContext, actions: Iterable[Action]) -> tuple[Action, ...]:
    """`actions`, where each write that moves traffic tells since when, and one that stores a
    revision tells of all before it."""
    whole = tuple(actions)
    text = None
    if any(isinstance(a, StoreRevision) for a in whole):
        text = _text(ctx, _all(ctx, whole))
    return tuple(
        _moved(ctx, a)
        if isinstance(a, SelectColor | SetRouteWeights)
        else replace(a, served=text)
        if isinstance(a, StoreRevision)
        else a
        for a in whole
    )


def due(ctx: RolloutContext, actions: Iterable[Action]) -> tuple[str, str] | None:
    """The record to tell, and what: when something is over, or is about to be followed by a
    revision that was stored before. None when a new one is stored, which is told it all."""
    whole = tuple(actions)
    if any(isinstance(a, StoreRevision) for a in whole):
        return None
    over = _over(ctx, whole)
    # Once, as it sets out: a rollout that an older operator began is left as it is.
    begins = any(isinstance(a, CreateDeployment) and a.revision == ctx.target for a in whole)
    returning = begins and ctx.target != ctx.stable and not ctx.quarantined
    if over is None and not returning:
        return None
    noted = {key(x): x for x in sorted(_noted(ctx), key=lambda x: x.ended or "")}
    known = _all(ctx, whole)
    followed = any(x.revision == ctx.stable and key(x) not in noted and not x.ended for x in known)
    ended = over is not None and (key(over) not in noted or not noted[key(over)].ended)
    if not ended and not (returning and followed):
        return None
    record = ctx.observed.record(ctx.target) or ctx.observed.record(over.revision if over else None)
    text = _text(ctx, known)
    return (record.revision, text) if record and text and text != record.served else None


def _all(ctx: RolloutContext, actions: tuple[Action, ...] = ()) -> tuple[Period, ...]:
    over = _over(ctx, actions)
    return _known(ctx, *((over,) if over else ()))


def _known(ctx: RolloutContext, *more: Period) -> tuple[Period, ...]:
    told = ((o.revision, o.outcome, o.time) for o in ctx.status.history)
    return periods((*_noted(ctx), *_now(ctx), *more), told)


def _noted(ctx: RolloutContext) -> list[Period]:
    return [period for record in ctx.observed.records for period in read(record.served)]


def _now(ctx: RolloutContext) -> tuple[Period, ...]:
    witness = ctx.traffic.record_object
    if witness is None:
        return ()
    told = now(witness.traffic)
    run = {
        x.revision: images.merged((x.images, recorded_images.running(ctx, x.revision)))
        for x in told
    }
    return tuple(replace(x, images=run[x.revision]) for x in told)


def _over(ctx: RolloutContext, actions: tuple[Action, ...]) -> Period | None:
    """The newest to have had traffic, once it is given none any more."""
    witness = ctx.traffic.record_object
    name, began = newest(witness.traffic.traffic_since if witness else None)
    if witness is None or not name or ctx.observed.record(name) is None:
        return None
    telling = SetRouteWeights if ctx.route_kind else SelectColor
    moved = [a for a in actions if isinstance(a, telling)]
    last = moved[-1] if moved else witness
    if name in (last.traffic.stable, last.traffic.candidate):
        return None
    mine = [x for x in _known(ctx) if x.revision == name and (x.ended or began) >= began]
    one = mine[-1] if mine else Period(name, began, images=images.of(name, witness.traffic.images))
    return replace(one, began=min(one.began, began), ended=one.ended or stamp(ctx.now))


def _moved(
    ctx: RolloutContext, action: SelectColor | SetRouteWeights
) -> SelectColor | SetRouteWeights:
    traffic = action.traffic
    if traffic.stable is None:
        return action
    old, at = ctx.traffic.record.traffic_since, stamp(ctx.now)
    mine = [x for x in _known(ctx) if x.revision == traffic.stable and x.promoted and not x.ended]
    stays = traffic.stable == ctx.stable
    since = mine[-1].promoted if stays and mine else traffic.promoted_at
    if isinstance(action, SelectColor):
        answers = action.color == ""
    else:
        answers = action.direct or dict(action.weights).get(traffic.candidate or "", 0) > 0
    last = traffic.candidate if answers else None
    if last is None and not stays and traffic.stable == ctx.target:
        last = traffic.stable
    named = last is not None and last == newest(old)[0]
    dated = replace(
        traffic,
        promoted_at=since if stays else since or at,
        traffic_since=(old or _first(traffic.stable, since))
        if last is None or named
        else f"{last}/{at}",
        images=recorded_images.by_revision(ctx, (traffic.stable, traffic.candidate)),
    )
    return replace(action, traffic=dated)


def _first(stable: str, since: str | None) -> str | None:
    """Since when stable has had traffic at the latest, where the note of it is gone."""
    return f"{stable}/{since}" if since else None


def _text(ctx: RolloutContext, all_of_them: Iterable[Period]) -> str | None:
    known = [x for x in all_of_them if ctx.observed.record(x.revision)]
    told = [{"revision": x.revision, **plain(x)} for x in known[-KEPT:]]
    return json.dumps(told) if told else None
