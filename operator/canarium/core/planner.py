"""The rollout as a table: the first row whose facts hold decides.

Everything that moves traffic or ends a revision lives here. A row is a phase, the facts that
put a model into it, and what is then done; rows only look at a `Situation` and are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.status import Status
from canarium.core.bookkeeping.adoption import adoption
from canarium.core.bookkeeping.restored_records import restoration
from canarium.core.bookkeeping.traffic_record import ordered, recorded
from canarium.core.bookkeeping.upkeep import notes, orphans, pinning, pruning, scaling, unseen
from canarium.core.context import pending_settings
from canarium.core.context.commands import answered, consumed
from canarium.core.context.context import Situation
from canarium.core.context.sanitize import believed
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Asked, Event, Plan, Watch
from canarium.core.facts.observed import Observed
from canarium.core.health import autoscaling, availability, gates, obstacles
from canarium.core.health.pods import changed
from canarium.core.outcomes import blocked_deletions, refusals
from canarium.core.outcomes.messages import sentences
from canarium.core.outcomes.moves import said
from canarium.core.phases.progressing import rolling_out
from canarium.core.phases.settled import baking, first_unserved, invalid, rolled_back, steady
from canarium.core.phases.starting import first_version
from canarium.core.routing import conflicts, failover
from canarium.core.routing.failover import guarded
from canarium.core.status import status as conditions
from canarium.core.status.history import ended
from canarium.core.times import parse

#: Phases in which the version in spec is promoted.
SETTLED = frozenset({"Ready", "Baking", "Degraded"})

#: Conditions about what a version needs beside itself.
_BESIDE = ("RouteAccepted", "SmokeTestsReady", "AnalysisReady", autoscaling.CONDITION)


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
    """The decision for one moment. Total: any combination of facts gives a safe plan.

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
    # A command that the record could not keep waits until it can.
    kept = tuple(ordered(s))
    answers = tuple(a for a in answered(s) if a.command not in kept or a.result != "Done")
    if answers:
        s = replace(s, answers=answers)
    row = next(row for row in TABLE if row.when(s))
    draft = guarded(s, row.then(s))
    phase = draft.phase or row.phase
    if availability.is_down(s, draft.stable):
        draft = replace(
            draft, message=sentences(draft.message, availability.outage_text(s, draft.stable))
        )
        if phase in SETTLED:
            phase = "Starting" if availability.is_scaling_up(s, draft.stable) else "Degraded"
    elif phase == "Ready" and s.down_since is not None and draft.stable == s.stable:
        phase = "Degraded"  # Another version answers in its place.
    refused = s.observed.rejection
    if refused and refused != draft.refusal and phase != "Invalid":
        told = f"a write is refused: {refusals.quoted(refused)}"
        draft = replace(draft, message=sentences(draft.message, told))
    routed = conditions.route_told(s)
    if routed and phase in SETTLED:
        told = f"{routed.reason}: {routed.message}"
        draft = replace(draft, message=sentences(draft.message, told))
    if phase in SETTLED:
        draft = _with_other_bytes(s, draft)
    if phase != "Invalid":
        draft = replace(draft, message=obstacles.named(s, draft.message))
        draft = replace(draft, message=pending_settings.named(s, draft.message))
        draft = replace(draft, message=conflicts.named(s, draft.message))
        draft = replace(draft, message=blocked_deletions.named(s, draft.message))
    if phase in ("Ready", "Baking"):
        draft = replace(draft, message=autoscaling.named(s, draft.message))
    draft = replace(draft, message=sentences(draft.message))
    moves = recorded(s, draft, (*draft.actions, *s.router.upkeep(s, draft)))
    actions = (
        # First: what follows may start a pod, which reads it.
        *pinning(s),
        *moves,
        *notes(s, draft, moves),
        *scaling(s, draft),
        *orphans(s, draft),
        *unseen(s, draft),
        *pruning(s),
    )
    after = conditions.status_of(s, phase, draft, generation)
    return Plan(
        phase=phase,
        status=after,
        actions=actions,
        events=(
            *_answers(s, draft),
            *_warnings(status, after),
            *_not_ready(status, after),
            *obstacles.events(status, after),
            *conflicts.events(status, after),
            *blocked_deletions.events(status, after),
            *(refusals.refusal_events(status, after) if phase != "Invalid" else ()),
            *failover.events(s),
            *gates.verdict_events(status.analysis, after.analysis),
            *availability.outage_events(status, after),
            *_arrival(s, draft),
            *(() if _known_invalid(status, after) else draft.events),
        ),
        requeue_after=_sooner(
            draft.requeue_after,
            s.router.recheck(s),
            s.broken_in,
            obstacles.recheck(s),
            blocked_deletions.recheck(s),
            autoscaling.recheck(s),
        ),
        pressing=after.essence() != status.essence(),
        asked=_asked(s, after),
        route_kept=s.router.frozen(s),
        urgent=_urgent(s, phase),
    )


