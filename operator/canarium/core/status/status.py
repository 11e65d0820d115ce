"""From a decision to the status that people and tools read.

`Available`: users are served by some version. `Ready`: the version in spec is the one promoted
and healthy. `Reconciling` and `Stalled` are kstatus' words for the same facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from canarium.api.status import (
    AnalysisStatus,
    CommandEcho,
    Condition,
    Failure,
    Outcome,
    RevisionStatus,
    Status,
)
from canarium.core.context import pending_settings
from canarium.core.context.commands import KEPT, consumed, shown
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import is_answered
from canarium.core.context.router import Fault
from canarium.core.decision.plan import CreateDeployment
from canarium.core.facts.observed import Pod
from canarium.core.health import autoscaling, gates, obstacles
from canarium.core.health.availability import (
    NOT_PROMOTED,
    RECREATING,
    SCALED_TO_ZERO,
    SCALING_UP,
    SERVING,
    is_down,
    is_recreating,
    is_scaling_up,
    outage_reason,
    outage_text,
)
from canarium.core.outcomes import blocked_deletions, refusals
from canarium.core.outcomes.moves import version_of
from canarium.core.routing import conflicts, failover
from canarium.core.status.history import ended
from canarium.core.times import spoken, stamp

if TYPE_CHECKING:
    from canarium.core.decision.phase_result import Draft

PENDING = "Pending"
#: So many objects and paths that a policy changed are named.
_OBJECTS, _PATHS = 3, 5
ROLLBACK_BLOCKED = "RollbackBlocked"
UNDO_BLOCKED = "UndoBlocked"
#: Holds in which a failed version keeps its traffic since a write is refused.
BLOCKED = frozenset({ROLLBACK_BLOCKED, UNDO_BLOCKED})
MOVING = frozenset({"Starting", "Progressing", "RollingBack"})
STUCK = frozenset({"Invalid", "Failed", "RolledBack"})


def status_of(s: Situation, phase: str, draft: Draft, generation: int) -> Status:
    """The whole status after `draft`; equal to the old one when nothing is new."""
    stable = _part(s, draft.stable, draft)
    candidate = _part(s, draft.candidate, draft)
    previous = _part(s, draft.previous, draft)
    down = s.down_since if draft.stable == s.stable else None
    parts = [part for part in (stable, candidate, previous) if part]
    analysis = gates.analysis_status(
        s, running=bool(draft.candidate or draft.previous or draft.failure)
    )
    return Status(
        observed_generation=generation,
        phase=phase,
        message=draft.message,
        version=version_of(s, draft.stable),
        weight=_weight(draft, candidate) if draft.stable else None,
        replicas=sum(part.replicas for part in parts),
        ready_replicas=sum(part.ready for part in parts),
        selector=f"canarium.dev/model={s.name}",
        stable=stable,
        candidate=candidate,
        previous=previous,
        progress=draft.progress,
        bake_since=draft.bake_since,
        stable_down_since=stamp(down) if down is not None else None,
        standby=failover.stands_in(s) if draft.stable == s.stable else None,
        outages=draft.outages or None,
        hold=draft.hold,
        pause=s.pause,
        analysis=analysis,
        route=s.router.status(s) if draft.stable else None,
        failure=_kept_failure(s, draft),
        refusals=refusals.refused_writes(s),
        warnings=warnings(s),
        commands=_commands(s, draft),
        conditions=_conditions(s, phase, draft, generation, analysis),
        history=_history(s, ended(s, draft), draft.outcome),
    )


def _weight(draft: Draft, candidate: RevisionStatus | None) -> int | None:
    """The candidate's percent: what is wanted, or what a version that failed still has."""
    if candidate is None:
        return None
    return candidate.effective_weight if draft.carrying else candidate.weight


def find(status: Status, kind: str) -> Condition | None:
    """The condition of this type, if the status has it."""
    return next((c for c in status.conditions if c.type == kind), None)


def warnings(s: Situation) -> tuple[str, ...]:
    """What is damaged and therefore ignored; each is told once by an Event."""
    found = list(s.disbelieved)
    for record in s.observed.records:
        if not record.intact:
            found.append(
                f"ControllerRevision {s.name}-{record.revision} was altered by hand and is "
                "ignored: no Deployment is made from it"
            )
    for deployment in s.observed.deployments:
        revision = deployment.revision
        if s.observed.record(revision) is None and revision != s.target:
            found.append(
                f"ControllerRevision {s.name}-{revision} is gone: its Deployment is left as it is, "
                "and cannot be made again if it is deleted"
            )
    for pod in s.observed.pods:
        if s.is_stuck(pod):
            due = spoken(pod.ends or s.now)
            found.append(
                f"Pod {pod.name} should have ended at {due} and is not waited for any longer: "
                f"{_stuck_by(s, pod)}"
            )
    if s.implausible:
        found.append("ignored status.progress: live traffic never had that weight")
    return tuple(sorted([*found, *_disbelieved(s)]))


