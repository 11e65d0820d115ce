"""Phase Starting: the first version (R3). Nothing is selected until every wanted pod is ready."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.core.context.context import Situation
from canarium.core.context.deadlines import waited_until
from canarium.core.context.naming import describe
from canarium.core.context.progress import progress_at, progress_waiting
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action, CreateDeployment, Route, Scale
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.health import gates
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.cause import Cause
from canarium.core.health.obstacles import withheld
from canarium.core.messages import location
from canarium.core.outcomes.refusals import blocked, quoted
from canarium.core.phases.deployments import scale_up_rejected, startable_replicas
from canarium.core.phases.failed import fail_first_version
from canarium.core.phases.first_version import without_stable
from canarium.core.phases.leftover_pods import OVERDUE_AFTER, leftover_of_others
from canarium.core.times import spoken, stamp


def starting(s: Situation) -> PhaseResult:
    """Makes the first version, tests it, and gives it all traffic in one write."""
    base = without_stable(s)
    deployment = s.observed.deployment(s.target)
    count = max(1, s.settings.base)
    if deployment is None:
        return _create(s, base, count)
    cause, recheck = judge_candidate(s, was_good=False)
    if cause:
        return fail_first_version(s, base, cause)
    base = base.recheck_in(recheck)
    startable = startable_replicas(s, count)
    if s.observed.ready(s.target) >= count and deployment.replicas >= count:
        passed = gates.smoke(s)
        if isinstance(passed, Cause):
            return fail_first_version(s, base, passed)
        if not passed:
            return _waiting_for_smoke_tests(s, base, count)
        # This write makes it stable; the status says so once callers are answered (see `ready`).
        promotion = TrafficRecord(s.target, promoted_at=stamp(s.now))
        base = base.also(Route(deployment.color, promotion))
        refused = blocked(s)
        if refused:
            return _withheld(s, base.about(refused), HoldReason.WRITE_REFUSED, quoted(refused))
    elif deployment.replicas < startable and not s.observed.autoscaler(s.target):
        base = base.also(Scale(s.target, startable))
    return _waiting_for_pods(s, base, count)


def is_first_unserved(s: Situation) -> bool:
    """Whether the first version was promoted and no endpoint of the new Service answers yet."""
    reported = s.status.stable is None and s.status.candidate is not None
    return reported and not s.observed.served_by(s.stable)


def unserved_first(s: Situation, actions: tuple[Action, ...]) -> PhaseResult:
    """Keeps the wait of the first version, which was just promoted, until callers are answered."""
    base = PhaseResult(actions=actions, candidate=s.stable, phase="Starting")
    hold = s.status.hold
    return replace(
        # The progress is the status' own; a lost status lacks it.
        _waiting_for_pods(s, base, max(1, s.settings.base)).at(s.status.progress),
        waiting_for=Wait.of(hold) if hold else None,
    )


def _create(s: Situation, base: PhaseResult, count: int) -> PhaseResult:
    color = s.color_for(s.target)
    if color is None:
        late = leftover_of_others(s)
        return base.recheck_in(OVERDUE_AFTER).wait(
            HoldReason.TERMINATING_OLD_REVISIONS,
            f"{describe(s, s.target)} waits: pods of an older revision terminate first{late.text}",
            pod=late.pod,
        )
    base = base.also(CreateDeployment(s.target, color, startable_replicas(s, count)))
    return _waiting_for_pods(s, base.recheck_in(s.settings.progress_deadline), count)


def _waiting_for_smoke_tests(s: Situation, base: PhaseResult, count: int) -> PhaseResult:
    fault = gates.inconclusive_tests(s)
    pods = "pod" if count == 1 else "pods"
    return base.at(progress_at(s, 0)).wait(
        gates.smoke_wait(s),
        f"the first version, {describe(s, s.target)}, gets "
        + (
            f"no traffic yet: {': '.join(fault)}"
            if fault
            else f"traffic once the smoke tests pass on {count} {pods}"
        ),
    )


def _waiting_for_pods(s: Situation, base: PhaseResult, count: int) -> PhaseResult:
    refused = scale_up_rejected(s, count)
    if refused:
        why = f"the API server rejects scaling to {count} replicas: {quoted(refused)}"
        return _withheld(s, base.about(refused), HoldReason.WRITE_REFUSED, why)
    missing = withheld(s, s.target)
    if missing:
        why = f"{missing.message}{location(missing.pod, missing.container)}"
        return _withheld(s, base, missing.reason, why)
    progress = progress_waiting(s, count)
    until = waited_until(s)
    if until is None:
        until = s.now - progress.waited + s.settings.progress_deadline
    what = "pod is" if count == 1 else "pods are"
    return base.at(progress).wait(
        HoldReason.WAITING_FOR_PODS,
        f"the first version, {describe(s, s.target)}, gets traffic once {count} {what} "
        f"ready; waiting until {spoken(until)}",
        until=until,
        observed=f"{s.observed.ready(s.target)} ready",
        threshold=f"{count} ready",
    )


def _withheld(s: Situation, base: PhaseResult, reason: str, why: str) -> PhaseResult:
    """Waits for what is rejected or withheld, which is not the version's fault."""
    return base.at(progress_at(s, 0)).wait(
        reason, f"the first version, {describe(s, s.target)}, gets no traffic yet: {reason}: {why}"
    )
