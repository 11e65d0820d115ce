"""The rollout as a table: the first row whose facts hold decides.

Everything that moves traffic or ends a revision lives here. A row is a phase, the facts that
put a model into it, and what is then done; rows only look at a `Situation` and are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.defaults import Settings, Step
from canarium.api.status import Failure, Outcome, Progress, Status
from canarium.core import conditions
from canarium.core.draft import Draft
from canarium.core.health import Cause, judge
from canarium.core.observed import Observed
from canarium.core.plan import (
    Action,
    Annotate,
    Autoscale,
    CreateDeployment,
    DeleteDeployment,
    DeleteRecord,
    Event,
    Plan,
    RemoveAutoscaler,
    Route,
    Scale,
    StoreRevision,
)
from canarium.core.situation import QUARANTINED, Situation, parse, stamp
from canarium.core.traffic import needed, safe_to_select


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
    actions = (*draft.actions, *_scaling(s, draft), *_pruning(s))
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
    actions: list[Action] = _stored(s)
    if s.observed.service is None or (s.observed.service.candidate != s.target):
        actions.append(Route(None, None, s.target))
    actions += _removed(s, s.strays)
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
    failed, recheck = _judged(s, was_good=False)
    ready = s.observed.ready(s.target)
    if failed:
        failure = _failure(s, failed)
        actions.append(Annotate(s.target, (("verdict", QUARANTINED), ("reason", failed.reason))))
        return Draft(
            f"the first version failed: {failed.message}",
            tuple(actions),
            candidate=s.target,
            failure=failure,
            reason=failed.reason,
            phase="Failed",
            outcome=_outcome(s, s.target, "Failed", failed.reason),
            events=(Event("Warning", failed.reason, _said(s.target, failed)),),
        )
    if ready >= count and deployment.replicas >= count:
        actions.append(Route(deployment.color, s.target, None))
        actions.append(Annotate(s.target, (("promoted-at", stamp(s.now)),)))
        return Draft(
            "serving",
            tuple(actions),
            stable=s.target,
            phase="Ready",
            outcome=_outcome(s, s.target, "Promoted", "FirstVersion"),
            events=(Event("Normal", "Promoted", f"revision {s.target} is live"),),
        )
    if deployment.replicas < count and not s.observed.autoscaler(s.target):
        actions.append(Scale(s.target, count))
    return Draft(
        f"{ready} of {count} pods of the first version are ready",
        tuple(actions),
        candidate=s.target,
        progress=_waiting(s),
        requeue_after=recheck,
    )


def _rolled_back(s: Situation) -> Draft:
    """The wanted revision is quarantined: all on stable, the failed pods go (R8, R9)."""
    actions: list[Action] = []
    gone = _off(s, actions)
    others = [r for r in (s.target, *s.strays) if s.observed.deployment(r)]
    if gone:
        actions += _removed(s, others)
    failure = s.status.failure
    why = failure.message if failure else "it failed"
    record = s.observed.record(s.target)
    if record and record.verdict != QUARANTINED:
        actions.append(Annotate(s.target, (("verdict", QUARANTINED),)))
    text = f"version {_word(s, s.target)} was rolled back: {why}"
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
    actions: list[Action] = _stored(s)
    deployment = s.observed.deployment(s.target)
    base = Draft("", stable=s.stable, candidate=s.target)
    if deployment is None or s.strays or (s.previous and s.previous != s.target):
        return _entering(s, base, actions)
    good_before = s.progress.weight > 0
    failed, recheck = _judged(s, was_good=good_before)
    if failed:
        return _failing(s, base, actions, failed)
    step = _step(s)
    weight = step.weight if step else 100
    need = needed(weight, s.count)
    if s.stable_broken:
        need = max(need, needed(100, s.count))
    ready = s.observed.ready(s.target)
    if deployment.replicas < need:
        actions.append(Scale(s.target, need))
    if ready < need:
        if s.stable_broken and ready:
            actions += _share(s)
        text = (
            f"waiting for {need} pods of version {_word(s, s.target)} before weight {weight}: "
            f"{ready} ready"
        )
        return replace(
            base, message=text, actions=tuple(actions), progress=_waiting(s), requeue_after=recheck
        )
    if step is None:
        return _promoting(s, base, actions, deployment.color, recheck)
    return _holding(s, base, actions, step, recheck)


def _entering(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """Makes room for the candidate's Deployment: one colour selected, the other one free."""
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    if _off(s, actions, candidate=s.target):
        actions += _removed(s, (*s.strays, *previous))
    if s.observed.deployment(s.target):
        return replace(
            base,
            message="the versions before it are going first",
            actions=tuple(actions),
            progress=Progress(),
        )
    if s.settings.strategy == "Recreate" and (
        s.observed.pods_of(s.stable) or _replicas(s, s.stable)
    ):
        if _replicas(s, s.stable):
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
    step = _step(s)
    actions.append(
        CreateDeployment(s.target, s.free_color, needed(step.weight if step else 100, s.count))
    )
    return replace(
        base,
        message=f"starting version {_word(s, s.target)}",
        actions=tuple(actions),
        progress=Progress(waiting_since=stamp(s.now)),
        events=(Event("Normal", "CanaryStarted", f"revision {s.target} is starting"),),
        requeue_after=s.settings.progress_deadline,
    )


