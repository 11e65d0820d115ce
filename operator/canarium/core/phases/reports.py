"""Facts that may occur in any phase, added to what the row of the table decided (R29).

They add sentences and decide nothing about traffic or pods: an outage, a rejected write, a route
that is not in effect, pods that fetched other bytes, pods that do not start, pending settings,
another route for the same requests, a deletion that a finalizer blocks, an autoscaler that fails.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionType
from canarium.api.states import Phase
from canarium.core.context import pending_settings
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.health import autoscaling, obstacles
from canarium.core.health.pods import changed
from canarium.core.messages import event_text
from canarium.core.outcomes import blocked_deletions, rejections
from canarium.core.phases.degraded import SETTLED, report_outage
from canarium.core.routing import conflicts
from canarium.core.routing.acceptance import route_not_in_effect


def with_reports(
    ctx: RolloutContext, phase: Phase, result: PhaseResult
) -> tuple[Phase, PhaseResult]:
    """Returns phase and result with everything that is worth a sentence beside the phase."""
    phase, result = report_outage(ctx, phase, result)
    rejected = ctx.observed.rejection
    if rejected and rejected != result.rejection and phase != Phase.INVALID:
        result = result.add(f"The API server rejects a write: {rejections.quoted(rejected)}")
    routed = route_not_in_effect(ctx)
    if routed and phase in SETTLED and (routed.rejection is None or routed.rejection != rejected):
        result = result.add(f"{routed.reason}: {routed.message}")
    if phase in SETTLED:
        result = _report_changed_bytes(ctx, result)
    message = result.message
    if phase != Phase.INVALID:
        message = obstacles.named(ctx, result)
        message = pending_settings.named(ctx, message)
        message = conflicts.named(ctx, message)
        message = blocked_deletions.named(ctx, message)
    if phase in (Phase.READY, Phase.BAKING):
        message = autoscaling.named(ctx, message)
    return phase, result.with_message(message)


def _report_changed_bytes(ctx: RolloutContext, result: PhaseResult) -> PhaseResult:
    """Reports a pod of stable that serves other bytes than its revision records.

    The other pods serve the right model, so nothing is rolled back; a person decides.
    """
    record = ctx.observed.record(ctx.stable)
    cause = changed(ctx.observed.pods_of(ctx.stable), record.artifact if record else None)
    if cause is None or result.reason:
        return result
    text = event_text(ctx.stable or "", cause)
    ready = next((c for c in ctx.status.conditions if c.type == ConditionType.READY), None)
    result = result.add(text).with_reason(cause.reason)
    if ready is not None and ready.reason == cause.reason:
        return result
    return result.with_events(Event("Warning", cause.reason, text))
