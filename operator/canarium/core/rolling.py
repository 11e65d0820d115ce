"""A candidate beside stable: created, gated, weighted step by step, promoted or taken back."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.defaults import (
    Step,
)
from canarium.api.status import (
    Progress,
    RevisionStatus,
)
from canarium.core.draft import (
    Draft,
)
from canarium.core.health import (
    Cause,
)
from canarium.core.moves import (
    arrived,
    bringing,
    failure_of,
    judged,
    next_step,
    outcome_of,
    removed,
    replicas_of,
    said,
    serving,
    shared,
    stored,
    traffic_off,
    waiting,
    word,
)
from canarium.core.plan import (
    Action,
    Annotate,
    CreateDeployment,
    Event,
    Route,
    Scale,
)
from canarium.core.situation import (
    QUARANTINED,
    Situation,
    parse,
    stamp,
)
from canarium.core.traffic import (
    needed,
    safe_to_select,
)


def rolling_out(s: Situation) -> Draft:
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
        return replace(
            base,
            message=bringing(s, weight, need),
            actions=tuple(actions),
            progress=waiting(s),
            requeue_after=recheck,
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
    weight = step.weight if step else 100
    need = needed(weight, s.count)
    actions.append(CreateDeployment(s.target, s.free_color, need))
    return replace(
        base,
        message=bringing(s, weight, need),
        actions=tuple(actions),
        progress=Progress(waiting_since=stamp(s.now)),
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
            message=bringing(s, step.weight, needed(step.weight, s.count)),
            actions=tuple(actions),
            progress=waiting(s),
            requeue_after=recheck,
        )
    progress = arrived(s, index, step.weight)
    if progress.step_since is None:
        progress = progress.model_copy(update={"step_since": stamp(s.now)})
    since = parse(progress.step_since or stamp(s.now))
    if step.pause is None:
        return replace(
            base,
            message=f"weight {step.weight}: waits for the promote command",
            actions=tuple(actions),
            progress=progress,
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
            requeue_after=wait,
        )
    # What comes next is decided at once: a status of its own would say nothing to anybody.
    onward = progress.model_copy(update={"step": index + 1, "step_since": None})
    candidate = RevisionStatus(revision=s.target)
    known = s.status.model_copy(update={"progress": onward, "candidate": candidate})
    return rolling_out(replace(s, status=known))


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
    keep = s.settings.bake_time > 0 and s.settings.strategy != "Recreate"
    return replace(
        base,
        message=serving(s, bakes=keep),
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
