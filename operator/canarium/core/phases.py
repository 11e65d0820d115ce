"""The rollout as a table: the first row whose facts hold decides.

Everything that moves traffic or ends a revision lives here. A row is a phase, the facts that
put a model into it, and what is then done; rows only look at a `Situation` and are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.defaults import Settings, Step
from canarium.api.status import Progress, Status
from canarium.core import conditions
from canarium.core.draft import Draft
from canarium.core.health import Cause
from canarium.core.moves import (
    arrived,
    failure_of,
    judged,
    next_step,
    outcome_of,
    removed,
    replicas_of,
    said,
    shared,
    stored,
    traffic_off,
    waiting,
    word,
)
from canarium.core.observed import Observed
from canarium.core.plan import (
    Action,
    Annotate,
    CreateDeployment,
    Event,
    Plan,
    Route,
    Scale,
)
from canarium.core.situation import QUARANTINED, Situation, parse, stamp
from canarium.core.traffic import needed, safe_to_select
from canarium.core.upkeep import pruning, scaling


def plan(
    spec: Mapping[str, Any],
    settings: Settings,
    status: Status,
    observed: Observed,
    *,
    now: float,
    generation: int,
    name: str,
) -> Plan:
    """The decision for one moment. Total: any combination of facts gives a safe plan.

    `spec` is the raw object (for identity), `now` POSIX seconds.
    """
    s = Situation(name, spec, settings, status, observed, now)
    row = next(row for row in TABLE if row.when(s))
    draft = row.then(s)
    phase = draft.phase or row.phase
    actions = (*draft.actions, *scaling(s, draft), *pruning(s))
    return Plan(
        phase=phase,
        status=conditions.status_of(s, phase, draft, generation),
        actions=actions,
        events=draft.events,
        requeue_after=draft.requeue_after,
    )


# --- rows -----------------------------------------------------------------------------------


def _invalid(s: Situation) -> Draft:
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
        events=events,
        stable=s.stable,
        previous=s.previous,
        bake_since=s.status.bake_since if s.previous else None,
        reason=reason,
        requeue_after=30.0,
    )


def _first(s: Situation) -> Draft:
    """No stable yet (R3): nothing is selected until every wanted pod is ready."""
    deployment = s.observed.deployment(s.target)
    count = max(1, s.settings.base)
    actions: list[Action] = stored(s)
    if s.observed.service is None or (s.observed.service.candidate != s.target):
        actions.append(Route(None, None, s.target))
    actions += removed(s, s.strays)
    if s.quarantined:
        failure = s.status.failure
        text = failure.message if failure else "it failed"
        return Draft(
            f"the first version failed and there is none to go back to: {text}",
            tuple(actions),
            candidate=s.target,
            failure=failure,
            reason="Failed",
        )
    if deployment is None:
        if s.free_color is None:
            return Draft(
                "waiting for pods of an older version to go", tuple(actions), candidate=s.target
            )
        actions.append(CreateDeployment(s.target, s.free_color, count))
        return Draft(
            "starting the first version",
            tuple(actions),
            candidate=s.target,
            progress=Progress(waiting_since=stamp(s.now)),
            events=(Event("Normal", "Created", f"revision {s.target} is starting"),),
            requeue_after=s.settings.progress_deadline,
        )
    failed, recheck = judged(s, was_good=False)
    ready = s.observed.ready(s.target)
    if failed:
        failure = failure_of(s, failed)
        actions.append(Annotate(s.target, (("verdict", QUARANTINED), ("reason", failed.reason))))
        return Draft(
            f"the first version failed: {failed.message}",
            tuple(actions),
            candidate=s.target,
            failure=failure,
            reason=failed.reason,
            phase="Failed",
            outcome=outcome_of(s, s.target, "Failed", failed.reason),
            events=(Event("Warning", failed.reason, said(s.target, failed)),),
        )
    if ready >= count and deployment.replicas >= count:
        actions.append(Route(deployment.color, s.target, None))
        actions.append(Annotate(s.target, (("promoted-at", stamp(s.now)),)))
        return Draft(
            "serving",
            tuple(actions),
            stable=s.target,
            phase="Ready",
            outcome=outcome_of(s, s.target, "Promoted", "FirstVersion"),
            events=(Event("Normal", "Promoted", f"revision {s.target} is live"),),
        )
    if deployment.replicas < count and not s.observed.autoscaler(s.target):
        actions.append(Scale(s.target, count))
    return Draft(
        f"{ready} of {count} pods of the first version are ready",
        tuple(actions),
        candidate=s.target,
        progress=waiting(s),
        requeue_after=recheck,
    )


def _rolled_back(s: Situation) -> Draft:
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


def _rolling_out(s: Situation) -> Draft:
    """A candidate beside stable: created, gated, weighted step by step, promoted."""
    actions: list[Action] = stored(s)
    deployment = s.observed.deployment(s.target)
    base = Draft("", stable=s.stable, candidate=s.target)
    if deployment is None or s.strays or (s.previous and s.previous != s.target):
        return _entering(s, base, actions)
    good_before = s.progress.weight > 0
    failed, recheck = judged(s, was_good=good_before)
    if failed:
        return _failing(s, base, actions, failed)
    step = next_step(s)
    weight = step.weight if step else 100
    need = needed(weight, s.count)
    if s.stable_broken:
        need = max(need, needed(100, s.count))
    ready = s.observed.ready(s.target)
    if deployment.replicas < need:
        actions.append(Scale(s.target, need))
    if ready < need:
        if s.stable_broken and ready:
            actions += shared(s)
        text = (
            f"waiting for {need} pods of version {word(s, s.target)} before weight {weight}: "
            f"{ready} ready"
        )
        return replace(
            base, message=text, actions=tuple(actions), progress=waiting(s), requeue_after=recheck
        )
    if step is None:
        return _promoting(s, base, actions, deployment.color, recheck)
    return _holding(s, base, actions, step, recheck)


def _entering(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """Makes room for the candidate's Deployment: one colour selected, the other one free."""
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    if traffic_off(s, actions, candidate=s.target):
        actions += removed(s, (*s.strays, *previous))
    if s.observed.deployment(s.target):
        return replace(
            base,
            message="the versions before it are going first",
            actions=tuple(actions),
            progress=Progress(),
        )
    if s.settings.strategy == "Recreate" and (
        s.observed.pods_of(s.stable) or replicas_of(s, s.stable)
    ):
        if replicas_of(s, s.stable):
            actions.append(Scale(s.stable or "", 0))
        return replace(
            base,
            message="Recreate: stable goes down first, downtime is expected",
            actions=tuple(actions),
            progress=Progress(),
        )
    routed = s.observed.service is not None and s.observed.service.color == s.stable_color
    if s.free_color is None or not routed:
        return replace(
            base,
            message="waiting for pods of the version before to go",
            actions=tuple(actions),
            progress=Progress(),
        )
    step = next_step(s)
    actions.append(
        CreateDeployment(s.target, s.free_color, needed(step.weight if step else 100, s.count))
    )
    return replace(
        base,
        message=f"starting version {word(s, s.target)}",
        actions=tuple(actions),
        progress=Progress(waiting_since=stamp(s.now)),
        events=(Event("Normal", "CanaryStarted", f"revision {s.target} is starting"),),
        requeue_after=s.settings.progress_deadline,
    )


