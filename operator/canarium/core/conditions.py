"""From a decision to the status that people and tools read.

`Available`: users are served by some version. `Ready`: the version in spec is the one promoted
and healthy. `Reconciling` and `Stalled` are kstatus' words for the same facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from canarium.api.status import Condition, Failure, Outcome, RevisionStatus, Status
from canarium.core.situation import Situation, stamp
from canarium.core.traffic import share

if TYPE_CHECKING:
    from canarium.core.draft import Draft

MOVING = frozenset({"Starting", "Progressing", "RollingBack"})
STUCK = frozenset({"Invalid", "Failed", "RolledBack"})


def status_of(s: Situation, phase: str, draft: Draft, generation: int) -> Status:
    """The whole status after `draft`; equal to the old one when nothing is new."""
    observed = s.observed
    stable = _part(s, draft.stable, None)
    candidate = _part(s, draft.candidate, draft)
    serving = observed.record(draft.stable)
    down = s.down_since if draft.stable == s.stable else None
    return Status(
        observed_generation=generation,
        phase=phase,
        message=draft.message,
        version=serving.version if serving else _spoken(s, draft.stable),
        weight=candidate.weight if candidate and draft.stable else None,
        replicas=sum(d.replicas for d in observed.deployments),
        ready_replicas=sum(1 for p in observed.pods if p.serves),
        selector=f"canarium.dev/model={s.name}",
        stable=stable,
        candidate=candidate,
        previous=_part(s, draft.previous, None),
        progress=draft.progress if draft.candidate else None,
        bake_since=draft.bake_since,
        stable_down_since=stamp(down) if down is not None else None,
        failure=_kept_failure(s, draft),
        conditions=_conditions(s, phase, draft, generation),
        history=_history(s, draft.outcome),
    )


def _spoken(s: Situation, revision: str | None) -> str | None:
    return (s.spec.get("model") or {}).get("version") if revision == s.target else None


def _part(s: Situation, revision: str | None, draft: Draft | None) -> RevisionStatus | None:
    if revision is None:
        return None
    record, deployment = s.observed.record(revision), s.observed.deployment(revision)
    ready = s.observed.ready(revision)
    wanted, effective = 0, 0
    shared = s.observed.service is not None and s.observed.service.color == ""
    if draft is None:
        wanted = 100 - (s.progress.weight if shared else 0) if revision == s.stable else 0
    elif draft.progress:
        wanted = draft.progress.weight
    if shared:
        effective = share(ready, sum(1 for p in s.observed.pods if p.serves) - ready)
    elif deployment and s.observed.service and s.observed.service.color == deployment.color:
        effective = 100 if ready else 0
    if draft is None and revision == s.target and revision != s.stable:
        wanted, effective = 100, 100
    return RevisionStatus(
        revision=revision,
        version=record.version if record else _spoken(s, revision),
        color=deployment.color if deployment else None,
        replicas=deployment.replicas if deployment else 0,
        ready=ready,
        weight=wanted,
        effective_weight=effective,
    )


def _kept_failure(s: Situation, draft: Draft) -> Failure | None:
    if draft.failure:
        return draft.failure
    old = s.status.failure
    return old if old and old.revision == s.target and s.quarantined else None


def _history(s: Situation, outcome: Outcome | None) -> tuple[Outcome, ...]:
    old = s.status.history
    if outcome is None:
        return old[: s.settings.history_limit]
    if old and (old[0].revision, old[0].outcome) == (outcome.revision, outcome.outcome):
        return old
    return (outcome, *old)[: s.settings.history_limit]


def _conditions(s: Situation, phase: str, draft: Draft, generation: int) -> tuple[Condition, ...]:
    # Endpoints, not pods: a Service that was just changed does not serve yet.
    served = bool(s.observed.service and s.observed.service.endpoints)
    current = draft.stable is not None and draft.stable == s.target
    healthy = s.observed.ready(draft.stable) >= s.count if current else False
    ready = current and healthy and served and phase in ("Ready", "Baking")
    moving = phase in MOVING or (current and not healthy and phase not in STUCK)
    rolled = phase in ("RollingBack", "RolledBack")
    reason = draft.reason or ("Promoted" if ready else phase)
    facts = (
        (
            "Available",
            served,
            "Serving" if served else "NoReadyPods",
            "" if served else "no ready pod answers",
        ),
        ("Ready", ready, "RolledBack" if rolled else reason, draft.message),
        ("Progressing", moving, phase, draft.message if moving else ""),
        (
            "RolledBack",
            rolled,
            reason if rolled else "NotRolledBack",
            draft.message if rolled else "",
        ),
        ("Reconciling", moving, phase, ""),
        (
            "Stalled",
            phase in STUCK,
            reason if phase in STUCK else "NotStalled",
            draft.message if phase in STUCK else "",
        ),
    )
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
