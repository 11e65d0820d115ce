"""The parts that rows of the table share: each one move or one reading of the situation."""

from __future__ import annotations

from typing import Any

from canarium.api.effective_spec import Step
from canarium.api.status import CommandEcho, Failure, Hold, Outcome, Progress, StepStatus
from canarium.core.context.context import Situation
from canarium.core.context.deadlines import last_ready, ready_by, waited_until
from canarium.core.context.position import following, place, standing
from canarium.core.decision.plan import Action, DeleteDeployment, RemoveAutoscaler, StoreRevision
from canarium.core.facts.grant import pause_text
from canarium.core.facts.observed import Rejection, newest
from canarium.core.health.obstacles import obstacle, withheld
from canarium.core.health.pods import FETCHER, Cause, changed, fetching, judge, unfetched, unstarted
from canarium.core.times import length, parse, stamp


def stored(s: Situation) -> list[Action]:
    """Stores the revision first when it is new."""
    return [StoreRevision(s.minted)] if s.minted else []


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
    """The candidate's verdict and, without one, the seconds until a grace may run out.

    Once promoted, a version has been fetched: that a later pod cannot fetch it, or finds other
    bytes, is no fault of the pods that serve. Nor is it theirs, once there was room for all that
    it needs, that a later one finds none.
    """
    pods = s.observed.pods_of(s.target)
    if s.target == s.stable:
        pods = tuple(pod for pod in pods if unfetched([pod]) is None)
    if equipped(s):
        pods = tuple(pod for pod in pods if unstarted([pod]) is None)
    verdict = judge(
        pods,
        now=s.now,
        unschedulable_deadline=s.settings.unschedulable_deadline,
        was_good=was_good,
    )
    record = s.observed.record(s.target)
    every = s.observed.pods_of(s.target)
    other = changed(every, record.artifact) if record and s.target != s.stable else None
    if verdict.cause or other:
        return verdict.cause or other, None
    left = None
    # What the cluster does not give is no fault of the version, however long that lasts.
    deadline = None if withheld(s, s.target) else ready_by(s)
    if deadline is not None and s.target != s.stable:
        left = deadline - s.now
        if left <= 0:
            return _late(s), None
    waits = [x for x in (verdict.recheck, left) if x is not None]
    return None, min(waits, default=None)


def equipped(s: Situation) -> bool:
    """Whether the wanted revision had all the pods that what it has now needs: as stable, while
    any of them serves, or as a candidate that does not rise."""
    if s.target == s.stable:
        return s.observed.ready(s.target) > 0
    step = next_step(s)
    return step is not None and 0 < step.weight <= s.progress.weight


def lacking(s: Situation) -> Cause | None:
    """Why pods that the wanted revision lacks do not start, where that is no fault of its own:
    it had all that it needs (R25), or the cluster does not give what it can still give (R7)."""
    found = withheld(s, s.target)
    if found:
        return Cause(found.reason, found.message, found.pod, found.container)
    return unstarted(s.observed.pods_of(s.target)) if equipped(s) else None


def _late(s: Situation) -> Cause:
    deployment = s.observed.deployment(s.target)
    limit = length(s.settings.progress_deadline)
    ready, pods = s.observed.ready(s.target), s.observed.pods_of(s.target)
    seen = f"{ready} of {deployment.replicas if deployment else 0} pods ready"
    last = last_ready(s)
    gone = newest(p for p in s.observed.ended if p.revision == s.target and last is None)
    why = deployment.failure if deployment else None
    if gone and not why:
        why = f"pod {gone.name}: {gone.ended}"
    named = obstacle(s, s.target)
    if named and not why:
        why = named.message
    more = f": {why}" if why else ""
    late = next((p.name for p in pods if not p.ready), None)
    slow = fetching(pods)
    if slow:
        return Cause(
            "ProgressDeadlineExceeded",
            f"its model was still being fetched after {limit} ({seen}): the fetcher's log says how "
            "far it is, and a longer spec.rollout.progressDeadline gives it more time",
            pod=slow,
            container=FETCHER,
            observed=seen,
            threshold=limit,
            samples=len(pods),
        )
    if last is None:
        what = f"its pods were not ready after {limit}"
    elif (last.ready_changed or 0.0) > (waited_until(s) or s.now):
        what, late = f"its pods got ready later than after {limit}", last.name
    else:
        what = f"its ready pods got no traffic after {limit}"
    return Cause(
        "ProgressDeadlineExceeded",
        f"{what} ({seen}){more}",
        pod=late,
        observed=seen,
        threshold=limit,
        samples=len(pods),
    )


def next_step(s: Situation) -> Step | None:
    """The step to reach or hold; None when only promotion is left (R11, R12)."""
    if s.strategy != "Canary" or s.progress.full or s.ordered("promote-full"):
        return None
    if s.target in s.promoted:
        return None
    step = standing(s) or following(s)
    return None if step and step.weight >= 100 and step.pause == 0 else step