def _failing(s: Situation, base: Draft, actions: list[Action], cause: Cause) -> Draft:
    """The candidate has failed: traffic first, in the same write as the latch (R8, R9)."""
    failure = failure_of(s, cause)
    if not safe_to_select(s.stable_color, s.observed):
        text = f"version {word(s, s.target)} failed ({cause.message}) but stable has no ready pod"
        return replace(
            base,
            message=text,
            actions=tuple(actions),
            progress=s.progress,
            reason="RollbackHeld",
            requeue_after=1.0,
        )
    actions.append(Route(s.stable_color, s.stable, None, quarantined=s.target))
    actions.append(Annotate(s.target, (("verdict", QUARANTINED), ("reason", cause.reason))))
    return replace(
        base,
        candidate=None,
        phase="RollingBack",
        message=f"version {word(s, s.target)} was rolled back: {cause.message}",
        actions=tuple(actions),
        failure=failure,
        reason=cause.reason,
        outcome=outcome_of(s, s.target, "RolledBack", cause.reason),
        events=(Event("Warning", "RolledBack", said(s.target, cause)),),
    )


def _holding(
    s: Situation, base: Draft, actions: list[Action], step: Step, recheck: float | None
) -> Draft:
    """At a step's weight, or about to be."""
    index = s.settings.steps.index(step) if s.progress.weight != step.weight else s.progress.step
    index = max(index, s.progress.step)
    if not s.observed.served_by(s.target):
        actions += shared(s)
        return replace(
            base,
            message=f"shifting traffic to weight {step.weight}",
            actions=tuple(actions),
            progress=arrived(s, index, s.progress.weight),
        )
    progress = arrived(s, index, step.weight)
    events: tuple[Event, ...] = ()
    if progress.step_since is None:
        progress = progress.model_copy(update={"step_since": stamp(s.now)})
        events = (
            Event("Normal", "TrafficShifted", f"revision {s.target} is at weight {step.weight}"),
        )
    since = parse(progress.step_since or stamp(s.now))
    if step.pause is None:
        return replace(
            base,
            message=f"weight {step.weight}: waits for the promote command",
            actions=tuple(actions),
            progress=progress,
            events=events,
            requeue_after=recheck,
        )
    left = since + step.pause - s.now
    if left > 0 or s.settings.paused:
        held = "paused by spec.paused" if s.settings.paused else f"holds for {step.pause:g}s"
        wait = min(x for x in (left if left > 0 else 3600.0, recheck) if x is not None)
        return replace(
            base,
            message=f"weight {step.weight} {held}",
            actions=tuple(actions),
            progress=progress,
            events=events,
            requeue_after=wait,
        )
    onward = progress.model_copy(update={"step": index + 1, "step_since": None})
    return replace(
        base,
        message=f"weight {step.weight} is done",
        actions=tuple(actions),
        progress=onward,
        events=events,
        requeue_after=0.0,
    )


