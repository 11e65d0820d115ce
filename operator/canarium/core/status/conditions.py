"""The conditions of a model, derived from facts and the phase.

`Available`: some version serves. `Ready`: the version in spec is promoted and healthy.
`Reconciling` and `Stalled` are the terms of kstatus for the same facts.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType, HoldReason, RouteReason
from canarium.api.states import Phase
from canarium.api.status import (
    AnalysisStatus,
    Condition,
    Status,
)
from canarium.core.context import pending_settings
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import is_answered
from canarium.core.context.router import Blocker
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health import analysis_results, autoscaling, obstacles, smoke_tests
from canarium.core.health.availability import (
    is_down,
    is_recreating,
    is_scaling_up,
    outage_reason,
    outage_text,
)
from canarium.core.messages import sentences
from canarium.core.outcomes import (
    blocked_deletions,
    gate_progress,
    rejections,
    resolution,
    write_back,
)
from canarium.core.routing import conflicts
from canarium.core.routing.acceptance import route_not_in_effect
from canarium.core.status.condition_texts import meaning
from canarium.core.times import stamp

#: Number of objects and paths changed by a policy that are named.
_OBJECTS, _PATHS = 3, 5
#: Holds in which a failed version keeps its traffic because a write is rejected.
BLOCKED = frozenset({HoldReason.ROLLBACK_BLOCKED, HoldReason.UNDO_BLOCKED})
VALID = (ConditionReason.VALID, "")
MOVING = frozenset({Phase.STARTING, Phase.PROGRESSING, Phase.ROLLING_BACK})
STUCK = frozenset({Phase.INVALID, Phase.FAILED, Phase.ROLLED_BACK})


def find(status: Status, kind: str) -> Condition | None:
    """Returns the condition of this type; None if the status has none."""
    return next((c for c in status.conditions if c.type == kind), None)


def _outdated(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition that the target's runtime has changed, which changes no pods (R1)."""
    record, current = ctx.observed.record(ctx.target), ctx.observed.runtime
    if record is None or record.runtime_digest in (None, current.digest) or current.digest is None:
        return ()
    text = sentences(
        f"revision {ctx.target} was created from an older version of "
        f"{current.kind}/{current.name} and keeps it",
        "To adopt the newer one, change spec.restartToken",
    )
    return ((ConditionType.RUNTIME_OUTDATED, True, ConditionReason.RUNTIME_CHANGED, text),)