def _urgent(s: Situation, phase: str) -> bool:
    """Whether callers depend on the write that moves traffic, which is refused: a failed version
    keeps its share, a promotion or an undo is due, or nobody answers."""
    if refusals.blocked(s) is None:
        return False
    return phase not in ("Ready", "RolledBack") or not s.observed.ready(s.stable)


def _known_invalid(before: Status, after: Status) -> bool:
    """Whether the status has called this very spec invalid before, for the same reason."""

    def why(status: Status) -> tuple[int, str] | None:
        stalled = conditions.find(status, "Stalled") if status.phase == "Invalid" else None
        return (status.observed_generation, stalled.reason) if stalled else None

    return why(before) is not None and why(before) == why(after)


def _with_other_bytes(s: Situation, draft: Draft) -> Draft:
    """A pod of stable serves what its version is not. That is told, and for somebody to end: what
    the others serve is right."""
    record = s.observed.record(s.stable)
    found = changed(s.observed.pods_of(s.stable), record.artifact if record else None)
    if found is None or draft.reason:
        return draft
    text = said(s.stable or "", found)
    known = conditions.find(s.status, "Ready")
    told = known is not None and known.reason == found.reason
    return replace(
        draft,
        message=sentences(draft.message, text),
        reason=found.reason,
        events=draft.events if told else (*draft.events, Event("Warning", found.reason, text)),
    )


