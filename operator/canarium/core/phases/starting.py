"""Phase Starting: the first version (R3). Nothing is selected until every wanted pod is ready."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, HoldReason
from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.deadlines import deadline, endpoints_due
from canarium.core.context.gates import holding
from canarium.core.context.naming import describe
from canarium.core.context.progress import progress_at, progress_waiting
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action, CreateDeployment, Scale, SelectColor
from canarium.core.facts.observed import Deployment
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.health import smoke_tests
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.cause import Cause
from canarium.core.health.gate_results import rejection
from canarium.core.health.obstacles import withheld
from canarium.core.messages import location
from canarium.core.outcomes.rejections import blocked, quoted
from canarium.core.phases.deployments import scale_up_rejected, startable_replicas
from canarium.core.phases.failed import fail_first_version
from canarium.core.phases.first_version import without_stable
from canarium.core.phases.gate_waits import at_gates
from canarium.core.phases.leftover_pods import OVERDUE_AFTER, leftover_of_others
from canarium.core.phases.waiting import waiting_for_endpoints
from canarium.core.times import stamp, time_text


def starting(ctx: RolloutContext) -> PhaseResult:
    """Creates and tests the first version, then routes all traffic to it in one write."""
    base = without_stable(ctx)
    deployment = ctx.observed.deployment(ctx.target)
    if ctx.settings.base == 0:
        return _scaled_to_zero(ctx, base, deployment)
    count = ctx.settings.base
    if deployment is None:
        return _create(ctx, base, count)
    cause, recheck = judge_candidate(ctx, was_fully_ready=False)
    cause = cause or rejection(ctx)
    if cause:
        return fail_first_version(ctx, base, cause)
    base = base.recheck_in(recheck)
    startable = startable_replicas(ctx, count)
    if ctx.observed.ready(ctx.target) >= count and deployment.replicas >= count:
        passed = smoke_tests.result(ctx)
        if isinstance(passed, Cause):
            return fail_first_version(ctx, base, passed)
        if not passed:
            return _waiting_for_smoke_tests(ctx, base, count)
        held = holding(ctx, None)
        if held:
            has = f"the first version, {describe(ctx, ctx.target)}, receives no traffic yet"
            base = base.at(progress_at(ctx, 0))
            return at_gates(ctx, base, held, has, "it receives all traffic")
        # This write makes it stable; the status reports that once it serves (see `ready`).
        promotion = TrafficRecord(ctx.target, promoted_at=stamp(ctx.now))
        base = base.also(SelectColor(deployment.color, promotion))
        rejected = blocked(ctx)
        if rejected:
            return _withheld(
                ctx, base.with_rejection(rejected), HoldReason.WRITE_REJECTED, quoted(rejected)
            )
    elif deployment.replicas < startable and not ctx.observed.autoscaler(ctx.target):
        base = base.also(Scale(ctx.target, startable))
    return _waiting_for_pods(ctx, base, count)


def is_first_unserved(ctx: RolloutContext) -> bool:
    """Returns whether the first version is promoted but the new Service has no endpoints yet."""
    reported = ctx.status.stable is None and ctx.status.candidate is not None
    return reported and ctx.stable_replicas > 0 and not ctx.observed.has_endpoints(ctx.stable)


def unserved_first(ctx: RolloutContext, actions: tuple[Action, ...]) -> PhaseResult:
    """Keeps the wait of the first version, which was just promoted, until it serves."""
    base = PhaseResult(actions=actions, candidate=ctx.stable, phase=Phase.STARTING)
    due = endpoints_due(ctx)
    if due is not None and due <= ctx.now:
        has = f"the first version, {describe(ctx, ctx.target)}, receives no traffic yet"
        return waiting_for_endpoints(base.at(progress_at(ctx, 0)), ctx, has)
    base = base.recheck_in(due - ctx.now if due is not None else None)
    hold = ctx.status.waiting_for
    waiting = _waiting_for_pods(ctx, base, max(1, ctx.settings.base))
    # The progress is the status' own; a lost status lacks it.
    return waiting.at(ctx.status.progress).with_wait(Wait.of(hold) if hold else None)


def _scaled_to_zero(
    ctx: RolloutContext, base: PhaseResult, deployment: Deployment | None
) -> PhaseResult:
    """Runs no pods: none can pass smoke tests (R4), and the progress deadline does not apply."""
    if deployment and deployment.replicas:
        base = base.also(Scale(ctx.target, 0))
    result = base.at(progress_at(ctx, 0)).wait(
        HoldReason.SCALED_TO_ZERO,
        f"the first version, {describe(ctx, ctx.target)}, waits because the model is scaled to "
        "zero",
        "It starts once the model is scaled up",
    )
    return result.with_reason(ConditionReason.SCALED_TO_ZERO)


def _create(ctx: RolloutContext, base: PhaseResult, count: int) -> PhaseResult:
    color = ctx.free_color(ctx.target)
    if color is None:
        late = leftover_of_others(ctx)
        return base.recheck_in(OVERDUE_AFTER).wait(
            HoldReason.TERMINATING_OLD_REVISIONS,
            f"{describe(ctx, ctx.target)} is waiting for pods of an older revision to terminate"
            f"{late.text}",
            pod=late.pod,
        )
    base = base.also(CreateDeployment(ctx.target, color, startable_replicas(ctx, count)))
    return _waiting_for_pods(ctx, base.recheck_in(ctx.settings.progress_deadline), count)


def _waiting_for_smoke_tests(ctx: RolloutContext, base: PhaseResult, count: int) -> PhaseResult:
    fault = smoke_tests.inconclusive(ctx)
    pods = "pod" if count == 1 else "pods"
    return base.at(progress_at(ctx, 0)).wait(
        smoke_tests.wait_reason(ctx),
        f"the first version, {describe(ctx, ctx.target)}, receives no traffic yet",
        ": ".join(fault)
        if fault
        else f"Smoke tests are running against {count} {pods}, and it receives all traffic when "
        "they pass",
    )


def _waiting_for_pods(ctx: RolloutContext, base: PhaseResult, count: int) -> PhaseResult:
    rejected = scale_up_rejected(ctx, count)
    if rejected:
        why = f"the API server rejects scaling to {count} replicas: {quoted(rejected)}"
        return _withheld(ctx, base.with_rejection(rejected), HoldReason.WRITE_REJECTED, why)
    missing = withheld(ctx, ctx.target)
    if missing:
        why = f"{missing.message}{location(missing.pod, missing.container)}"
        return _withheld(ctx, base.explaining(ctx.target, missing.place), missing.reason, why)
    progress = progress_waiting(ctx, count)
    until = deadline(ctx)
    if until is None:
        until = ctx.now - progress.waited_seconds + ctx.settings.progress_deadline
    what = "pod is" if count == 1 else "pods are"
    return base.at(progress).wait(
        HoldReason.WAITING_FOR_PODS,
        f"the first version, {describe(ctx, ctx.target)}, receives no traffic yet",
        f"It receives all traffic once {count} {what} ready, and fails if that has not happened by "
        f"{time_text(until)}",
        until=until,
        observed=f"{ctx.observed.ready(ctx.target)} ready",
        threshold=f"{count} ready",
    )


def _withheld(ctx: RolloutContext, base: PhaseResult, reason: str, why: str) -> PhaseResult:
    """Waits for something that is rejected or withheld, which is not the version's fault."""
    return base.at(progress_at(ctx, 0)).wait(
        reason,
        f"the first version, {describe(ctx, ctx.target)}, receives no traffic yet: {reason}: {why}",
    )
