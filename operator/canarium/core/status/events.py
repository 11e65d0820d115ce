"""The Events of a decision. Each is emitted once, when the status that it belongs to changes."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import ConditionType, EventReason, RouteReason
from canarium.api.states import CommandOutcome, OutcomeKind, Phase
from canarium.api.status import Status
from canarium.core.context.commands import consumed
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.health import availability, obstacles
from canarium.core.messages import sentences
from canarium.core.outcomes import blocked_deletions, rejections
from canarium.core.routing import conflicts, failover
from canarium.core.status.analysis import verdict_events
from canarium.core.status.conditions import find
from canarium.core.status.gates import gate_events
from canarium.core.status.history import ended
from canarium.core.status.progress_events import progress_events

#: Conditions about prerequisites outside of the version.
_PREREQUISITES = (
    ConditionType.ROUTE_ACCEPTED,
    ConditionType.SMOKE_TESTS_READY,
    ConditionType.ANALYSIS_READY,
    ConditionType.GATES_READY,
    ConditionType.AUTOSCALER_READY,
    ConditionType.NOTIFICATIONS_READY,
)


def events_of(
    ctx: RolloutContext, before: Status, after: Status, result: PhaseResult
) -> tuple[Event, ...]:
    """Returns the Events of the step from the status `before` to the status `after`."""
    events = (
        *_commands(ctx, result),
        *_ignored(before, after),
        *_prerequisites(before, after),
        *obstacles.events(before, after),
        *conflicts.events(before, after),
        *blocked_deletions.events(before, after),
        *(rejections.rejection_events(ctx, before) if after.phase != Phase.INVALID else ()),
        *failover.events(ctx),
        *verdict_events(before.analysis, after.analysis),
        *availability.outage_events(before, after),
        *progress_events(ctx, before, after),
        *gate_events(ctx, before, after),
        *_promoted(ctx, result),
        *(() if _is_known_invalid(before, after) else result.events),
    )
    return tuple(replace(event, message=sentences(event.message)) for event in events)


def _commands(ctx: RolloutContext, result: PhaseResult) -> tuple[Event, ...]:
    return tuple(
        Event(
            "Normal" if a.result == CommandOutcome.ACCEPTED else "Warning",
            EventReason.COMMAND_ACCEPTED
            if a.result == CommandOutcome.ACCEPTED
            else EventReason.COMMAND_IGNORED,
            f"command {a.command} {a.revision}{'/' if a.token else ''}{a.token}: {a.message}",
        )
        for a in consumed(ctx, result)
    )


def _ignored(before: Status, after: Status) -> tuple[Event, ...]:
    reported_before = {(one.reason, one.object) for one in before.warnings}
    return tuple(
        Event("Warning", EventReason.STATUS_IGNORED, one.message)
        for one in after.warnings
        if (one.reason, one.object) not in reported_before
    )


def _prerequisites(before: Status, after: Status) -> tuple[Event, ...]:
    old_reasons = {c.type: c.reason for c in before.conditions}
    return tuple(
        Event("Warning", c.reason, c.message)
        for c in after.conditions
        if c.type in _PREREQUISITES and c.status == "False"
        if c.reason not in (old_reasons.get(c.type), RouteReason.PENDING)
    )


def _promoted(ctx: RolloutContext, result: PhaseResult) -> tuple[Event, ...]:
    """Returns the Event of a promotion whose own decision could not report it, as after a crash."""
    end = ended(ctx, result)
    live = end is not None and end.outcome == OutcomeKind.PROMOTED
    return (
        (Event("Normal", EventReason.PROMOTED, f"{describe(ctx, ctx.stable)} was promoted"),)
        if live
        else ()
    )


def _is_known_invalid(before: Status, after: Status) -> bool:
    """Returns whether the last status reported this generation as invalid, for the same reason."""

    def why(status: Status) -> tuple[int, str] | None:
        stalled = find(status, ConditionType.STALLED) if status.phase == Phase.INVALID else None
        return (status.observed_generation, stalled.reason) if stalled else None

    return why(before) is not None and why(before) == why(after)
