"""Before the candidate's Deployment exists: makes room for it, then creates it.

It needs a colour of its own, which means: one colour selected, and no pod of the other one left,
terminating ones included. So older candidates and a warm version are deleted first (R10).
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.context.progress import next_step
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, CreateDeployment, Scale
from canarium.core.health.availability import serving_now
from canarium.core.phases.deployments import delete_revisions, startable_replicas
from canarium.core.phases.leftover_pods import OVERDUE_AFTER, find_leftover, leftover_of_others
from canarium.core.phases.scaled_to_zero import asleep, is_waking, waking
from canarium.core.phases.takeover import successor, take_over, takes_over_at, wait_for_stable
from canarium.core.phases.waiting import waiting_for_pods


def create_candidate(s: Situation, base: PhaseResult) -> PhaseResult:
    """Deletes what stands in the way, then creates the candidate's Deployment."""
    at, other = takes_over_at(s), successor(s)
    if at is not None and at <= s.now and other:
        return take_over(s, base, other)
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    moves: list[Action] = []
    if s.router.withdraw(s, moves, candidate=s.target):
        moves += delete_revisions(s, (*s.strays, *previous))
    base = base.also(*moves)
    if other is None and s.standby != s.target:
        other = s.standby
    if other:
        return wait_for_stable(s, base, other, at)
    # With Recreate, stable may have to end first: nothing else may be left then that waits for it
    # to answer.
    if s.observed.deployment(s.target) or (s.strays and s.strategy == "Recreate"):
        return _wait(
            s, base, HoldReason.TERMINATING_OLD_REVISIONS, "older revisions are deleted first"
        )
    if s.count == 0:
        return asleep(s, base)
    if is_waking(s):
        return waking(s, base)
    if s.paused and not s.stable_broken:
        return _wait(s, base, HoldReason.PAUSED, f"paused by {s.paused}")
    left = [p for p in s.observed.pods_of(s.stable) if not s.is_stuck(p)]
    if s.strategy == "Recreate" and (left or s.observed.replicas(s.stable)):
        return _scale_down_stable(s, base)
    fault = s.router.fault(s)
    if fault:
        return _wait(s, base, fault.reason, f"{fault.reason}: {fault.message}")
    color = s.router.color(s)
    if color is None:
        late = leftover_of_others(s)
        text = f"pods of an older revision terminate first{late.text}"
        base = base.recheck_in(OVERDUE_AFTER)
        return _wait(s, base, HoldReason.TERMINATING_OLD_REVISIONS, text, pod=late.pod)
    step = next_step(s)
    count = s.router.needed(step.weight if step else 100, s.count)
    base = base.also(CreateDeployment(s.target, color, startable_replicas(s, count)))
    return waiting_for_pods(s, base.recheck_in(s.settings.progress_deadline), step, count)


def _wait(
    s: Situation, base: PhaseResult, reason: str, text: str, pod: str | None = None
) -> PhaseResult:
    return base.wait(reason, f"{describe(s, s.target)} waits: {text}", serving_now(s), pod=pod)


def _scale_down_stable(s: Situation, base: PhaseResult) -> PhaseResult:
    """Strategy Recreate: stable ends before the candidate starts (R22)."""
    if s.observed.replicas(s.stable):
        base = base.also(Scale(s.stable or "", 0))
    left = [p for p in s.observed.pods_of(s.stable) if not s.is_stuck(p)]
    late = find_leftover(s, left)
    return base.recheck_in(late.recheck).wait(
        HoldReason.SCALING_DOWN_STABLE,
        f"Recreate: scaling down {describe(s, s.stable)} first; expect downtime until the new pods "
        f"are ready{late.text}",
        pod=late.pod,
    )
