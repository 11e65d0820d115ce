"""Decides what to do with one model at one moment: `plan`, pure and total.

Reading order: `core.phases.table` (which phase, and what it does), then the phases by their names,
then `core.context.context` (what the facts mean). `plan` itself only puts the parts together: the
row of the table decides, reports and bookkeeping are added, and status and Events are derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.status import Status
from canarium.core.bookkeeping.adoption import adoption
from canarium.core.bookkeeping.restored_records import restoration
from canarium.core.bookkeeping.traffic_record import ordered, recorded
from canarium.core.bookkeeping.upkeep import notes, orphans, pinning, pruning, scaling
from canarium.core.context.commands import answered
from canarium.core.context.context import Situation
from canarium.core.context.sanitize import believed
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Asked, Plan, Watch
from canarium.core.facts.observed import Observed
from canarium.core.health import autoscaling, gates, obstacles
from canarium.core.outcomes import blocked_deletions, refusals
from canarium.core.phases.leftover_pods import restore_labels
from canarium.core.phases.reports import with_reports
from canarium.core.phases.table import TABLE
from canarium.core.routing.failover import guarded
from canarium.core.status.events import events_of
from canarium.core.status.status import status_of
from canarium.core.times import parse


def plan(
    spec: Mapping[str, Any],
    settings: EffectiveSpec,
    status: Status,
    observed: Observed,
    *,
    now: float,
    generation: int,
    name: str,
) -> Plan:
    """Returns the decision for one moment. Total: any combination of facts gives a safe plan.

    `spec` is the raw object (for identity), `now` POSIX seconds.
    """
    adopting = adoption(status, observed)
    if adopting:
        return adopting
    known, disbelieved = believed(status, now)
    s = Situation(name, spec, settings, known, observed, now, disbelieved=disbelieved)
    restoring = restoration(s, status)
    if restoring:
        return restoring
    s = _with_commands(s)
    row = next(row for row in TABLE if row.when(s))
    result = guarded(s, row.then(s))
    phase, result = with_reports(s, result.phase or row.phase, result)
    after = status_of(s, phase, result, generation)
    result = result.recheck_in(s.router.recheck(s))
    for wait in (
        s.broken_in,
        obstacles.recheck(s),
        blocked_deletions.recheck(s),
        autoscaling.recheck(s),
    ):
        result = result.recheck_in(wait)
    return Plan(
        phase=phase,
        status=after,
        actions=_actions(s, result),
        events=events_of(s, status, after, result),
        requeue_after=result.requeue_after,
        pressing=after.essence() != status.essence(),
        asked=_asked(s, after),
        route_kept=s.router.frozen(s),
        urgent=_is_urgent(s, phase),
    )


def _with_commands(s: Situation) -> Situation:
    """Returns the situation with the commands that this decision carries out.

    A command that the traffic record could not keep waits until it can.
    """
    waiting = tuple(ordered(s))
    answers = tuple(a for a in answered(s) if a.command not in waiting or a.result != "Done")
    return replace(s, answers=answers) if answers else s


def _actions(s: Situation, result: PhaseResult) -> tuple[Action, ...]:
    """Returns the writes in their order: what moves traffic stays in the order of the phase."""
    moves = recorded(s, result, (*result.actions, *s.router.upkeep(s, result)))
    return (
        # First: what follows may start a pod, which reads it.
        *pinning(s),
        *moves,
        *notes(s, result, moves),
        *scaling(s, result),
        *orphans(s, result),
        *restore_labels(s, result),
        *pruning(s),
    )


def _is_urgent(s: Situation, phase: str) -> bool:
    """Whether callers depend on a rejected write that moves traffic: a failed version keeps its
    share, a promotion or an undo is due, or nobody answers."""
    if refusals.blocked(s) is None:
        return False
    return phase not in ("Ready", "RolledBack") or not s.observed.ready(s.stable)


def _asked(s: Situation, after: Status) -> Asked:
    """Returns the facts that this decision waits for: smoke tests, and evidence on who has
    traffic."""
    smoke = after.hold is not None and after.hold.awaited in gates.SMOKE_WAITS
    return Asked(
        smoke=s.target if smoke else None, watch=_watch(s, after), pods=obstacles.unexplained(s)
    )


def _watch(s: Situation, after: Status) -> Watch | None:
    judging, progress = s.settings.analysis, after.progress
    shadowed = progress and progress.step_since and gates.judges(s, 0)
    if judging and after.candidate and after.stable and progress and (progress.weight or shadowed):
        # Between two steps it is judged on as before.
        earlier = after.analysis.since if after.analysis else None
        began = progress.step_since or earlier
        if began and gates.judges(s, progress.weight):
            return Watch(after.candidate.revision, after.stable.revision, parse(began))
    elif judging and judging.during_bake and after.previous and after.stable and after.bake_since:
        return Watch(after.stable.revision, after.previous.revision, parse(after.bake_since))
    return None
