"""What every decision does besides: stable at its size, the history at its length."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.core.bookkeeping import periods as serving
from canarium.core.context.context import QUARANTINED, Situation
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    Annotate,
    Autoscale,
    CreateDeployment,
    DeleteRecord,
    Pin,
    RemoveAutoscaler,
    Scale,
)
from canarium.core.facts import images
from canarium.core.outcomes.failures import noted
from canarium.core.routing import capacity


def scaling(s: Situation, result: PhaseResult) -> list[Action]:
    """Stable at its wanted size; its floor held while another version has traffic (R5).

    When this very decision makes another version stable, the one before keeps its floor: it is
    warm for an undo (R15).
    """
    if result.stable != s.stable:
        return []
    deployment = s.observed.deployment(s.stable)
    autoscaler = s.observed.autoscaler(s.stable)
    failed = s.quarantined or bool(result.failure and result.failure.revision == s.target)
    left = s.observed.deployment(s.target) or any(
        not s.is_stuck(pod) for pod in s.observed.pods_of(s.target)
    )
    recreating = s.strategy == "Recreate" and (
        result.candidate is not None or (failed and s.target != s.stable and bool(left))
    )
    if recreating:
        gone = [RemoveAutoscaler(s.stable or "", autoscaler.uid)] if autoscaler else []
        # Without pods: it tells which colour is stable's, and is there to come back to.
        return [*gone, *(_brought_back(s, result, 0) if deployment is None else ())]
    if deployment is None:
        return _brought_back(s, result, max(1, s.count))
    if deployment.terminating:
        return []
    if not s.settings.autoscaled:
        actions: list[Action] = []
        if autoscaler:
            actions.append(RemoveAutoscaler(s.stable or "", autoscaler.uid))
        size = max(s.count, capacity.floor(s, result))
        if deployment.replicas != size:
            actions.append(Scale(s.stable or "", size))
        return [*actions, *_warm(s, result)]
    # A candidate that failed a moment ago counts: its traffic comes back now.
    others = any(d.revision != s.stable for d in s.observed.deployments)
    shared = result.candidate is not None or others
    low = max(s.count, capacity.floor(s, result)) if shared else s.settings.min_replicas
    high = max(low, s.settings.max_replicas)
    wake: list[Action] = [Scale(s.stable or "", low)] if deployment.replicas == 0 else []
    if autoscaler and (autoscaler.low, autoscaler.high) == (low, high):
        return wake
    return [*wake, Autoscale(s.stable or "", low, high)]


def _warm(s: Situation, result: PhaseResult) -> list[Action]:
    """The warm version sleeps and wakes with stable."""
    previous = s.observed.deployment(result.previous)
    if previous is None or previous.terminating or bool(previous.replicas) == bool(s.count):
        return []
    return [Scale(previous.revision, s.count)]


def _brought_back(s: Situation, result: PhaseResult, count: int) -> list[Action]:
    """Stable's Deployment, which is gone, from its record (R23)."""
    record = s.observed.record(s.stable)
    if s.stable is None or record is None or not record.intact:
        return []
    color = s.color_for(s.stable)
    # A colour that this very decision gives to another one is not free any more.
    given = {a.color for a in result.actions if isinstance(a, CreateDeployment)}
    return [CreateDeployment(s.stable, color, count)] if color and color not in given else []


def orphans(s: Situation, result: PhaseResult) -> list[Action]:
    """Autoscalers whose Deployment somebody deleted, of revisions that have no part now (R2), and
    that of a candidate which was stable before: its size follows the weight (R5)."""
    keep = {s.stable, s.previous, *(d.revision for d in s.observed.deployments)}
    if result.candidate != s.stable and s.stable is not None:
        keep -= {result.candidate}
    return [
        RemoveAutoscaler(autoscaler.revision, autoscaler.uid)
        for autoscaler in s.observed.autoscalers
        if autoscaler.revision not in keep
    ]


def pinning(s: Situation) -> list[Action]:
    """Pins that somebody took away or changed, of revisions that may start pods (R23)."""
    told = dict(s.observed.pins)
    return [
        Pin(record.revision, record.artifact)
        for record in s.observed.records
        if record.pins
        and record.artifact
        and told.get(record.revision) != record.artifact
        and s.observed.deployment(record.revision)
    ]


def notes(s: Situation, result: PhaseResult, moves: Iterable[Action]) -> list[Action]:
    """Later facts on the wanted revision's record: its verdict (R9), commands consumed (R16), the
    bytes and the images that its pods have, who had traffic until these `moves`.

    Commands are noted only after the status has them: the status alone is written together with
    their effect.
    """
    record = s.observed.record(s.target)
    told_to, periods = serving.due(s, moves) or (None, "")
    if record is None:
        older = [Annotate(told_to, (("served", periods),))] if told_to else []
        return [*_latched(s), *_resolved(s), *older]
    before = [*_latched(s), *_resolved(s)]
    facts = [("served", periods)] if told_to else []
    first = next((p for p in s.observed.pods_of(s.target) if p.artifact), None)
    if first and first.artifact and record.artifact is None:
        # The ConfigMap first: once the record has the digest, more pods start.
        before += [Pin(s.target, first.artifact)] if record.pins else []
        facts.append(("artifact", first.artifact))
        facts += [("resolved", first.resolved)] if first.resolved else []
    failure = result.failure
    fails = failure and failure.revision == s.target and record.verdict != QUARANTINED
    if failure and fails:
        facts += [("verdict", QUARANTINED), ("failure", noted(failure))]
    resolved = images.last(s, record) if fails else images.new(s, record)
    if resolved:
        facts.append(("images", resolved))
    paused = ("paused",) if s.pause and s.pause.by != "spec.paused" else ()
    told = [
        f"{a.command}/{a.token}" for a in s.status.commands if a.revision == s.target and a.token
    ]
    kept = [x for x in record.commands if x != "paused"]
    wanted = tuple(sorted({*told, *kept, *paused}))
    if told and wanted != record.commands:
        facts.append(("commands", ",".join(wanted)))
    if facts:
        before.append(Annotate(s.target, tuple(facts)))
    return before


def _resolved(s: Situation) -> list[Action]:
    """Images that pods of other revisions run by now."""
    others = (s.observed.record(d.revision) for d in s.observed.deployments)
    return [
        Annotate(record.revision, (("images", text),))
        for record in others
        if record and record.revision != s.target and (text := images.new(s, record))
    ]


def _latched(s: Situation) -> list[Action]:
    """The verdict of an older revision that only the Service or route tells yet: its next write
    would drop it, when the operator died right after the traffic was taken off."""
    witness = s.observed.route or s.observed.service
    revision = witness.traffic.quarantined if witness else None
    record = s.observed.record(revision)
    if record is None or record.revision == s.target or record.verdict == QUARANTINED:
        return []
    return [Annotate(record.revision, (("verdict", QUARANTINED),))]


def pruning(s: Situation) -> list[Action]:
    """Old records beyond the limit; never one that has a part now (R9)."""
    keep = {s.stable, s.target, s.previous, *(d.revision for d in s.observed.deployments)}
    idle = sorted(
        (r for r in s.observed.records if r.revision not in keep and r.owned),
        key=lambda r: r.number,
    )
    excess = len(idle) - s.settings.history_limit
    return [DeleteRecord(record.revision) for record in idle[: max(0, excess)]]
