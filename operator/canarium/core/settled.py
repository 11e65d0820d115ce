"""Phases in which no candidate moves: serving, baking, rolled back, invalid."""

from __future__ import annotations

from dataclasses import replace

from canarium.core.draft import (
    Draft,
)
from canarium.core.moves import (
    failure_of,
    gating,
    judged,
    outcome_of,
    removed,
    said,
    serving,
    traffic_off,
    word,
)
from canarium.core.plan import (
    Action,
    Annotate,
    Event,
    Route,
)
from canarium.core.situation import (
    QUARANTINED,
    Situation,
    parse,
    stamp,
)


def invalid(s: Situation) -> Draft:
    """The spec cannot be carried out: say why; stable serves on, alone (R10, R21, R24).

    A candidate of the spec before is not wanted any more and would go on unjudged.
    """
    actions: list[Action] = []
    if s.strays and traffic_off(s, actions):
        actions += removed(s, s.strays)
    name = (s.spec.get("runtime") or {}).get("name")
    rejection = s.observed.rejection
    if s.observed.foreign:
        reason, text = (
            "NameConflict",
            (f"{', '.join(s.observed.foreign)} exists and is not ours: rename or remove it"),
        )
    elif name and name not in s.observed.known_runtimes:
        known = ", ".join(sorted(s.observed.known_runtimes))
        reason, text = "UnknownRuntime", f"spec.runtime.name: no runtime {name!r}; known: {known}"
    else:
        assert rejection is not None
        reason = "NameConflict" if rejection.conflict else "InvalidSpec"
        text = f"{rejection.what}: {rejection.message}"
    events: tuple[Event, ...] = ()
    if s.status.message != text:
        events = (Event("Warning", reason, text),)
    return Draft(
        text,
        tuple(actions),
        events=events,
        stable=s.stable,
        previous=s.previous,
        bake_since=s.status.bake_since if s.previous else None,
        reason=reason,
        requeue_after=30.0,
    )


def rolled_back(s: Situation) -> Draft:
    """The wanted revision is quarantined: all on stable, the failed pods go (R8, R9)."""
    actions: list[Action] = []
    gone = traffic_off(s, actions)
    others = [r for r in (s.target, *s.strays) if s.observed.deployment(r)]
    if gone:
        actions += removed(s, others)
    failure = s.status.failure
    why = failure.message if failure else "it failed"
    record = s.observed.record(s.target)
    if record and record.verdict != QUARANTINED:
        actions.append(Annotate(s.target, (("verdict", QUARANTINED),)))
    text = f"version {word(s, s.target)} was rolled back: {why}"
    busy = bool(others) or not gone or bool(s.observed.pods_of(s.target))
    if s.settings.strategy == "Recreate" and busy:
        text = f"{text}; waiting for its pods to go before stable comes back"
    return Draft(
        text,
        tuple(actions),
        stable=s.stable,
        failure=failure,
        reason=failure.reason if failure else "RolledBack",
        events=()
        if s.status.phase in ("RollingBack", "RolledBack")
        else (Event("Warning", "RolledBack", text),),
    )


def baking(s: Situation) -> Draft:
    """Promoted, and the old version still warm (R15)."""
    previous = s.observed.deployment(s.previous)
    assert previous is not None
    base = Draft("", stable=s.stable, previous=s.previous, bake_since=s.status.bake_since)
    failed, recheck = judged(s, was_good=True)
    if failed and s.observed.ready(s.previous):
        return replace(
            base,
            message=f"promotion of {word(s, s.target)} was undone: {failed.message}",
            actions=(
                Route(previous.color, s.previous, None, quarantined=s.target),
                Annotate(s.target, (("verdict", QUARANTINED), ("reason", failed.reason))),
            ),
            phase="RollingBack",
            stable=s.previous,
            previous=None,
            bake_since=None,
            failure=failure_of(s, failed),
            reason=failed.reason,
            outcome=outcome_of(s, s.target, "Undone", failed.reason),
            events=(Event("Warning", "RolledBack", said(s.target, failed)),),
        )
    left = parse(s.status.bake_since or stamp(s.now)) + s.settings.bake_time - s.now
    if left > 0 or s.settings.paused:
        wait = [x for x in (left if left > 0 else None, recheck) if x is not None]
        return replace(
            base,
            message=serving(s, bakes=True),
            requeue_after=min(wait, default=None),
        )
    actions: list[Action] = []
    if traffic_off(s, actions):
        actions += removed(s, (s.previous or "",))
    return replace(
        base,
        message=serving(s, bakes=False),
        actions=tuple(actions),
        previous=None,
        bake_since=None,
        phase="Ready",
    )


def steady(s: Situation) -> Draft:
    """The version in spec serves; whatever else still runs goes (R11)."""
    actions: list[Action] = []
    if s.observed.deployment(s.stable) is None:
        return Draft("bringing the serving version back", stable=s.stable)
    if traffic_off(s, actions):
        actions += removed(s, s.strays)
    ready = s.observed.ready(s.stable)
    candidate = s.status.candidate
    base = Draft(serving(s, bakes=False), tuple(actions), stable=s.stable)
    if ready < s.count:
        base = replace(base, message=f"{ready} of {s.count} pods are ready")
    if candidate is None:
        return base
    if candidate.revision != s.stable:
        withdrawn = outcome_of(s, candidate.revision, "Withdrawn", "SpecReturned")
        return replace(base, outcome=withdrawn)
    if ready >= s.count and s.status.stable is None and not s.observed.served_by(s.stable):
        return replace(
            base,
            message=gating(s.count),
            stable=None,
            candidate=s.stable,
            progress=s.status.progress,
            phase="Starting",
        )
    why = "FirstVersion" if s.status.stable is None else "StepsDone"
    return replace(
        base,
        outcome=outcome_of(s, candidate.revision, "Promoted", why),
        events=(Event("Normal", "Promoted", f"revision {s.stable} is live"),),
    )