def _failing(s: Situation, base: Draft, actions: list[Action], cause: Cause) -> Draft:
    """The candidate has failed: traffic first, in the same write as the latch (R8, R9)."""
    failure = _failure(s, cause)
    if not safe_to_select(s.stable_color, s.observed):
        text = f"version {_word(s, s.target)} failed ({cause.message}) but stable has no ready pod"
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
        message=f"version {_word(s, s.target)} was rolled back: {cause.message}",
        actions=tuple(actions),
        failure=failure,
        reason=cause.reason,
        outcome=_outcome(s, s.target, "RolledBack", cause.reason),
        events=(Event("Warning", "RolledBack", _said(s.target, cause)),),
    )


def _holding(
    s: Situation, base: Draft, actions: list[Action], step: Step, recheck: float | None
) -> Draft:
    """At a step's weight, or about to be."""
    index = s.settings.steps.index(step) if s.progress.weight != step.weight else s.progress.step
    index = max(index, s.progress.step)
    if not s.observed.served_by(s.target):
        actions += _share(s)
        return replace(
            base,
            message=f"shifting traffic to weight {step.weight}",
            actions=tuple(actions),
            progress=_ready(s, index, s.progress.weight),
        )
    progress = _ready(s, index, step.weight)
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
        outcome=_outcome(s, s.target, "Promoted", "StepsDone"),
        events=(Event("Normal", "Promoted", f"revision {s.target} is live"),),
        requeue_after=s.settings.bake_time if keep else 0.0,
    )


