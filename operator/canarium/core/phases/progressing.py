"""Phase Progressing: a candidate beside stable, moved step by step to all of the traffic.

`progressing` asks one question per line, in the order of their weight: an abort, room for the
candidate, a failure, a model without pods, a command to go on, a router that takes no weights, a
pause, pods, smoke tests, and last the step itself. What each answer does stands in the module of
that name.

A decision may end several steps at once, such as one whose pause is over before one of weight
that is in effect already. No status is written in between, as it would say nothing to anybody:
`progressing` loops over `_decide`, which returns either the result, or `StepOver` when it has
released a pause. Each release is final, so the loop ends with the list of steps.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.api.reasons import EventReason, HoldReason, OutcomeReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.context.position import (
    PROMOTION,
    granted,
    issued_by,
    refreshed,
    released,
    token_of,
)
from canarium.core.context.progress import current_progress, next_step
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Event, Scale
from canarium.core.facts.observed import Deployment
from canarium.core.health import gates
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.cause import Cause
from canarium.core.outcomes.records import command_cause, history_entry
from canarium.core.phases.creating import create_candidate
from canarium.core.phases.deployments import startable_replicas, store_revision
from canarium.core.phases.rolling_back import roll_back
from canarium.core.phases.scaled_to_zero import asleep, is_waking, waking
from canarium.core.phases.steps import StepOver, hold_step
from canarium.core.phases.waiting import (
    blocked,
    paused,
    waiting_for_gateway,
    waiting_for_pods,
    waiting_for_smoke_tests,
)
from canarium.core.routing import capacity
from canarium.core.times import length, spoken, stamp


def progressing(s: Situation) -> PhaseResult:
    """Decides the candidate's next move, after every step that is over."""
    events: tuple[Event, ...] = ()
    while True:
        s = replace(s, moved=refreshed(s))
        decided = _decide(s)
        events += decided.events
        if isinstance(decided, PhaseResult):
            return replace(decided, events=events)
        s = _past(s, decided)


def _past(s: Situation, over: StepOver) -> Situation:
    """Returns the situation with the pause released and the command that did so used up."""
    order = s.ordered("promote")
    by = issued_by(order) if order else over.progress.by if over.progress.full else None
    moved = released(s, over.progress, over.by).model_copy(update={"by": by})
    return replace(s, moved=moved, answers=tuple(a for a in s.answers if a.command != "promote"))


def _decide(s: Situation) -> PhaseResult | StepOver:
    base = PhaseResult(
        actions=store_revision(s),
        stable=s.stable,
        candidate=s.target,
        progress=current_progress(s),
    )
    aborted = command_cause(s, "abort")
    if aborted:
        return roll_back(s, base, aborted)
    deployment = s.observed.deployment(s.target)
    if deployment is None or s.strays or (s.previous and s.previous != s.target):
        return create_candidate(s, base)
    failed, recheck = judge_candidate(s, was_good=s.progress.weight > 0)
    failed = failed or gates.condemned(s)
    if failed:
        return roll_back(s, base, failed)
    if s.count == 0:
        return asleep(s, base)
    if is_waking(s):
        return waking(s, base)
    order = s.ordered("promote")
    if order:
        return StepOver(base.progress or current_progress(s), token_of(order))
    base = base.recheck_in(recheck)
    fault = s.router.fault(s)
    if fault:
        return blocked(s, base, fault)
    return _raise_weight(s, base, deployment)


def _raise_weight(
    s: Situation, base: PhaseResult, deployment: Deployment
) -> PhaseResult | StepOver:
    """Capacity before weight: pods, then smoke tests, then traffic (R4, R5)."""
    step = next_step(s)
    need = capacity.needed(s, step)
    if s.stable_broken:
        need = max(need, s.router.needed(100, s.count))
    frozen = bool(s.paused) and _rises(s, step, deployment, need)
    size = s.router.needed(s.progress.weight, s.count) if frozen else need
    base = base.also(*capacity.shrunk(s, size))
    if frozen and not s.stable_broken:
        return paused(s, base)
    if step and step.weight > s.progress.granted and s.router.rises_by_pods(s):
        # More pods raise the share: the record shows the weight before they are there.
        s = replace(s, moved=granted(s, step, current_progress(s)))
        base = base.at(current_progress(s))
    startable = startable_replicas(s, need)
    if deployment.replicas < startable:
        base = base.also(Scale(s.target, startable))
    passed = gates.smoke(s)
    if isinstance(passed, Cause):
        return roll_back(s, base, passed)
    ready, down = s.observed.ready(s.target), s.down_since is not None
    if ready and not passed and (ready >= need or down):
        return waiting_for_smoke_tests(s, base, step)
    if frozen:
        # The pause holds steps, not the fix: the candidate answers, and that is all (R13, R16).
        return paused(s, base)
    if ready < need:
        return waiting_for_pods(s, base, step, need)
    if step is None:
        return _promote(s, base, deployment, need)
    return hold_step(s, base, step)


def _rises(s: Situation, step: Step | None, deployment: Deployment, need: int) -> bool:
    """Whether the next move would raise the candidate's share, which a pause forbids (R16)."""
    if step is None:
        return True
    has_pods = deployment.replicas >= need and not s.router.covers(s, s.target)
    rises = step.weight > s.progress.weight or step.weight == 0
    return rises and not (s.given and has_pods)


def _promote(s: Situation, base: PhaseResult, deployment: Deployment, need: int) -> PhaseResult:
    """Every step is done and all pods are ready: one write makes the candidate stable (R14)."""
    if not s.router.ready_to_promote(s):
        if not s.route_kind:
            return waiting_for_pods(s, base, None, need)
        moves = s.router.give(s, 100)
        if moves:
            full = granted(s, Step(100, 0.0), current_progress(s))
            s = replace(s, moved=released(s, full, PROMOTION))
        return waiting_for_gateway(s, base.also(*moves), 100)
    bakes = s.settings.bake_time > 0 and s.strategy != "Recreate"
    previous = s.stable if bakes else None
    until = s.now + s.settings.bake_time
    wait = Wait(HoldReason.BAKE, until=stamp(until), threshold=length(s.settings.bake_time))
    warm = f"{describe(s, s.stable)} stays warm until {spoken(until)}" if bakes else ""
    base = base.also(*s.router.promote(s, s.target, deployment.color, previous, stamp(s.now)))
    return replace(
        base.say(f"{describe(s, s.target)} is serving", warm),
        phase="Baking" if bakes else "Ready",
        stable=s.target,
        candidate=None,
        progress=None,
        previous=previous,
        bake_since=stamp(s.now) if bakes else None,
        waiting_for=wait if bakes else None,
        outcome=history_entry(
            s, s.target, "Promoted", OutcomeReason.STEPS_DONE, by=current_progress(s).by
        ),
        events=(Event("Normal", EventReason.PROMOTED, f"revision {s.target} is live"),),
        requeue_after=s.settings.bake_time if bakes else 0.0,
    )
