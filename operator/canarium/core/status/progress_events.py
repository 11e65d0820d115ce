"""The Events of a rollout's progress: started, weight in effect, paused, waiting, blocked.

Each belongs to one transition of the status and is emitted with it, so a restart repeats none.
A message describes the status after it. A status that was lost starts no new story:
nothing is reported until the next transition.
"""

from __future__ import annotations

from canarium.api.effective_spec import MANUAL
from canarium.api.reasons import EventReason, HoldReason
from canarium.api.states import Phase
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.plan import Event
from canarium.core.facts.grant import pause_of
from canarium.core.messages import command_advice, sentences
from canarium.core.times import duration_text

#: Waits in which a rollout or a rollback cannot continue, and no other Event reports it.
_BLOCKED = frozenset(
    {HoldReason.ROLLBACK_BLOCKED, HoldReason.UNDO_BLOCKED, HoldReason.ENDPOINTS_NOT_READY}
)


def progress_events(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    """Returns the Events for what `after` has reached and `before` had not."""
    if before.is_new:
        return ()
    return (
        *_started(ctx, before, after),
        *_weight_in_effect(ctx, before, after),
        *_paused(ctx, before, after),
        *_waiting_for_promotion(ctx, before, after),
        *_blocked(before, after),
    )


def _started(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    new, old, stable = after.candidate, before.candidate, after.stable
    if after.phase != Phase.PROGRESSING or new is None or stable is None:
        return ()
    if old and old.revision == new.revision:
        return ()
    # A candidate that already runs continues after a spec that was invalid for a while. Otherwise,
    # its Deployment proves nothing: it exists before the first status that reports the rollout,
    # which may have been rejected, or lost with the process.
    if before.phase == Phase.INVALID and ctx.observed.deployment(new.revision):
        return ()
    text = sentences(
        f"the rollout of {describe(ctx, new.revision)} started",
        f"{describe(ctx, stable.revision)} stays stable until the promotion",
    )
    return (Event("Normal", EventReason.ROLLOUT_STARTED, text),)


def _weight_in_effect(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    reached = _reached(after)
    if reached is None or reached == _reached(before):
        return ()
    revision, weight = reached
    share = after.candidate.effective_weight if after.candidate else 0
    pause = pause_of(after.progress.pause) if after.progress and after.progress.pause else None
    text = sentences(
        f"{describe(ctx, revision)} has weight {weight}"
        f"{f' (step {after.step})' if after.step else ''} and receives {share}% of the traffic",
        f"The pause of this step is {duration_text(pause)}" if pause else "",
    )
    return (Event("Normal", EventReason.WEIGHT_IN_EFFECT, text),)


def _reached(status: Status) -> tuple[str, int] | None:
    """Returns the candidate and the weight that a step has brought it to; None without any."""
    progress, candidate = status.progress, status.candidate
    if progress is None or candidate is None or not progress.weight:
        return None
    return candidate.revision, progress.weight


def _paused(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    if not _is_paused(after) or _is_paused(before) or after.pause is None:
        return ()
    text = sentences(
        f"the rollout of {describe(ctx, ctx.target)} is paused by {ctx.pause_text}",
        "Steps and bake do not continue, and failing versions are still rolled back",
    )
    return (Event("Normal", EventReason.ROLLOUT_PAUSED, text),)


def _is_paused(status: Status) -> bool:
    """Returns whether a pause holds a rollout or a bake; spec.paused may be set without either."""
    rolling = status.candidate is not None and status.stable is not None
    return status.pause is not None and (rolling or status.previous is not None)


def _waiting_for_promotion(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    awaited = _promotion(after)
    if awaited is None or awaited == _promotion(before):
        return ()
    revision, weight, _ = awaited
    text = sentences(
        f"{describe(ctx, revision)} has weight {weight} and waits for the command promote",
        command_advice("promote", revision, "To continue"),
        command_advice("abort", revision, "To roll back"),
    )
    return (Event("Normal", EventReason.WAITING_FOR_PROMOTION, text),)


def _promotion(status: Status) -> tuple[str, int, int] | None:
    """Returns the candidate, the weight and the pause at that weight which a person has to end."""
    progress, candidate, hold = status.progress, status.candidate, status.waiting_for
    if progress is None or candidate is None or progress.step_start_time is None:
        return None
    manual = progress.pause == MANUAL and progress.released is None
    removed = hold is not None and hold.awaited is HoldReason.ANALYSIS_REMOVED
    return (candidate.revision, progress.weight, progress.passed) if manual or removed else None


def _blocked(before: Status, after: Status) -> tuple[Event, ...]:
    old, new = before.waiting_for, after.waiting_for
    if new is None or new.awaited not in _BLOCKED or (old and old.reason == new.reason):
        return ()
    return (Event("Warning", new.reason, after.message),)