def _stuck_by(s: Situation, pod: Pod) -> str:
    kept = s.observed.holding("Pod", pod.name)
    return f"it is kept by {blocked_deletions.finalizers(kept)}" if kept else "check its node"


def _disbelieved(s: Situation) -> list[str]:
    """What a status says of who serves that cannot be, as after an edit by hand."""
    parts = {
        name: part.revision
        for name in ("stable", "candidate", "previous")
        if (part := getattr(s.status, name))
    }
    found = [
        f"ignored status.{name}: revision {revision} does not exist"
        for name, revision in parts.items()
        if revision != s.target and not s.exists(revision)
    ]
    # After a promotion or an undo that the status does not tell of yet, it is one of the others.
    said = s.witness.traffic.stable if s.witness else None
    told = parts.get("stable")
    if told and s.exists(told) and said and s.exists(said) and said not in parts.values():
        found.append(f"ignored status.stable: live traffic is routed to revision {said}")
    return found


def _commands(s: Situation, draft: Draft) -> tuple[CommandEcho, ...]:
    """The newest answers, and those of all commands that still stand on the parent."""
    standing = dict(s.observed.annotations)
    known = (*consumed(s, draft), *s.status.commands)
    return tuple(
        echo
        for place, echo in enumerate(known)
        if place < KEPT
        or shown(standing.get(echo.command, "")) == f"{echo.revision}/{echo.token}".strip("/")
    )


def _part(s: Situation, revision: str | None, draft: Draft) -> RevisionStatus | None:
    if revision is None:
        return None
    record, deployment = s.observed.record(revision), s.observed.deployment(revision)
    made = next(
        (a for a in draft.actions if isinstance(a, CreateDeployment) and a.revision == revision),
        deployment,
    )
    ready = s.observed.ready(revision)
    wanted = 0
    if revision == draft.candidate:
        wanted = draft.progress.weight if draft.progress else 0
    elif revision == draft.stable:
        wanted = 100 - (draft.progress.weight if draft.candidate and draft.progress else 0)
    # Where this decision moves a selector, what is observed is from before.
    moved = draft.stable != s.stable and s.route_kind is None
    effective = wanted if moved else s.router.share(s, revision)
    return RevisionStatus(
        revision=revision,
        version=version_of(s, revision),
        color=made.color if made else None,
        artifact=record.artifact if record else None,
        replicas=made.replicas if made else 0,
        ready=ready,
        weight=wanted,
        effective_weight=effective,
    )


def _kept_failure(s: Situation, draft: Draft) -> Failure | None:
    if draft.failure:
        return draft.failure
    old = s.status.failure
    return old if old and old.revision == s.target and s.quarantined else None


def _history(s: Situation, *outcomes: Outcome | None) -> tuple[Outcome, ...]:
    """The history with `outcomes`, of which the last is the newest."""
    known = s.status.history
    for new in outcomes:
        last = known[0] if known else None
        if new and (last is None or (last.revision, last.outcome) != (new.revision, new.outcome)):
            known = (new, *known)
    return known[: s.settings.history_limit]


def _outdated(s: Situation) -> tuple[tuple[str, bool, str, str], ...]:
    """That the runtime of the wanted revision has changed since, which changes no pod (R1)."""
    record, now = s.observed.record(s.target), s.observed.runtime
    if record is None or record.runtime_digest in (None, now.digest) or now.digest is None:
        return ()
    text = (
        f"revision {s.target} was made from an older {now.kind} {now.name} and stays as it is; "
        "to adopt the newer one, change spec.restartToken"
    )
    return (("RuntimeOutdated", True, "NewerRuntime", text),)


def _modified(s: Situation) -> tuple[tuple[str, bool, str, str], ...]:
    """That an admission policy made something else of what we wrote, which stays so."""
    if not s.observed.modified:
        return ()
    what = "; ".join(
        f"{one.what}: {', '.join(one.paths[:_PATHS])}" for one in s.observed.modified[:_OBJECTS]
    )
    text = f"Admission changed what the operator applied, and the change is kept: {what}"
    return (("ModifiedByAdmission", True, "AdmissionPolicy", text),)


def _availability(s: Situation, draft: Draft, served: bool) -> str:
    if served:
        return SERVING
    if draft.stable is None:
        return NOT_PROMOTED
    if s.count == 0:
        return SCALED_TO_ZERO
    if is_recreating(s, draft.stable):
        return RECREATING
    return SCALING_UP if is_scaling_up(s, draft.stable) else outage_reason(s, draft.stable)


def _why_not_ready(s: Situation, phase: str, draft: Draft, routed: Fault | None) -> str:
    """The reason of a condition that does not hold; never the name of a phase in which it would."""
    if draft.reason:
        return draft.reason
    if phase not in ("Ready", "Baking", "Degraded"):
        return phase
    if routed:
        return routed.reason
    if is_down(s, draft.stable):
        return outage_reason(s, draft.stable)
    return "PodsNotReady" if s.observed.ready(draft.stable) < s.count else "EndpointsNotReady"