def _modified(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition that an admission policy changed applied objects, and that this is
    kept."""
    if not ctx.observed.modified:
        return ()
    what = ", ".join(
        f"{one.object} ({', '.join(one.paths[:_PATHS])})"
        for one in ctx.observed.modified[:_OBJECTS]
    )
    text = f"Admission changed objects that the operator applied, and the changes are kept: {what}"
    return ((ConditionType.MODIFIED_BY_ADMISSION, True, ConditionReason.ADMISSION_POLICY, text),)


def _notifications(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition that a text for notifications cannot be rendered."""
    fault = ctx.observed.notification_fault
    if fault is None:
        return ()
    text = sentences(fault, "Sinks that permit texts of models send their own text instead")
    return (
        (
            ConditionType.NOTIFICATIONS_READY,
            False,
            ConditionReason.NOTIFICATION_TEXT_INVALID,
            text,
        ),
    )


def _availability(ctx: RolloutContext, result: PhaseResult, is_serving: bool) -> str:
    if is_serving:
        return ConditionReason.SERVING
    if result.stable is None:
        return ConditionReason.NO_VERSION_PROMOTED
    if ctx.stable_replicas == 0:
        return ConditionReason.SCALED_TO_ZERO
    if is_recreating(ctx, result.stable):
        return ConditionReason.RECREATING
    if is_scaling_up(ctx, result.stable):
        return ConditionReason.SCALING_UP
    return outage_reason(ctx, result.stable)


def _why_not_ready(
    ctx: RolloutContext, phase: Phase, result: PhaseResult, routed: Blocker | None
) -> str:
    """Returns the reason of a condition that is False; never the name of a phase in which it would
    hold."""
    if result.reason:
        return result.reason
    if phase not in (Phase.READY, Phase.BAKING, Phase.DEGRADED):
        return phase
    if routed:
        return routed.reason
    if is_down(ctx, result.stable):
        return outage_reason(ctx, result.stable)
    if ctx.observed.ready(result.stable) < ctx.stable_replicas:
        return ConditionReason.PODS_NOT_READY
    return ConditionReason.ENDPOINTS_NOT_READY


def _rolled_back(
    ctx: RolloutContext, result: PhaseResult, phase: Phase, rolled: bool
) -> tuple[str, str]:
    """Returns reason and message: a version is not rolled back while callers still reach it."""
    if rolled:
        return result.reason or ConditionReason.UNKNOWN, result.message
    if phase != Phase.ROLLING_BACK or result.waiting_for is None:
        return ConditionReason.NOT_ROLLED_BACK, ""
    return result.waiting_for.reason, result.message


def conditions_of(
    ctx: RolloutContext,
    phase: Phase,
    result: PhaseResult,
    generation: int,
    analysis: AnalysisStatus | None,
) -> tuple[Condition, ...]:
    """Returns the conditions of the status after `result`, with their transition times."""
    # Endpoints, not pods: a Service that was just changed does not serve yet.
    is_serving = is_answered(ctx)
    current = result.stable is not None and result.stable == ctx.target
    healthy = ctx.observed.ready(result.stable) >= ctx.stable_replicas if current else False
    settled = phase in (Phase.READY, Phase.BAKING, Phase.DEGRADED)
    routed = route_not_in_effect(ctx)
    failing = settled and bool(result.reason)
    idle = ctx.stable_replicas == 0 and result.stable is not None  # As the spec requests.
    answers = (is_serving or idle) and routed is None
    ready = current and healthy and answers and phase in (Phase.READY, Phase.BAKING) and not failing
    rejected = settled and routed is not None and routed.reason != RouteReason.PENDING
    moving = phase in MOVING or (
        current
        and phase not in STUCK
        and not rejected
        and (not healthy or routed is not None or failing or not answers)
    )
    rolled = phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) and not result.receives_traffic
    stuck = phase in STUCK or rejected
    down = is_down(ctx, result.stable) and not is_serving
    reason = _why_not_ready(ctx, phase, result, routed)
    waits = result.waiting_for.reason if result.waiting_for else reason
    facts: tuple[tuple[str, bool, str, str], ...] = (
        (
            ConditionType.AVAILABLE,
            is_serving,
            _availability(ctx, result, is_serving),
            ""
            if is_serving
            else outage_text(ctx, result.stable)
            if down
            else "No endpoint is ready",
        ),
        (
            ConditionType.READY,
            ready,
            (ConditionReason.SCALED_TO_ZERO if idle else ConditionReason.PROMOTED)
            if ready
            else ConditionReason.ROLLED_BACK
            if rolled
            else reason,
            result.message,
        ),
        (
            ConditionType.PROGRESSING,
            moving,
            waits if moving else phase,
            result.message if moving else "",
        ),
        (ConditionType.ROLLED_BACK, rolled, *_rolled_back(ctx, result, phase, rolled)),
        (ConditionType.RECONCILING, moving, reason if moving else phase, ""),
        (
            ConditionType.STALLED,
            stuck,
            reason if stuck else ConditionReason.NOT_STALLED,
            result.message if stuck else "",
        ),
    )
    blocked = rejections.blocked(ctx)
    waits_for_write = blocked is not None and result.rejection == blocked
    if blocked and waits_for_write and result.waiting_for and result.waiting_for.awaited in BLOCKED:
        why = f"{result.waiting_for.reason}: {rejections.quoted(blocked)}"
        facts += ((ConditionType.ROLLBACK_BLOCKED, True, rejections.reason_of(blocked), why),)
    facts += (*resolution.reported(ctx), *write_back.reported(ctx))
    facts += (*_outdated(ctx), *_modified(ctx), *_notifications(ctx))
    facts += (*obstacles.reported(ctx), *autoscaling.reported(ctx), *pending_settings.reported(ctx))
    facts += blocked_deletions.reported(ctx)
    if ctx.observed.rejections:
        first = ctx.observed.rejections[0]
        why = sentences(*(rejections.quoted(r) for r in ctx.observed.rejections[:3]))
        facts += ((ConditionType.WRITES_REJECTED, True, rejections.reason_of(first), why),)
    if ctx.settings.smoke_tests:
        wrong = smoke_tests.inconclusive(ctx)
        facts = (*facts, (ConditionType.SMOKE_TESTS_READY, wrong is None, *(wrong or VALID)))
    if ctx.route_kind:
        answer = (routed.reason, routed.message) if routed else (RouteReason.ACCEPTED, "")
        facts = (
            *facts,
            (ConditionType.ROUTE_ACCEPTED, routed is None, *answer),
            *conflicts.reported(ctx),
        )
    if ctx.settings.analysis:
        # Not the version's fault: the spec's query cannot be evaluated (R21).
        fault = ctx.template_checks.missing or analysis_results.spec_fault(ctx, analysis)
        facts = (*facts, (ConditionType.ANALYSIS_READY, fault is None, *(fault or VALID)))
    facts += gate_progress.reported(ctx)
    old = {condition.type: condition for condition in ctx.status.conditions}
    conditions = []
    for kind, value, why, text in facts:
        state = "True" if value else "False"
        before = old.get(kind)
        since = before.last_transition_time if before and before.status == state else stamp(ctx.now)
        conditions.append(
            Condition(
                type=kind,
                status=state,
                reason=why,
                message=sentences(text) or meaning(kind, value),
                last_transition_time=since,
                observed_generation=generation,
            )
        )
    return tuple(conditions)