def begun(s: Situation) -> Progress:
    """Progress as the rollout has it, with what holds for all of it."""
    order = s.ordered("promote-full")
    by = ordered_by(order) if order else s.progress.by
    full = s.progress.full or order is not None
    steps = tuple(StepStatus(weight=x.weight, pause=pause_text(x.pause)) for x in s.steps)
    return s.progress.model_copy(
        update={"full": full, "by": by, "strategy": s.strategy, "steps": steps}
    )


def waiting(s: Situation, count: int) -> Progress:
    """Progress with the waiting clock running, until `count` pods are ready. It stood still since
    those that were asked for before are ready, where these are more."""
    progress = begun(s)
    if progress.waiting_since and replicas_of(s, s.target) < count and last_ready(s):
        progress = arrived(s, progress.weight)
    if progress.waiting_since:
        return progress
    return progress.model_copy(update={"waiting_since": stamp(s.now)})


def arrived(s: Situation, weight: int) -> Progress:
    """Progress with the waiting clock stopped, at the time when the last pod got ready where that
    was seen late."""
    p, last = s.progress, last_ready(s)
    ended = min(s.now, (last.ready_changed if last else None) or s.now)
    waited = p.waited + (max(0.0, ended - parse(p.waiting_since)) if p.waiting_since else 0.0)
    since = p.step_since if p.weight == weight else None
    return begun(s).model_copy(
        update={
            "step": place(s),
            "weight": weight,
            "step_since": since,
            "waiting_since": None,
            "waited": round(waited, 3),
        }
    )


def startable(s: Situation, count: int) -> int:
    """How many pods of the wanted revision may start: one, until it is known what it fetches."""
    return min(1, count) if s.unpinned else count


def unasked(s: Situation, count: int) -> Rejection | None:
    """The refusal of the write that asks for pods which the wanted revision lacks: none are waited
    for, and the progress deadline stands still (R7)."""
    deployment = s.observed.deployment(s.target)
    if deployment is None or deployment.replicas >= startable(s, count):
        return None
    return s.observed.refused(f"Deployment {deployment.name}")


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
        observed=cause.observed,
        threshold=cause.threshold,
        samples=cause.samples,
    )


def by_order(s: Situation, command: str) -> Cause | None:
    """The cause that an abort or undo is, if one acts now."""
    order = s.ordered(command)
    if order is None:
        return None
    reason = {"abort": "Aborted", "undo": "Undone"}[command]
    return Cause(reason, f"by command {command}, token {order.token}")


def ordered_by(order: CommandEcho) -> str:
    """A command as the history names it."""
    return f"command {order.command}/{order.token}"


def outcome_of(
    s: Situation,
    revision: str,
    outcome: Any,
    reason: str,
    cause: Cause | None = None,
    by: str | None = None,
) -> Outcome:
    """An entry for the history: how `revision` ended or was promoted, and by what."""
    record = s.observed.record(revision)
    orders = [s.ordered(c) for c in ("abort", "undo")] if revision == s.target else []
    order = next((o for o in orders if o), None)
    if order:
        by = ordered_by(order)
    elif outcome in ("Superseded", "Withdrawn"):
        by = "spec"
    return Outcome(
        revision=revision,
        version=version_of(s, revision),
        outcome=outcome,
        reason=reason,
        message=cause.message if cause else "",
        by=by or "operator",
        started_at=record.created_at if record else None,
        at=stamp(s.now),
        lineage=dict(record.lineage) if record and record.lineage else None,
        uri=record.uri if record else None,
        artifact=record.artifact if record else None,
    )


def word(s: Situation, revision: str | None) -> str:
    """The user's own word for a revision, with ours."""
    if revision is None:
        return "none"
    version = version_of(s, revision)
    return f"version {version} ({revision})" if version else f"revision {revision}"


def version_of(s: Situation, revision: str | None) -> str | None:
    """The user's own word for a revision: by its record or, where somebody deleted that, by the
    spec and by what the status had before."""
    record = s.observed.record(revision)
    if record:
        return record.version
    if revision == s.target:
        wanted: str | None = (s.spec.get("model") or {}).get("version")
        return wanted
    parts = (s.status.stable, s.status.candidate, s.status.previous, *s.status.history)
    return next((x.version for x in parts if x and x.revision == revision and x.version), None)


def where(pod: str | None, container: str | None) -> str:
    """Where a failure was seen, in brackets; empty when it was in no pod."""
    parts = [f"pod {pod}" if pod else "", f"container {container}" if container else ""]
    text = ", ".join(part for part in parts if part)
    return f" ({text})" if text else ""


def said(revision: str, cause: Cause) -> str:
    """A failure in one line, for an Event."""
    place = where(cause.pod, cause.container)
    return f"revision {revision}: {cause.reason}: {cause.message}{place}"


def hold(
    s: Situation,
    reason: str,
    *,
    until: float | None = None,
    observed: str | None = None,
    threshold: str | None = None,
    pod: str | None = None,
    container: str | None = None,
) -> Hold:
    """What is waited for; `since` stays while the reason does."""
    old = s.status.hold
    since = old.since if old and old.reason == reason else stamp(s.now)
    return Hold(
        reason=reason,
        since=since,
        until=stamp(until) if until is not None else None,
        observed=observed,
        threshold=threshold,
        pod=pod,
        container=container,
    )
