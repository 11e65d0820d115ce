"""From when to when each revision had traffic, kept where no status is needed to know it.

Whoever has traffic now is noted on the witness, in the write that gave it (R18). What is over, and
whom a new revision would follow, is noted on a record in a write that is made anyway: the one that
stores the next revision, or that notes a verdict. So every record tells of those before it too, and
`periods` reads them all (decision 0021).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from canarium.core import images
from canarium.core.images import Images
from canarium.core.moments import parse, stamp
from canarium.core.plan import Action, CreateDeployment, Route, StoreRevision, Weigh

if TYPE_CHECKING:
    from canarium.core.situation import Situation

#: How many a record tells of, which only versions that change places all day would pass.
KEPT = 256


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which `revision` had traffic, `promoted` being when it got all of it. Times are as
    we write them."""

    revision: str
    began: str
    promoted: str | None = None
    ended: str | None = None
    #: What its pods ran.
    images: Images = field(default_factory=dict)


#: What the status' history tells of: revision, outcome, and when.
Told = tuple[str, str, str]


def read(text: str | None) -> tuple[Period, ...]:
    """What a record tells; what somebody else wrote there is passed over."""
    try:
        told = list(json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()
    return tuple(found for one in told if (found := _period(one)))


def _period(told: Any) -> Period | None:
    if not isinstance(told, dict):
        return None
    began, promoted, ended = (told.get(key) for key in ("from", "promoted", "until"))
    good = _is_time(began) and all(x is None or _is_time(x) for x in (promoted, ended))
    if not good or not isinstance(told.get("revision"), str):
        return None
    return Period(told["revision"], str(began), promoted, ended, images.given(told.get("images")))


def _is_time(text: Any) -> bool:
    try:
        return bool(parse(text))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def newest(given: str | None) -> tuple[str, str]:
    """Who was given traffic last, and since when; empty when that is told nowhere."""
    name, _, at = (given or "").partition("/")
    return (name, at) if name and _is_time(at) else ("", "")


def plain(period: Period) -> dict[str, Any]:
    """A period as people read it."""
    found = {
        "from": period.began,
        "promoted": period.promoted,
        "until": period.ended,
        "images": images.plain(period.images),
    }
    return {key: value for key, value in found.items() if value}


def now(
    stable: str | None,
    since: str | None,
    candidate: str | None,
    given: str | None,
    run: str | None = None,
) -> tuple[Period, ...]:
    """What the witness tells: `since` when `stable` was promoted, by `given` (as `revision/time`)
    since when the newest of the two has had traffic, and what their pods `run`."""
    name, at = newest(given)
    found = []
    if stable and since:
        began = min(at, since) if name == stable else since
        found.append(Period(stable, began, since, images=images.of(stable, run)))
    if candidate and candidate == name:
        found.append(Period(candidate, at, images=images.of(candidate, run)))
    return tuple(found)


def periods(noted: Iterable[Period], history: Iterable[Told]) -> tuple[Period, ...]:
    """All that is known, the oldest first. Of what is `noted` twice, the end goes before what had
    none yet; `history` (newest first) fills gaps, such as what was before there were notes."""
    found: dict[tuple[str, str], Period] = {}
    for one in noted:
        old = found.get(_key(one), one)
        found[_key(one)] = replace(
            one,
            began=min(one.began, old.began),
            ended=old.ended or one.ended,
            images=images.merged((old.images, one.images)),
        )
    known = _followed(list(found.values()))
    gaps = [x for x in _told(list(history)) if not any(_overlap(x, y) for y in known)]
    return tuple(sorted(_followed([*known, *gaps]), key=lambda x: x.began))


def _key(period: Period) -> tuple[str, str]:
    return period.revision, period.promoted or period.began


def _followed(known: list[Period]) -> list[Period]:
    """Who was promoted and has no end yet had one when the next was promoted."""
    turns = sorted((x.promoted, x.revision) for x in known if x.promoted)

    def end(one: Period) -> str | None:
        if one.ended or not one.promoted:
            return one.ended
        after = (at for at, name in turns if name != one.revision and at > one.promoted)
        return next(after, None)

    return [replace(one, ended=end(one)) for one in known]


def _told(history: list[Told]) -> list[Period]:
    found: list[Period] = []
    stable: list[str] = []
    for revision, outcome, at in reversed(history):
        before = stable[-1] if stable else None
        if outcome == "Promoted" and before != revision:
            stable.append(revision)
        elif outcome == "Undone" and before == revision:
            stable.pop()
        after = stable[-1] if stable else None
        if before != after:
            found = [replace(x, ended=x.ended or at) if x.revision == before else x for x in found]
            found += [Period(after, at, at)] if after else []
    return found


def _overlap(one: Period, other: Period) -> bool:
    def before(a: Period, b: Period) -> bool:
        return a.ended is not None and a.ended <= b.began

    same = one.revision == other.revision
    return same and not before(one, other) and not before(other, one)


# --- what a decision makes of it ------------------------------------------------------------


def dated(s: Situation, actions: Iterable[Action]) -> tuple[Action, ...]:
    """`actions`, where each write that moves traffic tells since when, and one that stores a
    revision tells of all before it."""
    whole = tuple(actions)
    text = None
    if any(isinstance(a, StoreRevision) for a in whole):
        text = _text(s, _all(s, whole))
    return tuple(
        _moved(s, a)
        if isinstance(a, Route | Weigh)
        else replace(a, served=text)
        if isinstance(a, StoreRevision)
        else a
        for a in whole
    )


def due(s: Situation, actions: Iterable[Action]) -> tuple[str, str] | None:
    """The record to tell, and what: when something is over, or is about to be followed by a
    revision that was stored before. None when a new one is stored, which is told it all."""
    whole = tuple(actions)
    if any(isinstance(a, StoreRevision) for a in whole):
        return None
    over = _over(s, whole)
    # Once, as it sets out: a rollout that an older operator began is left as it is.
    begins = any(isinstance(a, CreateDeployment) and a.revision == s.target for a in whole)
    returning = begins and s.target != s.stable and not s.quarantined
    if over is None and not returning:
        return None
    noted = {_key(x): x for x in sorted(_noted(s), key=lambda x: x.ended or "")}
    known = _all(s, whole)
    followed = any(x.revision == s.stable and _key(x) not in noted and not x.ended for x in known)
    ended = over is not None and (_key(over) not in noted or not noted[_key(over)].ended)
    if not ended and not (returning and followed):
        return None
    record = s.observed.record(s.target) or s.observed.record(over.revision if over else None)
    text = _text(s, known)
    return (record.revision, text) if record and text and text != record.served else None


def _all(s: Situation, actions: tuple[Action, ...] = ()) -> tuple[Period, ...]:
    over = _over(s, actions)
    return _known(s, *((over,) if over else ()))


def _known(s: Situation, *more: Period) -> tuple[Period, ...]:
    told = ((o.revision, o.outcome, o.at) for o in s.status.history)
    return periods((*_noted(s), *_now(s), *more), told)


def _noted(s: Situation) -> list[Period]:
    return [period for record in s.observed.records for period in read(record.served)]


def _now(s: Situation) -> tuple[Period, ...]:
    witness = s.witness
    if witness is None:
        return ()
    since = stamp(witness.since) if witness.since is not None else None
    told = now(witness.stable, since, witness.candidate, witness.given, witness.images)
    run = {x.revision: images.merged((x.images, images.running(s, x.revision))) for x in told}
    return tuple(replace(x, images=run[x.revision]) for x in told)


def _over(s: Situation, actions: tuple[Action, ...]) -> Period | None:
    """The newest to have had traffic, once it is given none any more."""
    witness = s.witness
    name, began = newest(witness.given if witness else None)
    if witness is None or not name or s.observed.record(name) is None:
        return None
    telling = Weigh if s.route_kind else Route
    moved = [a for a in actions if isinstance(a, telling)]
    last = moved[-1] if moved else witness
    if name in (last.stable, last.candidate):
        return None
    mine = [x for x in _known(s) if x.revision == name and (x.ended or began) >= began]
    one = mine[-1] if mine else Period(name, began, images=images.of(name, witness.images))
    return replace(one, began=min(one.began, began), ended=one.ended or stamp(s.now))


def _moved(s: Situation, action: Route | Weigh) -> Route | Weigh:
    if action.stable is None:
        return action
    old, at = s.witness.given if s.witness else None, stamp(s.now)
    mine = [x for x in _known(s) if x.revision == action.stable and x.promoted and not x.ended]
    stays = action.stable == s.stable
    since = mine[-1].promoted if stays and mine else action.since
    if isinstance(action, Route):
        answers = action.color == ""
    else:
        answers = action.direct or dict(action.weights).get(action.candidate or "", 0) > 0
    last = action.candidate if answers else None
    if last is None and not stays and action.stable == s.target:
        last = action.stable
    named = last is not None and last == newest(old)[0]
    return replace(
        action,
        since=since if stays else since or at,
        given=old if last is None or named else f"{last}/{at}",
        images=images.named(s, (action.stable, action.candidate)),
    )


def _text(s: Situation, all_of_them: Iterable[Period]) -> str | None:
    known = [x for x in all_of_them if s.observed.record(x.revision)]
    told = [{"revision": x.revision, **plain(x)} for x in known[-KEPT:]]
    return json.dumps(told) if told else None