def _rolled_back(s: Situation, draft: Draft, phase: str, rolled: bool) -> tuple[str, str]:
    """Reason and message: nothing is called rolled back while callers are led to it."""
    if rolled:
        return draft.reason or "Unknown", draft.message
    if phase != "RollingBack" or draft.hold is None:
        return "NotRolledBack", ""
    return draft.hold.reason, draft.message


def route_told(s: Situation) -> Fault | None:
    """Why the route is not in effect as it is; None when it is, or there is none."""
    if s.route_kind is None or s.stable is None:
        return None
    fault, route = s.router.fault(s), s.observed.route
    if fault:
        return fault
    if route is None or route.kind != s.route_kind:
        return Fault(PENDING, f"the {s.route_kind} does not exist yet")
    if route.accepted:
        return None
    who = ", ".join(route.silent)
    return Fault(PENDING, f"{who} has not taken generation {route.generation} of the route yet")


def _conditions(
    s: Situation,
    phase: str,
    draft: Draft,
    generation: int,
    analysis: AnalysisStatus | None,
) -> tuple[Condition, ...]:
    # Endpoints, not pods: a Service that was just changed does not serve yet.
    served = is_answered(s)
    current = draft.stable is not None and draft.stable == s.target
    healthy = s.observed.ready(draft.stable) >= s.count if current else False
    settled = phase in ("Ready", "Baking", "Degraded")
    routed = route_told(s)
    failing = settled and bool(draft.reason)
    idle = s.count == 0 and draft.stable is not None  # As the spec wants it.
    answers = (served or idle) and routed is None
    ready = current and healthy and answers and phase in ("Ready", "Baking") and not failing
    refused = settled and routed is not None and routed.reason != PENDING
    moving = phase in MOVING or (
        current
        and phase not in STUCK
        and not refused
        and (not healthy or routed is not None or failing or not answers)
    )
    rolled = phase in ("RollingBack", "RolledBack") and not draft.carrying
    stuck = phase in STUCK or refused
    down = is_down(s, draft.stable) and not served
    reason = _why_not_ready(s, phase, draft, routed)
    waits = draft.hold.reason if draft.hold else reason
    facts: tuple[tuple[str, bool, str, str], ...] = (
        (
            "Available",
            served,
            _availability(s, draft, served),
            "" if served else outage_text(s, draft.stable) if down else "No endpoint is ready",
        ),
        (
            "Ready",
            ready,
            (SCALED_TO_ZERO if idle else "Promoted")
            if ready
            else "RolledBack"
            if rolled
            else reason,
            draft.message,
        ),
        ("Progressing", moving, waits if moving else phase, draft.message if moving else ""),
        ("RolledBack", rolled, *_rolled_back(s, draft, phase, rolled)),
        ("Reconciling", moving, reason if moving else phase, ""),
        (
            "Stalled",
            stuck,
            reason if stuck else "NotStalled",
            draft.message if stuck else "",
        ),
    )
    blocked = refusals.blocked(s)
    if blocked and draft.hold and draft.hold.reason in BLOCKED:
        why = f"{draft.hold.reason}: {refusals.quoted(blocked)}"
        facts += ((ROLLBACK_BLOCKED, True, refusals.reason_of(blocked), why),)
    facts += (*_outdated(s), *_modified(s))
    facts += (*obstacles.reported(s), *autoscaling.reported(s), *pending_settings.reported(s))
    facts += blocked_deletions.reported(s)
    if s.observed.rejections:
        first = s.observed.rejections[0]
        why = "; ".join(refusals.quoted(r) for r in s.observed.rejections[:3])
        facts += (("WritesRefused", True, refusals.reason_of(first), why),)
    if s.settings.gated:
        wrong = gates.inconclusive_tests(s)
        facts = (*facts, ("SmokeTestsReady", wrong is None, *(wrong or ("AsSpecified", ""))))
    if s.route_kind:
        told = (routed.reason, routed.message) if routed else ("Accepted", "")
        facts = (*facts, ("RouteAccepted", routed is None, *told), *conflicts.reported(s))
    if s.settings.analysis:
        # Not the version's fault: what is asked of it cannot be asked so (R21).
        fault = gates.spec_fault(analysis)
        facts = (*facts, ("AnalysisReady", fault is None, *(fault or ("AsSpecified", ""))))
    old = {condition.type: condition for condition in s.status.conditions}
    result = []
    for kind, value, why, text in facts:
        state = "True" if value else "False"
        before = old.get(kind)
        since = before.last_transition_time if before and before.status == state else stamp(s.now)
        result.append(
            Condition(
                type=kind,
                status=state,
                reason=why,
                message=text,
                last_transition_time=since,
                observed_generation=generation,
            )
        )
    return tuple(result)
