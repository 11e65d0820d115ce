"""Waits of a candidate. Each keeps the current weight, and the candidate is still analysed."""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.api.reasons import HoldReason, RouteReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.deadlines import deadline, endpoints_due, ends_downtime
from canarium.core.context.naming import describe
from canarium.core.context.progress import progress_at, progress_waiting
from canarium.core.context.router import Blocker
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, SelectColor, SetRouteWeights
from canarium.core.health import smoke_tests
from canarium.core.health.candidate import blocked_pod
from canarium.core.health.cause import Cause
from canarium.core.health.obstacles import obstacle
from canarium.core.messages import command_advice, location
from canarium.core.outcomes.rejections import quoted
from canarium.core.phases.deployments import scale_up_rejected
from canarium.core.times import parse, time_text


def waiting_for_pods(
    ctx: RolloutContext, base: PhaseResult, step: Step | None, need: int
) -> PhaseResult:
    """Waits for the pods that the next weight needs (R5)."""
    rejected = scale_up_rejected(ctx, need)
    unbounded = not ends_downtime(ctx)
    if rejected and unbounded:
        text = f"the API server rejects scaling to {need} replicas: {quoted(rejected)}"
        return blocked(ctx, base, Blocker(RouteReason.WRITE_REJECTED, text, rejected))
    base = base.also(*held_weight(ctx, base, relief=True))
    missing = blocked_pod(ctx)
    if missing and unbounded:
        return _waiting_for_cluster(ctx, base, need, missing)
    due = endpoints_due(ctx)
    if due is not None and due <= ctx.now:
        has = f"{describe(ctx, ctx.target)} {traffic_text(ctx)}"
        progress = progress_at(ctx, ctx.progress.weight)
        return waiting_for_endpoints(base.at(progress), ctx, has)
    base = base.recheck_in(due - ctx.now if due is not None else None)
    progress = progress_waiting(ctx, need)
    until = deadline(ctx)
    if until is None:
        until = ctx.now - progress.waited_seconds + ctx.settings.progress_deadline
    what = "pod is" if need == 1 else "pods are"
    stays = step is not None and 0 < step.weight == ctx.progress.weight
    then = f"continues at weight {ctx.progress.weight}" if stays else next_move_text(step)
    late = next((p for p in ctx.observed.pods_of(ctx.target) if not p.ready), None)
    stuck = next((c for c in late.containers if c.waiting), None) if late else None
    unplaced = late is not None and (late.scheduling_gated or late.unschedulable_since is not None)
    return base.at(progress).wait(
        HoldReason.WAITING_FOR_PODS,
        f"{describe(ctx, ctx.target)} {traffic_text(ctx)}{_lost_pods(ctx)}",
        f"It {then} once {need} {what} ready, or fails at {time_text(until)}",
        until=until,
        observed=f"{ctx.observed.ready(ctx.target)} ready",
        threshold=f"{need} ready",
        pod=late.name if late and (stuck or unplaced) else None,
        container=stuck.name if stuck else None,
    )


def waiting_for_endpoints(base: PhaseResult, ctx: RolloutContext, has: str) -> PhaseResult:
    """Waits until ready pods are endpoints, without a deadline (R7).

    `has` describes the version's traffic meanwhile.
    """
    ready = ctx.observed.ready(ctx.target)
    pods = "its ready pod is" if ready == 1 else f"its {ready} ready pods are"
    return base.wait(
        HoldReason.ENDPOINTS_NOT_READY,
        f"{has}: {pods} not in the EndpointSlices of Service/{ctx.name}",
        "If this lasts, check the endpoint controller of the cluster",
        observed="0 endpoints",
        threshold="1 endpoint",
    )


def _lost_pods(ctx: RolloutContext) -> str:
    """Returns why a candidate that had traffic has no ready pod; empty when it has one."""
    if not ctx.progress.weight or ctx.observed.ready(ctx.target):
        return ""
    pods = ctx.observed.pods_of(ctx.target)
    since = parse(ctx.progress.step_start_time) if ctx.progress.step_start_time else ctx.now
    deleted = [p for p in pods if p.terminating]
    replaced = [p for p in pods if not p.terminating and p.created >= since]
    if deleted or replaced or not pods:
        return " but has no ready pods because its pods were deleted"
    return " but none of its pods is ready"


