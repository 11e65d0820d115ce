"""The first version (R3): nothing is selected until every wanted pod is ready."""

from __future__ import annotations

from dataclasses import replace

from canarium.core.bookkeeping.upkeep import UNSEEN
from canarium.core.context.context import Situation
from canarium.core.context.deadlines import waited_until
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Action, CreateDeployment, Event, Route, Scale
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.health import gates
from canarium.core.health.obstacles import withheld
from canarium.core.health.pods import Cause
from canarium.core.outcomes.failures import known_failure
from canarium.core.outcomes.messages import retry_advice, sentences
from canarium.core.outcomes.moves import (
    arrived,
    begun,
    failure_of,
    hold,
    judged,
    outcome_of,
    removed,
    said,
    startable,
    stored,
    unasked,
    waiting,
    where,
    word,
)
from canarium.core.outcomes.refusals import blocked, quoted
from canarium.core.phases.leftover_pods import older
from canarium.core.times import spoken, stamp


def first_version(s: Situation) -> Draft:
    """No stable yet: made, gated, then all traffic at once."""
    actions: list[Action] = stored(s)
    service = s.observed.service
    if service and service.color is not None and safe_to_select(None, s.observed):
        actions.append(Route(None, TrafficRecord(candidate=s.target)))
    actions += removed(s, s.strays)
    base = Draft("", tuple(actions), candidate=s.target, progress=begun(s))
    if s.quarantined:
        return _failed(s, base)
    deployment = s.observed.deployment(s.target)
    count = max(1, s.settings.base)
    if deployment is None:
        color = s.color_for(s.target)
        if color is None:
            late = older(s)
            text = f"{word(s, s.target)} waits: pods of an older revision terminate first"
            text = f"{text}{late.text}"
            held = hold(s, "OlderVersionsGoing", pod=late.pod)
            return replace(base, message=text, hold=held, requeue_after=UNSEEN)
        actions.append(CreateDeployment(s.target, color, startable(s, count)))
        return _gathering(s, base, actions, count, s.settings.progress_deadline)
    failed, recheck = judged(s, was_good=False)
    if failed:
        return _failing(s, base, failed)
    if s.observed.ready(s.target) >= count and deployment.replicas >= count:
        passed = gates.smoke(s)
        if isinstance(passed, Cause):
            return _failing(s, base, passed)
        if not passed:
            fault = gates.inconclusive_tests(s)
            pods = "pod" if count == 1 else "pods"
            return replace(
                base,
                message=f"the first version, {word(s, s.target)}, gets "
                + (
                    f"no traffic yet: {': '.join(fault)}"
                    if fault
                    else f"traffic once the smoke tests pass on {count} {pods}"
                ),
                actions=tuple(actions),
                progress=arrived(s, 0),
                hold=hold(s, gates.smoke_wait(s)),
                requeue_after=recheck,
            )
        # This write makes it stable; the status says so once callers are answered (`steady`).
        actions.append(Route(deployment.color, TrafficRecord(s.target, promoted_at=stamp(s.now))))
        refused = blocked(s)
        if refused:
            base = replace(base, refusal=refused)
            return _withheld(s, base, actions, quoted(refused), recheck)
    elif deployment.replicas < startable(s, count) and not s.observed.autoscaler(s.target):
        actions.append(Scale(s.target, startable(s, count)))
    return _gathering(s, base, actions, count, recheck)


def unserved_first(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """It was promoted, and no endpoint of the new Service answers yet: what was waited for stands
    until callers are answered."""
    count = max(1, s.settings.base)
    return replace(
        _gathering(s, base, actions, count, None), progress=base.progress, hold=s.status.hold
    )


def _gathering(
    s: Situation, base: Draft, actions: list[Action], count: int, recheck: float | None
) -> Draft:
    refused = unasked(s, count)
    if refused:
        base = replace(base, refusal=refused)
        why = f"the API server rejects scaling to {count} replicas: {quoted(refused)}"
        return _withheld(s, base, actions, why, recheck)
    missing = withheld(s, s.target)
    if missing:
        why = f"{missing.message}{where(missing.pod, missing.container)}"
        return _withheld(s, base, actions, why, recheck, missing.reason)
    progress = waiting(s, count)
    until = waited_until(s)
    if until is None:
        until = s.now - progress.waited + s.settings.progress_deadline
    what = "pod is" if count == 1 else "pods are"
    return replace(
        base,
        message=f"the first version, {word(s, s.target)}, gets traffic once {count} {what} "
        f"ready; waiting until {spoken(until)}",
        actions=tuple(actions),
        progress=progress,
        hold=hold(
            s,
            "WaitingForPods",
            until=until,
            observed=f"{s.observed.ready(s.target)} ready",
            threshold=f"{count} ready",
        ),
        requeue_after=recheck,
    )


def _withheld(
    s: Situation,
    base: Draft,
    actions: list[Action],
    why: str,
    recheck: float | None,
    reason: str = "Refused",
) -> Draft:
    """What it needs next is refused or withheld, which is no fault of its own."""
    return replace(
        base,
        message=f"the first version, {word(s, s.target)}, gets no traffic yet: {reason}: {why}",
        actions=tuple(actions),
        progress=arrived(s, 0),
        hold=hold(s, reason),
        requeue_after=recheck,
    )


def _failing(s: Situation, base: Draft, cause: Cause) -> Draft:
    return replace(
        base,
        message=_text(s, f"{cause.reason}: {cause.message}{where(cause.pod, cause.container)}"),
        failure=failure_of(s, cause),
        reason=cause.reason,
        phase="Failed",
        outcome=outcome_of(s, s.target, "Failed", cause.reason, cause),
        events=(Event("Warning", cause.reason, said(s.target, cause)),),
    )


def _failed(s: Situation, base: Draft) -> Draft:
    failure = known_failure(s)
    why = f"{failure.reason}: {failure.message}{where(failure.pod, failure.container)}"
    return replace(base, message=_text(s, why), failure=failure, reason=failure.reason)


def _text(s: Situation, why: str) -> str:
    return sentences(
        f"the first version, {word(s, s.target)}, failed: {why}",
        "there is no earlier version to roll back to, so its pods are kept for debugging",
        retry_advice(s.target),
    )