def _promoting(
    s: Situation, base: Draft, actions: list[Action], color: str, recheck: float | None
) -> Draft:
    """Every weight is done and all pods are ready: one write makes the candidate stable (R14)."""
    if s.settings.paused:
        return replace(
            base,
            message="paused by spec.paused before promotion",
            actions=tuple(actions),
            progress=s.progress,
            requeue_after=recheck,
        )
    actions.append(Route(color, s.target, None))
    actions.append(Annotate(s.target, (("promoted-at", stamp(s.now)),)))
    keep = s.settings.bake_time > 0 and s.settings.strategy != "Recreate"
    return replace(
        base,
        message="serving",
        phase="Baking" if keep else "Ready",
        actions=tuple(actions),
        stable=s.target,
        candidate=None,
        previous=s.stable if keep else None,
        bake_since=stamp(s.now) if keep else None,
        outcome=outcome_of(s, s.target, "Promoted", "StepsDone"),
        events=(Event("Normal", "Promoted", f"revision {s.target} is live"),),
        requeue_after=s.settings.bake_time if keep else 0.0,
    )


def _baking(s: Situation) -> Draft:
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
            message=f"serving; the version before stays warm for {s.settings.bake_time:g}s",
            requeue_after=min(wait, default=None),
        )
    actions: list[Action] = []
    if traffic_off(s, actions):
        actions += removed(s, (s.previous or "",))
    return replace(base, message="serving", actions=tuple(actions), previous=None, bake_since=None)


def _steady(s: Situation) -> Draft:
    """The version in spec serves; whatever else still runs goes (R11)."""
    actions: list[Action] = []
    if s.observed.deployment(s.stable) is None:
        return Draft("bringing the serving version back", stable=s.stable)
    if traffic_off(s, actions):
        actions += removed(s, s.strays)
    ready = s.observed.ready(s.stable)
    text = "serving" if ready >= s.count else f"{ready} of {s.count} pods are ready"
    withdrawn = s.status.candidate
    return Draft(
        text,
        tuple(actions),
        stable=s.stable,
        outcome=outcome_of(s, withdrawn.revision, "Withdrawn", "SpecReturned")
        if withdrawn and withdrawn.revision != s.stable
        else None,
    )


@dataclass(frozen=True)
class Row:
    """A phase, the facts that put a model into it, what is then done, and that in words."""

    phase: str
    facts: str
    when: Callable[[Situation], bool]
    then: Callable[[Situation], Draft]


def _is_invalid(s: Situation) -> bool:
    name = (s.spec.get("runtime") or {}).get("name")
    fresh = s.minted is not None
    return bool(
        s.observed.foreign
        or s.observed.rejection
        or (fresh and name and name not in s.observed.known_runtimes)
    )


TABLE: tuple[Row, ...] = (
    Row("Invalid", "the API server or a lookup refuses the spec", _is_invalid, _invalid),
    Row(
        "Failed",
        "no stable, and the wanted revision has failed",
        lambda s: s.stable is None and s.quarantined,
        _first,
    ),
    Row("Starting", "no stable yet", lambda s: s.stable is None, _first),
    Row(
        "RollingBack",
        "the wanted revision has failed, and some of it still runs",
        lambda s: (
            s.target != s.stable and s.quarantined and s.observed.deployment(s.target) is not None
        ),
        _rolled_back,
    ),
    Row(
        "RolledBack",
        "the wanted revision has failed",
        lambda s: s.target != s.stable and s.quarantined,
        _rolled_back,
    ),
    Row(
        "Progressing",
        "the spec asks for another revision than stable",
        lambda s: s.target != s.stable,
        _rolling_out,
    ),
    Row(
        "Baking",
        "stable is wanted, and the revision before is still warm",
        lambda s: s.previous is not None,
        _baking,
    ),
    Row("Ready", "stable is what the spec asks for", lambda s: True, _steady),
)