def _waiting_for_cluster(
    ctx: RolloutContext, base: PhaseResult, need: int, missing: Cause
) -> PhaseResult:
    """Waits for something that the cluster does not provide to a pod.

    That is not the version's fault, so no deadline applies (R25).
    """
    where = location(missing.pod, missing.container)
    named = obstacle(ctx, ctx.target)
    # The cluster's own text, where it has one, instead of a general one for the same pod.
    is_named = named is not None and (named.reason, named.place) == (missing.reason, missing.place)
    text = named.message if named is not None and is_named else missing.message
    result = blocked(ctx, base, Blocker(missing.reason, f"{text}{where}"))
    if is_named:
        result = result.explaining(ctx.target, missing.place)
    return result.wait(
        missing.reason,
        result.message,
        observed=f"{ctx.observed.ready(ctx.target)} ready",
        threshold=f"{need} ready",
        pod=missing.pod,
        container=missing.container,
    )


def held_weight(ctx: RolloutContext, base: PhaseResult, *, relief: bool) -> list[Action]:
    """Returns the writes that hold the weight, unless this decision moves traffic already."""
    moves = any(isinstance(action, SelectColor | SetRouteWeights) for action in base.actions)
    return [] if moves else ctx.router.hold_weight(ctx, relief=relief)


def waiting_for_gateway(ctx: RolloutContext, base: PhaseResult, weight: int) -> PhaseResult:
    """Waits until every gateway has accepted the weight of the route (R6)."""
    pending_parents = ctx.observed.route.pending_parents if ctx.observed.route else ()
    who = ", ".join(pending_parents) or "the gateway"
    return base.at(progress_at(ctx, ctx.progress.weight)).wait(
        HoldReason.WAITING_FOR_GATEWAY,
        f"{describe(ctx, ctx.target)} {traffic_text(ctx)}",
        f"Waiting for {who} to accept weight {weight}",
        threshold=f"weight {weight}",
    )


def blocked(ctx: RolloutContext, base: PhaseResult, fault: Blocker) -> PhaseResult:
    """Waits until a new weight can be written and would take effect."""
    base = base.also(*held_weight(ctx, base, relief=False))
    result = base.at(progress_at(ctx, ctx.progress.weight)).wait(
        fault.reason,
        f"{describe(ctx, ctx.target)} {traffic_text(ctx)}: {fault.reason}: {fault.message}",
    )
    return result.with_rejection(fault.rejection)


def waiting_for_smoke_tests(
    ctx: RolloutContext, base: PhaseResult, step: Step | None
) -> PhaseResult:
    """Waits for the smoke tests, which have to pass before any traffic (R4)."""
    ready = ctx.observed.ready(ctx.target)
    pods = "pod" if ready == 1 else "pods"
    inconclusive = smoke_tests.inconclusive(ctx)
    then = next_move_text(step)
    running = f"Smoke tests are running against {ready} {pods}, and it {then} when they pass"
    return base.at(progress_at(ctx, ctx.progress.weight)).wait(
        smoke_tests.wait_reason(ctx),
        f"{describe(ctx, ctx.target)} {traffic_text(ctx)}",
        ": ".join(inconclusive) if inconclusive else running,
    )


def paused(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Waits for the end of a pause where no step is held."""
    base = base.also(*held_weight(ctx, base, relief=False))
    return base.at(progress_at(ctx, ctx.progress.weight)).wait(
        HoldReason.PAUSED,
        f"{describe(ctx, ctx.target)} {traffic_text(ctx)}, and the rollout is paused by "
        f"{ctx.pause_text}",
        resume_advice(ctx),
    )


def traffic_text(ctx: RolloutContext) -> str:
    """Returns what the candidate has of the traffic, as the predicate of a sentence."""
    if ctx.standby == ctx.target:
        return f"is at weight {ctx.progress.weight}"
    return (
        f"keeps weight {ctx.progress.weight}" if ctx.progress.weight else "receives no traffic yet"
    )


def next_move_text(step: Step | None) -> str:
    """Returns what the candidate does after the present wait."""
    return f"moves to weight {step.weight}" if step else "is promoted"


def resume_advice(ctx: RolloutContext) -> str:
    """Returns how the user ends a pause."""
    if ctx.settings.paused:
        return "To continue, set spec.paused to false"
    return command_advice("resume", ctx.target, "To continue")
