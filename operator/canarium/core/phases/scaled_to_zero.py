"""A model that is scaled to zero in the midst of a rollout, or before one (R5).

Callers go back to stable, then the candidate's pods end, then stable's. The weight and the step
that were reached stay as they are, and their time starts anew when the model wakes: first stable
gets all its pods, then the candidate, so that waking never gives it more than its weight either.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.status import Progress
from canarium.core.context.context import Situation
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Action, Scale
from canarium.core.facts.grant import asked
from canarium.core.health.availability import serving_now
from canarium.core.health.pods import judge
from canarium.core.outcomes.messages import sentences
from canarium.core.outcomes.moves import arrived, hold, replicas_of, word
from canarium.core.times import parse, spoken

ASLEEP = "ScaledToZero"
WAKING = "Waking"


def asleep(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """Nobody is to run: nothing of the candidate is made, and what there is ends."""
    off = s.router.withdraw(s, actions, candidate=s.target)
    # Without a ready pod of stable there is nobody to give the traffic back to; it is to end.
    if replicas_of(s, s.target) and (off or not s.observed.ready(s.stable)):
        actions.append(Scale(s.target, 0))
    weight = asked(s.progress)
    goes_on = f"at weight {weight}" if weight else "from its start"
    return replace(
        base,
        message=sentences(
            f"{word(s, s.target)} waits because the model is scaled to zero; its rollout "
            f"continues {goes_on} once the model is scaled up",
            serving_now(s),
        ),
        actions=tuple(actions),
        progress=_still(s),
        hold=hold(s, ASLEEP),
    )


def is_waking(s: Situation) -> bool:
    """Whether stable has yet to get its pods after it was scaled up from zero. That is no outage,
    until it fails or takes longer than a candidate may."""
    held = s.status.hold
    if held is None or held.reason not in (ASLEEP, WAKING) or s.strategy == "Recreate":
        return False
    if s.observed.ready(s.stable) >= s.count or _until(s) <= s.now:
        return False
    pods, limit = s.observed.pods_of(s.stable), s.settings.unschedulable_deadline
    fails = judge(pods, now=s.now, unschedulable_deadline=limit, was_good=False).cause
    return fails is None


def waking(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """Waits until stable has its pods, so that the candidate's weight means what it says."""
    ready = s.observed.ready(s.stable)
    return replace(
        base,
        message=f"{word(s, s.target)} waits until {word(s, s.stable)} has its {s.count} pods again "
        f"after the model was scaled up ({ready} ready), at the latest until {spoken(_until(s))}",
        actions=tuple(actions),
        progress=_still(s),
        hold=hold(
            s,
            WAKING,
            until=_until(s),
            observed=f"{ready} ready",
            threshold=f"{s.count} ready",
        ),
        requeue_after=_until(s) - s.now,
    )


def _until(s: Situation) -> float:
    held = s.status.hold
    began = parse(held.since) if held and held.reason == WAKING else s.now
    return min(began, s.now) + s.settings.progress_deadline


def _still(s: Situation) -> Progress:
    """Progress whose clocks stand still."""
    progress = arrived(s, s.progress.weight)
    return progress.model_copy(update={"step_since": None})
