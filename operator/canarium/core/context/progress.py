"""The candidate's progress as a decision reports it: the next step, and the clock of the waiting.

The clock counts the seconds in which the candidate waited for pods, and nothing else: it runs from
`waiting_since` while pods are missing and is added to `waited` when they are ready (R7).
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.api.status import Progress, StepStatus
from canarium.core.context.context import Situation
from canarium.core.context.deadlines import last_ready
from canarium.core.context.position import following, issued_by, place, standing
from canarium.core.facts.grant import pause_text
from canarium.core.times import parse, stamp


def next_step(s: Situation) -> Step | None:
    """Returns the step to reach or hold; None when only promotion is left (R11, R12)."""
    if s.strategy != "Canary" or s.progress.full or s.ordered("promote-full"):
        return None
    if s.target in s.promoted:
        return None
    step = standing(s) or following(s)
    return None if step and step.weight >= 100 and step.pause == 0 else step


def current_progress(s: Situation) -> Progress:
    """Returns the progress with what holds for the whole rollout: strategy, steps, promote-full."""
    order = s.ordered("promote-full")
    by = issued_by(order) if order else s.progress.by
    full = s.progress.full or order is not None
    steps = tuple(StepStatus(weight=x.weight, pause=pause_text(x.pause)) for x in s.steps)
    return s.progress.model_copy(
        update={"full": full, "by": by, "strategy": s.strategy, "steps": steps}
    )


def progress_waiting(s: Situation, count: int) -> Progress:
    """Returns the progress with the clock running until `count` pods are ready.

    Where these are more than were asked for before, the clock stood still since those were ready.
    """
    progress = current_progress(s)
    if progress.waiting_since and s.observed.replicas(s.target) < count and last_ready(s):
        progress = progress_at(s, progress.weight)
    if progress.waiting_since:
        return progress
    return progress.model_copy(update={"waiting_since": stamp(s.now)})


def progress_at(s: Situation, weight: int) -> Progress:
    """Returns the progress at `weight` with the clock stopped.

    It stopped when the last pod became ready, also where the operator saw that later.
    """
    p, last = s.progress, last_ready(s)
    ended = min(s.now, (last.ready_changed if last else None) or s.now)
    waited = p.waited + (max(0.0, ended - parse(p.waiting_since)) if p.waiting_since else 0.0)
    since = p.step_since if p.weight == weight else None
    return current_progress(s).model_copy(
        update={
            "step": place(s),
            "weight": weight,
            "step_since": since,
            "waiting_since": None,
            "waited": round(waited, 3),
        }
    )
