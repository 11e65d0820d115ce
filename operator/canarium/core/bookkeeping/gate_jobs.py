"""Writes for gates of kind `job`: the Job, the Services that it asks, and their deletion (R27).

A Job is created only once the record has its gate and its attempt, the Service of the candidate
has an endpoint, and nodes have had the time to forward to it. One that still runs is deleted as
soon as its gate no longer waits. One that has ended stays, for its logs, until the rollout is over
or another revision is the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from canarium.api.effective_gates import ROLL_BACK
from canarium.api.states import JobState
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, gates_of
from canarium.core.context.naming import version_of
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    CreateGateJob,
    CreateGateService,
    DeleteGateJob,
    DeleteGateService,
)
from canarium.core.facts.gate_jobs import REACHABLE_AFTER, JobRequest, job_name
from canarium.core.outcomes.gate_jobs import Attempt, attempt_of, rejected_write, request_for
from canarium.core.times import parse


def gate_jobs(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Returns the writes that the Jobs of gates need, and those that remove what none needs."""
    return [*_created(ctx, result), *_unused_jobs(ctx, result), *_unused_services(ctx)]


def gate_jobs_recheck(ctx: RolloutContext) -> float | None:
    """Returns the seconds until the next Job may be created; None where that is not a matter of
    time."""
    return min((left for gate in _waiting(ctx) if (left := _left(ctx, gate)) > 0), default=None)


def wanted_reports(ctx: RolloutContext, result: PhaseResult) -> tuple[JobRequest, ...]:
    """Returns the Jobs whose pods to read."""
    if ctx.quarantined or result.failure is not None:
        return ()
    attempts = (attempt_of(ctx, gate.opened) for gate in _waiting(ctx) if gate.opened)
    jobs = (ctx.observed.gate_job(attempt.name) for attempt in attempts if attempt)
    return tuple(request_for(job) for job in jobs if job and not job.terminating)


def _waiting(ctx: RolloutContext) -> tuple[Gate, ...]:
    return tuple(gate for gate in gates_of(ctx) if gate.is_job and gate.waits)


def _created(ctx: RolloutContext, result: PhaseResult) -> Iterable[Action]:
    """Yields what the Jobs of the gates at which `result` waits need, in their order."""
    if ctx.quarantined or result.failure is not None:
        return
    served = False
    for gate in _waiting(ctx):
        attempt = attempt_of(ctx, gate.opened) if gate.opened else None
        if (
            attempt is None
            or attempt.is_lost
            or attempt.job
            or attempt.is_foreign
            or gate.name not in result.opened_gates
        ):
            continue
        if rejected_write(ctx, attempt):
            continue
        if not served:
            yield from _services(ctx)
            served = True
        address = ctx.observed.gate_service(ctx.target)
        if address and address.endpoints and _left(ctx, gate) <= 0:
            yield _job(ctx, gate, attempt)


def _left(ctx: RolloutContext, gate: Gate) -> float:
    """Returns the seconds until the nodes forward to the Services of a gate."""
    return parse(gate.opened.since) + REACHABLE_AFTER - ctx.now if gate.opened else 0.0


def _services(ctx: RolloutContext) -> Iterable[Action]:
    for revision in filter(None, (ctx.target, _other(ctx))):
        exists = ctx.observed.deployment(revision) is not None
        if exists and ctx.observed.gate_service(revision) is None:
            yield CreateGateService(revision)


def _job(ctx: RolloutContext, gate: Gate, attempt: Attempt) -> CreateGateJob:
    assert gate.opened
    assert gate.opened.job
    record, settings = ctx.observed.record(ctx.target), gate.settings
    model = ctx.spec.get("model") or {}
    facts = (
        ("VERSION", version_of(ctx, ctx.target)),
        ("URI", (record.resolved or record.uri) if record else None),
        ("DIGEST", (record.artifact if record else None) or model.get("digest")),
    )
    # With onError: Hold a late result still counts, so nothing stops the Job.
    limited = settings.timeout is not None and settings.on_error == ROLL_BACK
    return CreateGateJob(
        attempt.name,
        ctx.target,
        gate.name,
        gate.opened.job,
        tuple((name, str(value)) for name, value in facts if value),
        _other(ctx),
        float(math.ceil(settings.timeout)) if limited and settings.timeout else None,
        gate.opened.nonce,
    )


def _other(ctx: RolloutContext) -> str | None:
    """Returns the revision that the target is compared with: during the bake, the target itself is
    stable."""
    return ctx.previous if ctx.target == ctx.stable else ctx.stable


def _unused_jobs(ctx: RolloutContext, result: PhaseResult) -> Iterable[Action]:
    ended_stay = bool(result.candidate or result.previous) or ctx.quarantined
    waits = {}
    for gate in gates_of(ctx):
        if gate.is_job and gate.opened and gate.opened.attempt:
            name = job_name(ctx.name, ctx.target, gate.name, gate.opened.attempt)
            waits[name] = gate.waits and not ctx.quarantined
    for job in ctx.observed.gate_jobs:
        ended = job.state != JobState.RUNNING
        kept = waits.get(job.name, False) or (job.name in waits and ended and ended_stay)
        if not kept and not job.terminating:
            yield DeleteGateJob(job.name, job.uid)


def _unused_services(ctx: RolloutContext) -> Iterable[Action]:
    needed = {ctx.target, _other(ctx)} if _waiting(ctx) and not ctx.quarantined else set()
    for service in ctx.observed.gate_services:
        if service.revision not in needed:
            yield DeleteGateService(service.revision, service.uid)
