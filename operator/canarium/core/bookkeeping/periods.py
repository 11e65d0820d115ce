"""Records which revision had traffic when, in writes that are necessary anyway.

The current period is part of the traffic record and changes in the write that moves traffic (R18).
Ended periods, and that of the stable revision before a new one, are stored on a ControllerRevision:
by the write that stores the next revision, or by the one that records a verdict (decision 0010).
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
from canarium.core.facts.periods import (
    STORED_PERIODS,
    Period,
    all_periods,
    current_periods,
    key,
    last_to_receive,
    period_to_json,
)
from canarium.core.times import stamp


def dated(ctx: RolloutContext, actions: Iterable[Action]) -> tuple[Action, ...]:
    """Returns `actions` with times: writes that move traffic get the start of the period, and one
    that stores a revision gets all earlier periods."""
    whole = tuple(actions)
    text = None
    if any(isinstance(a, StoreRevision) for a in whole):
        text = _to_json(ctx, _all(ctx, whole))
    return tuple(
        _dated_write(ctx, a)
        if isinstance(a, SelectColor | SetRouteWeights)
        else replace(a, served=text)
        if isinstance(a, StoreRevision)
        else a
        for a in whole
    )


def due(ctx: RolloutContext, actions: Iterable[Action]) -> tuple[str, str] | None:
    """Returns the revision whose record to annotate and the periods to store there (JSON).

    They are due when a period ends, or when a revision that was stored earlier starts again. None
    when nothing is due, or a new revision is stored: its record contains all periods.
    """
    whole = tuple(actions)
    if any(isinstance(a, StoreRevision) for a in whole):
        return None
    ended = _ended(ctx, whole)
    # Once, when it starts.
    starts = any(isinstance(a, CreateDeployment) and a.revision == ctx.target for a in whole)
    returning = starts and ctx.target != ctx.stable and not ctx.quarantined
    if ended is None and not returning:
        return None
    stored = {key(x): x for x in sorted(ctx.recorded_periods, key=lambda x: x.ended or "")}
    periods = _all(ctx, whole)
    followed = any(
        x.revision == ctx.stable and key(x) not in stored and not x.ended for x in periods
    )
    end_is_new = ended is not None and (key(ended) not in stored or not stored[key(ended)].ended)
    if not end_is_new and not (returning and followed):
        return None
    last = ctx.observed.record(ended.revision if ended else None)
    record = ctx.observed.record(ctx.target) or last
    text = _to_json(ctx, periods)
    return (record.revision, text) if record and text and text != record.served else None


def _all(ctx: RolloutContext, actions: tuple[Action, ...] = ()) -> tuple[Period, ...]:
    ended = _ended(ctx, actions)
    return _periods_with(ctx, *((ended,) if ended else ()))


def _periods_with(ctx: RolloutContext, *more: Period) -> tuple[Period, ...]:
    history = ((o.revision, o.outcome, o.time) for o in ctx.status.history)
    return all_periods((*ctx.recorded_periods, *_current(ctx), *more), history)


def _current(ctx: RolloutContext) -> tuple[Period, ...]:
    """Returns the current periods, with the images that pods run now."""
    holder = ctx.traffic.record_object
    if holder is None:
        return ()
    current = current_periods(holder.traffic)
    run = {
        x.revision: images.merged((x.images, recorded_images.running(ctx, x.revision)))
        for x in current
    }
    return tuple(replace(x, images=run[x.revision]) for x in current)


def _ended(ctx: RolloutContext, actions: tuple[Action, ...]) -> Period | None:
    """Returns the period of the last revision to receive traffic, if `actions` end it."""
    holder = ctx.traffic.record_object
    name, began = last_to_receive(holder.traffic.traffic_since if holder else None)
    if holder is None or not name or ctx.observed.record(name) is None:
        return None
    kind = SetRouteWeights if ctx.route_kind else SelectColor
    moves = [a for a in actions if isinstance(a, kind)]
    last = moves[-1] if moves else holder
    if name in (last.traffic.stable, last.traffic.candidate):
        return None
    own_periods = [
        x for x in _periods_with(ctx) if x.revision == name and (x.ended or began) >= began
    ]
    run = images.parse_images_of(name, holder.traffic.images)
    period = own_periods[-1] if own_periods else Period(name, began, images=run)
    return replace(period, began=min(period.began, began), ended=period.ended or stamp(ctx.now))


def _dated_write(
    ctx: RolloutContext, action: SelectColor | SetRouteWeights
) -> SelectColor | SetRouteWeights:
    """Returns a write that moves traffic with the times and images of its traffic record."""
    traffic = action.traffic
    if traffic.stable is None:
        return action
    old, at = ctx.traffic.record.traffic_since, stamp(ctx.now)
    open_periods = [
        x for x in _periods_with(ctx) if x.revision == traffic.stable and x.promoted and not x.ended
    ]
    stays = traffic.stable == ctx.stable
    since = open_periods[-1].promoted if stays and open_periods else traffic.promoted_at
    if isinstance(action, SelectColor):
        exposed = action.color == ""
    else:
        exposed = action.direct or dict(action.weights).get(traffic.candidate or "", 0) > 0
    last = traffic.candidate if exposed else None
    if last is None and not stays and traffic.stable == ctx.target:
        last = traffic.stable
    unchanged = last is not None and last == last_to_receive(old)[0]
    dated = replace(
        traffic,
        promoted_at=since if stays else since or at,
        traffic_since=(old or _since_promotion(traffic.stable, since))
        if last is None or unchanged
        else f"{last}/{at}",
        images=recorded_images.by_revision(ctx, (traffic.stable, traffic.candidate)),
    )
    return replace(action, traffic=dated)


def _since_promotion(stable: str, since: str | None) -> str | None:
    """Returns `traffic_since` for a record that lost it: stable's promotion, the latest possible
    start of its period."""
    return f"{stable}/{since}" if since else None


def _to_json(ctx: RolloutContext, periods: Iterable[Period]) -> str | None:
    with_record = [x for x in periods if ctx.observed.record(x.revision)]
    entries = [{"revision": x.revision, **period_to_json(x)} for x in with_record[-STORED_PERIODS:]]
    return json.dumps(entries) if entries else None
