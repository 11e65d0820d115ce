"""Undoes a promotion: the warm version before takes the traffic back in one write (R15)."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.weights import safe_to_select
from canarium.core.health.cause import Cause
from canarium.core.messages import explain
from canarium.core.outcomes.records import failure_record
from canarium.core.outcomes.refusals import blocked, quoted, until_refused
from canarium.core.phases.rolling_back import traffic_kept


def undo(s: Situation, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Undoes the promotion or, where that is not possible now, waits until it is."""
    if not _can_take_over(s):
        return _without_ready_pods(s, base, cause)
    if blocked(s):
        return _rejected(s, base, cause)
    undone = base.also(*s.router.undo(s)).fail(failure_record(s, cause))
    return replace(
        undone.wait(
            HoldReason.TERMINATING_FAILED_REVISION,
            f"Undoing the promotion of {describe(s, s.target)}: {explain(cause)}",
        ),
        phase="RollingBack",
        carrying=True,
        stable=s.previous,
        candidate=s.target,
        previous=None,
        bake_since=None,
    )


def _can_take_over(s: Situation) -> bool:
    """Whether the version before has a ready pod, and one where the Service would lead (R0)."""
    previous = s.observed.deployment(s.previous)
    ready = previous and s.observed.ready(s.previous)
    return bool(ready and previous and safe_to_select(previous.color, s.observed))


def _rejected(s: Situation, base: PhaseResult, cause: Cause) -> PhaseResult:
    refused = blocked(s)
    assert refused is not None
    base = base.also(*until_refused(s, s.router.undo(s))).wait(
        HoldReason.UNDO_BLOCKED,
        f"{_failed(s, cause)}: {quoted(refused)}",
        f"The undo to {describe(s, s.previous)} runs as soon as the write is allowed",
    )
    return replace(base.about(refused), reason=cause.reason)


def _without_ready_pods(s: Situation, base: PhaseResult, cause: Cause) -> PhaseResult:
    """The version before cannot take the traffic (R0); it is kept until it can."""
    base = base.wait(
        HoldReason.UNDO_HELD,
        f"{_failed(s, cause)}: {describe(s, s.previous)} has no ready pods",
        f"The undo runs as soon as it does, unless {describe(s, s.stable)} recovers first",
        observed="0 ready",
        threshold="1 ready",
    )
    return replace(base, reason=cause.reason)


def _failed(s: Situation, cause: Cause) -> str:
    return f"{describe(s, s.stable)} failed ({explain(cause)}) and {traffic_kept(s, s.stable)}"
