"""A model that is scaled to zero during a rollout, or before one (R5).

Callers go back to stable, then the candidate's pods end, then stable's. The weight and the step
that were reached stay as they are, and their time starts anew when the model wakes: first stable
gets all its pods, then the candidate, so that waking never gives it more than its weight either.
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.status import Progress
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.context.progress import progress_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Scale
from canarium.core.facts.grant import asked
from canarium.core.health.availability import serving_now
from canarium.core.health.failure_causes import judge
from canarium.core.times import spoken

_SLEEPING = (HoldReason.SCALED_TO_ZERO, HoldReason.SCALING_UP_STABLE)


def asleep(s: Situation, base: PhaseResult) -> PhaseResult:
    """Waits while the model wants no pods: nothing of the candidate is made, and its pods end."""
    moves: list[Action] = []
    withdrawn = s.router.withdraw(s, moves, candidate=s.target)
    # Without a ready pod of stable nobody can take the traffic back; it is to end.
    if s.observed.replicas(s.target) and (withdrawn or not s.observed.ready(s.stable)):
        moves.append(Scale(s.target, 0))
    weight = asked(s.progress)
    start = f"at weight {weight}" if weight else "from its start"
    return (
        base.also(*moves)
        .at(_clocks_stopped(s))
        .wait(
            HoldReason.SCALED_TO_ZERO,
            f"{describe(s, s.target)} waits because the model is scaled to zero; its rollout "
            f"continues {start} once the model is scaled up",
            serving_now(s),
        )
    )


def is_waking(s: Situation) -> bool:
    """Whether stable has yet to get its pods after it was scaled up from zero.

    That is no outage, until it fails or takes longer than a candidate may.
    """
    held = s.status.hold
    if held is None or held.awaited not in _SLEEPING or s.strategy == "Recreate":
        return False
    if s.observed.ready(s.stable) >= s.count or _until(s) <= s.now:
        return False
    pods, limit = s.observed.pods_of(s.stable), s.settings.unschedulable_deadline
    fails = judge(pods, now=s.now, unschedulable_deadline=limit, was_good=False).cause
    return fails is None


def waking(s: Situation, base: PhaseResult) -> PhaseResult:
    """Waits until stable has its pods, so that the candidate's weight means what it says."""
    ready = s.observed.ready(s.stable)
    return (
        base.at(_clocks_stopped(s))
        .recheck_in(_until(s) - s.now)
        .wait(
            HoldReason.SCALING_UP_STABLE,
            f"{describe(s, s.target)} waits until {describe(s, s.stable)} has its {s.count} pods "
            f"again after the model was scaled up ({ready} ready), at the latest until "
            f"{spoken(_until(s))}",
            until=_until(s),
            observed=f"{ready} ready",
            threshold=f"{s.count} ready",
        )
    )


def _until(s: Situation) -> float:
    return min(s.waiting_since(HoldReason.SCALING_UP_STABLE), s.now) + s.settings.progress_deadline


def _clocks_stopped(s: Situation) -> Progress:
    progress = progress_at(s, s.progress.weight)
    return progress.model_copy(update={"step_since": None})