def _sooner(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _asked(s: Situation, after: Status) -> Asked:
    """The facts that this decision waits for: smoke tests, or a look at who has traffic."""
    smoke = after.hold is not None and after.hold.reason in gates.SMOKE_WAITS
    judging, progress = s.settings.analysis, after.progress
    watch = None
    shadowed = progress and progress.step_since and gates.judges(s, 0)
    if judging and after.candidate and after.stable and progress and (progress.weight or shadowed):
        # Between two steps it is judged on as before.
        told = after.analysis.since if after.analysis else None
        began = progress.step_since or told
        if began and gates.judges(s, progress.weight):
            watch = Watch(after.candidate.revision, after.stable.revision, parse(began))
    elif judging and judging.during_bake and after.previous and after.stable and after.bake_since:
        watch = Watch(after.stable.revision, after.previous.revision, parse(after.bake_since))
    return Asked(smoke=s.target if smoke else None, watch=watch, pods=obstacles.unexplained(s))


def _answers(s: Situation, draft: Draft) -> tuple[Event, ...]:
    return tuple(
        Event(
            "Normal" if a.result == "Done" else "Warning",
            f"Command{a.result}",
            f"{a.command} {a.revision}{'/' if a.token else ''}{a.token}: {a.message}",
        )
        for a in consumed(s, draft)
    )


def _arrival(s: Situation, draft: Draft) -> tuple[Event, ...]:
    """A promotion that the decision which made it does not tell of."""
    end = ended(s, draft)
    live = end is not None and end.outcome == "Promoted"
    return (Event("Normal", "Promoted", f"revision {s.stable} is live"),) if live else ()


def _not_ready(before: Status, after: Status) -> tuple[Event, ...]:
    """That something beside the version is not ready, by the name that its condition has."""
    known = {c.type: c.reason for c in before.conditions}
    return tuple(
        Event("Warning", c.reason, c.message)
        for c in after.conditions
        if c.type in _BESIDE and c.status == "False"
        if c.reason not in (known.get(c.type), conditions.PENDING)
    )


def _warnings(before: Status, after: Status) -> tuple[Event, ...]:
    new = [text for text in after.warnings if text not in before.warnings]
    return tuple(Event("Warning", "Ignored", text) for text in new)


@dataclass(frozen=True)
class Row:
    """A phase: the facts that put a model into it, what is then done (as code and in words), and
    the phases that may follow while the spec stays as it is."""

    phase: str
    facts: str
    does: str
    then_to: tuple[str, ...]
    when: Callable[[Situation], bool]
    then: Callable[[Situation], Draft]


def _is_invalid(s: Situation) -> bool:
    """Nothing of the wanted revision runs yet, and it cannot be made.

    Once it runs, a refused write is no reason to stop judging it: then the other rows decide,
    and the refusal is only told; likewise once it has failed, when nothing of it is to be made.
    The callers' Service is made last, so a conflict over its name comes when the first version
    runs. What serves already is what the spec asks for: whatever of it cannot be put right, such
    as a Deployment that was deleted, is told where it serves.
    """
    rejection = s.observed.rejection
    late = s.stable is None and any(r.conflict for r in s.observed.rejections)
    if s.observed.deployment(s.target) is not None and not late:
        return False
    if (
        s.observed.foreign
        or s.observed.orphans
        or (rejection and not s.quarantined and s.target != s.stable)
    ):
        return True
    return bool(s.minted and s.observed.runtime.reason)


TABLE: tuple[Row, ...] = (
    Row(
        "Invalid",
        "the API server or a lookup refuses the spec, and nothing of it runs",
        "stable serves alone; the reason is told; tried again every 30 s",
        ("Starting", "Failed", "Progressing", "RolledBack", "Ready"),
        _is_invalid,
        invalid,
    ),
    Row(
        "Failed",
        "the wanted revision has failed, and there is no other to go back to",
        "its pods are kept for debugging, and answer where no other version does; a new spec or a "
        "retry replaces it",
        ("Starting", "Progressing", "Invalid"),
        lambda s: s.stable is None and s.quarantined,
        first_version,
    ),
    Row(
        "Starting",
        "no stable yet",
        "record, Deployment, gate; then one write gives it all traffic",
        ("Ready", "Degraded", "Failed", "Invalid"),
        lambda s: s.stable is None,
        first_version,
    ),
    Row(
        "RollingBack",
        "the wanted revision has failed, and some of it still runs",
        "traffic to stable in the same write as the latch, once that has a ready pod; "
        "then its pods go",
        ("RolledBack", "Progressing", "Invalid"),
        lambda s: (
            s.target != s.stable and s.quarantined and s.observed.deployment(s.target) is not None
        ),
        rolled_back,
    ),
    Row(
        "RolledBack",
        "the wanted revision has failed, and nothing of it runs",
        "stable serves; the latch holds until a new spec or a retry",
        ("Progressing", "Invalid"),
        lambda s: s.target != s.stable and s.quarantined,
        rolled_back,
    ),
    Row(
        "Progressing",
        "the spec asks for another revision than stable",
        "record, Deployment, gate; capacity before each weight; judged all the time; one write "
        "promotes it; it waits while the model is scaled to zero",
        ("Baking", "Ready", "Degraded", "RollingBack", "RolledBack", "Invalid"),
        lambda s: s.target != s.stable,
        rolling_out,
    ),
    Row(
        "Baking",
        "stable is what the spec asks for, and the revision before is still warm",
        "judged; the old revision answers while stable has no ready pod; a failure, an undo, or an "
        "outage that lasts or repeats gives it the traffic in one write, once it has a ready pod; "
        "at the end it is deleted",
        ("Ready", "Degraded", "RollingBack"),
        lambda s: s.previous is not None,
        baking,
    ),
    Row(
        "Degraded",
        "stable is what the spec asks for, and has no ready endpoint",
        "the message names pod, container, exit code and last log line; what differs is put "
        "right; traffic goes to whoever gets ready",
        ("Ready", "Starting", "Baking", "RollingBack"),
        lambda s: availability.is_down(s, s.stable) and not first_unserved(s),
        steady,
    ),
    Row(
        "Ready",
        "stable is what the spec asks for, and nothing else is warm",
        "what differs is put right, strays go",
        ("Degraded", "Starting"),
        lambda s: True,
        steady,
    ),
)
