"""The parts that rows of the table share: each one move or one reading of the situation."""

from __future__ import annotations

from typing import Any

from canarium.api.defaults import Step
from canarium.api.status import Failure, Outcome, Progress
from canarium.core.health import Cause, judge
from canarium.core.plan import Action, DeleteDeployment, RemoveAutoscaler, Route, StoreRevision
from canarium.core.situation import Situation, parse, stamp
from canarium.core.traffic import safe_to_select


def stored(s: Situation) -> list[Action]:
    """Stores the revision first when it is new."""
    return [StoreRevision(s.minted)] if s.minted else []


def traffic_off(s: Situation, actions: list[Action], candidate: str | None = None) -> bool:
    """Puts all traffic on stable; True when it is in effect, so that other pods may go (R8)."""
    service = s.observed.service
    color = s.stable_color
    if color is None:
        return False
    wrong = (
        service is None
        or service.color != color
        or service.stable != s.stable
        or service.candidate not in (None, candidate)
    )
    if wrong and not safe_to_select(color, s.observed):
        return False
    if wrong:
        kept = s.target if s.quarantined else None
        actions.append(Route(color, s.stable, candidate, quarantined=kept))
    others = {p.name for p in s.observed.pods if p.revision != s.stable}
    return service is not None and service.color == color and not others & service.endpoints


def shared(s: Situation) -> list[Action]:
    """Selects both colours, unless that is so already."""
    service = s.observed.service
    if service and service.color == "" and service.candidate == s.target:
        return []
    return [Route("", s.stable, s.target)]


def removed(s: Situation, revisions: tuple[str, ...] | list[str]) -> list[Action]:
    """Deletions; the autoscaler goes before what it scales."""
    actions: list[Action] = []
    for revision in revisions:
        autoscaler, deployment = s.observed.autoscaler(revision), s.observed.deployment(revision)
        if autoscaler:
            actions.append(RemoveAutoscaler(revision, autoscaler.uid))
        if deployment and not deployment.terminating:
            actions.append(DeleteDeployment(revision, deployment.uid))
    return actions


def judged(s: Situation, *, was_good: bool) -> tuple[Cause | None, float | None]:
    """The candidate's verdict and, without one, the seconds until a grace may run out."""
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


def next_step(s: Situation) -> Step | None:
    """The step to reach or hold; None when only promotion is left (R11, R12)."""
    if s.settings.strategy != "Canary" or s.target in s.promoted:
        return None
    steps, progress = s.settings.steps, s.progress
    if progress.weight == 0:
        return steps[0] if steps else None
    if progress.step < len(steps) and steps[progress.step].weight >= progress.weight:
        step = steps[progress.step]
        return None if step.weight >= 100 and step.pause == 0 else step
    return next((step for step in steps if step.weight > progress.weight), None)


def bringing(s: Situation, weight: int, need: int) -> str:
    """One text for all that happens until a weight is in effect: a status is not written for each
    pod that gets ready on the way.
    """
    pods = "pod" if need == 1 else "pods"
    return f"bringing version {word(s, s.target)} to weight {weight}: needs {need} ready {pods}"


def gating(count: int) -> str:
    """What is said of a first version until the Service lists its pods."""
    return f"starting the first version: needs {count} ready {'pod' if count == 1 else 'pods'}"


def serving(s: Situation, *, bakes: bool) -> str:
    """What is said of a promoted version."""
    warm = f"; the version before stays warm for {s.settings.bake_time:g}s" if bakes else ""
    return f"serving{warm}"


def waiting(s: Situation) -> Progress:
    """Progress with the waiting clock running."""
    if s.progress.waiting_since:
        return s.progress
    return s.progress.model_copy(update={"waiting_since": stamp(s.now)})


def arrived(s: Situation, index: int, weight: int) -> Progress:
    """Progress with the waiting clock stopped."""
    p = s.progress
    waited = p.waited + (s.now - parse(p.waiting_since) if p.waiting_since else 0.0)
    since = p.step_since if p.weight == weight and p.step == index else None
    return Progress(step=index, weight=weight, step_since=since, waited=round(waited, 3))


def replicas_of(s: Situation, revision: str | None) -> int:
    """How many pods the Deployment of `revision` wants; 0 without one."""
    deployment = s.observed.deployment(revision)
    return deployment.replicas if deployment else 0


def failure_of(s: Situation, cause: Cause) -> Failure:
    """The failure as the status keeps it."""
    return Failure(
        revision=s.target,
        reason=cause.reason,
        message=cause.message,
        at=stamp(s.now),
        pod=cause.pod,
        container=cause.container,
    )


def outcome_of(s: Situation, revision: str, outcome: Any, reason: str) -> Outcome:
    """An entry for the history."""
    record = s.observed.record(revision)
    version = record.version if record else (s.spec.get("model") or {}).get("version")
    return Outcome(
        revision=revision, version=version, outcome=outcome, reason=reason, at=stamp(s.now)
    )


def word(s: Situation, revision: str) -> str:
    """The user's own word for a revision, with ours."""
    record = s.observed.record(revision)
    version = record.version if record else (s.spec.get("model") or {}).get("version")
    return f"{version} ({revision})" if version else revision


def said(revision: str, cause: Cause) -> str:
    """A failure in one line, for an Event."""
    where = f" (pod {cause.pod})" if cause.pod else ""
    return f"revision {revision}: {cause.reason}: {cause.message}{where}"