def _baking(s: Situation) -> Draft:
    """Promoted, and the old version still warm (R15)."""
    previous = s.observed.deployment(s.previous)
    assert previous is not None
    base = Draft("", stable=s.stable, previous=s.previous, bake_since=s.status.bake_since)
    failed, recheck = _judged(s, was_good=True)
    if failed and s.observed.ready(s.previous):
        return replace(
            base,
            message=f"promotion of {_word(s, s.target)} was undone: {failed.message}",
            actions=(
                Route(previous.color, s.previous, None, quarantined=s.target),
                Annotate(s.target, (("verdict", QUARANTINED), ("reason", failed.reason))),
            ),
            phase="RollingBack",
            stable=s.previous,
            previous=None,
            bake_since=None,
            failure=_failure(s, failed),
            reason=failed.reason,
            outcome=_outcome(s, s.target, "Undone", failed.reason),
            events=(Event("Warning", "RolledBack", _said(s.target, failed)),),
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
    if _off(s, actions):
        actions += _removed(s, (s.previous or "",))
    return replace(base, message="serving", actions=tuple(actions), previous=None, bake_since=None)


def _steady(s: Situation) -> Draft:
    """The version in spec serves; whatever else still runs goes (R11)."""
    actions: list[Action] = []
    if s.observed.deployment(s.stable) is None:
        return Draft("bringing the serving version back", stable=s.stable)
    if _off(s, actions):
        actions += _removed(s, s.strays)
    ready = s.observed.ready(s.stable)
    text = "serving" if ready >= s.count else f"{ready} of {s.count} pods are ready"
    withdrawn = s.status.candidate
    return Draft(
        text,
        tuple(actions),
        stable=s.stable,
        outcome=_outcome(s, withdrawn.revision, "Withdrawn", "SpecReturned")
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


# --- parts that rows share -----------------------------------------------------------------


def _stored(s: Situation) -> list[Action]:
    return [StoreRevision(s.minted)] if s.minted else []


def _off(s: Situation, actions: list[Action], candidate: str | None = None) -> bool:
    """Puts all traffic on stable; True when it is in effect, so that other pods may go (R8)."""
    service = s.observed.service
    color = s.stable_color
    if color is None:
        return False
    wrong = (
        service is None
        or service.color != color
        or service.stable != s.stable
        or service.candidate != candidate
    )
    if wrong and not safe_to_select(color, s.observed):
        return False
    if wrong:
        kept = s.target if s.quarantined else None
        actions.append(Route(color, s.stable, candidate, quarantined=kept))
    others = {p.name for p in s.observed.pods if p.revision != s.stable}
    return service is not None and service.color == color and not others & service.endpoints


def _share(s: Situation) -> list[Action]:
    service = s.observed.service
    if service and service.color == "" and service.candidate == s.target:
        return []
    return [Route("", s.stable, s.target)]


def _removed(s: Situation, revisions: tuple[str, ...] | list[str]) -> list[Action]:
    """Deletions; the autoscaler goes before what it scales."""
    actions: list[Action] = []
    for revision in revisions:
        autoscaler, deployment = s.observed.autoscaler(revision), s.observed.deployment(revision)
        if autoscaler:
            actions.append(RemoveAutoscaler(revision, autoscaler.uid))
        if deployment and not deployment.terminating:
            actions.append(DeleteDeployment(revision, deployment.uid))
    return actions


def _judged(s: Situation, *, was_good: bool) -> tuple[Cause | None, float | None]:
    verdict = judge(
        s.observed.pods_of(s.target),
        now=s.now,
        unschedulable_deadline=s.settings.unschedulable_deadline,
        was_good=was_good,
    )
    if verdict.cause:
        return verdict.cause, None
    left = None
    if s.progress.waiting_since and s.target != s.stable:
        spent = s.progress.waited + s.now - parse(s.progress.waiting_since)
        left = s.settings.progress_deadline - spent
        if left <= 0:
            deployment = s.observed.deployment(s.target)
            more = f": {deployment.failure}" if deployment and deployment.failure else ""
            text = f"its pods were not ready after {s.settings.progress_deadline:g}s{more}"
            return Cause("ProgressDeadlineExceeded", text), None
    waits = [x for x in (verdict.recheck, left) if x is not None]
    return None, min(waits, default=None)


def _step(s: Situation) -> Step | None:
    """The step to reach or hold; None when only promotion is left (R11, R12)."""
    record = s.observed.record(s.target)
    if s.settings.strategy != "Canary" or (record and record.promoted_at):
        return None
    steps, progress = s.settings.steps, s.progress
    if progress.weight == 0:
        return steps[0] if steps else None
    if progress.step < len(steps) and steps[progress.step].weight >= progress.weight:
        step = steps[progress.step]
        return None if step.weight >= 100 and step.pause == 0 else step
    return next((step for step in steps if step.weight > progress.weight), None)


def _waiting(s: Situation) -> Progress:
    if s.progress.waiting_since:
        return s.progress
    return s.progress.model_copy(update={"waiting_since": stamp(s.now)})


def _ready(s: Situation, index: int, weight: int) -> Progress:
    """Progress with the waiting clock stopped."""
    p = s.progress
    waited = p.waited + (s.now - parse(p.waiting_since) if p.waiting_since else 0.0)
    since = p.step_since if p.weight == weight and p.step == index else None
    return Progress(step=index, weight=weight, step_since=since, waited=round(waited, 3))


def _scaling(s: Situation, draft: Draft) -> list[Action]:
    """Stable at its wanted size; its floor held while another version has traffic (R5)."""
    deployment = s.observed.deployment(s.stable)
    autoscaler = s.observed.autoscaler(s.stable)
    recreating = s.settings.strategy == "Recreate" and (
        draft.candidate is not None or (s.quarantined and bool(s.observed.pods_of(s.target)))
    )
    if recreating:
        gone = [RemoveAutoscaler(s.stable or "", autoscaler.uid)] if autoscaler else []
        return [*gone]
    if deployment is None:
        if s.stable is None or s.free_color is None or s.observed.record(s.stable) is None:
            return []
        return [CreateDeployment(s.stable, s.free_color, max(1, s.count))]
    if deployment.terminating:
        return []
    if not s.settings.autoscaled:
        actions: list[Action] = []
        if autoscaler:
            actions.append(RemoveAutoscaler(s.stable or "", autoscaler.uid))
        if deployment.replicas != s.count:
            actions.append(Scale(s.stable or "", s.count))
        return actions
    shared = draft.candidate is not None or s.previous is not None
    low = s.count if shared else s.settings.min_replicas
    high = max(low, s.settings.max_replicas)
    wake: list[Action] = [Scale(s.stable or "", low)] if deployment.replicas == 0 else []
    if autoscaler and (autoscaler.low, autoscaler.high) == (low, high):
        return wake
    return [*wake, Autoscale(s.stable or "", low, high)]


def _pruning(s: Situation) -> list[Action]:
    """Old records beyond the limit; never one that has a part now (R9)."""
    keep = {s.stable, s.target, s.previous, *(d.revision for d in s.observed.deployments)}
    idle = sorted(
        (r for r in s.observed.records if r.revision not in keep and r.owned),
        key=lambda r: r.number,
    )
    excess = len(idle) - s.settings.history_limit
    return [DeleteRecord(record.revision) for record in idle[: max(0, excess)]]


def _replicas(s: Situation, revision: str | None) -> int:
    deployment = s.observed.deployment(revision)
    return deployment.replicas if deployment else 0


def _failure(s: Situation, cause: Cause) -> Failure:
    return Failure(
        revision=s.target,
        reason=cause.reason,
        message=cause.message,
        at=stamp(s.now),
        pod=cause.pod,
        container=cause.container,
    )


def _outcome(s: Situation, revision: str, outcome: Any, reason: str) -> Outcome:
    record = s.observed.record(revision)
    version = record.version if record else (s.spec.get("model") or {}).get("version")
    return Outcome(
        revision=revision, version=version, outcome=outcome, reason=reason, at=stamp(s.now)
    )


def _word(s: Situation, revision: str) -> str:
    """The user's own word for a revision, with ours."""
    record = s.observed.record(revision)
    version = record.version if record else (s.spec.get("model") or {}).get("version")
    return f"{version} ({revision})" if version else revision


def _said(revision: str, cause: Cause) -> str:
    where = f" (pod {cause.pod})" if cause.pod else ""
    return f"revision {revision}: {cause.reason}: {cause.message}{where}"
