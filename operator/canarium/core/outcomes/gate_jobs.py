"""How far the Jobs of gates are, what their pods mean for the gates, and what is reported (R27)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from canarium.api.reasons import ConditionReason, RejectionReason
from canarium.api.states import GateState, JobState
from canarium.core.context.approvals import recorded_token
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate
from canarium.core.context.reruns import RERUN, ordered
from canarium.core.facts.gate_jobs import (
    ATTEMPTS,
    GateJob,
    JobOutcome,
    JobReport,
    JobRequest,
    expanded,
    job_name,
    job_nonce,
    service_name,
)
from canarium.core.facts.gates import LONGEST_JOB, OpenedGate
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import JOB, Rejection
from canarium.core.messages import command_advice
from canarium.core.outcomes import rejections
from canarium.core.times import stamp


@dataclass(frozen=True, slots=True)
class Attempt:
    """The present attempt of a gate that has its Job on the record.

    `job` is None if there is none that counts: it was never created, or it is lost.
    """

    name: str
    number: int
    job: GateJob | None
    report: JobReport | None
    is_lost: bool
    #: Its number among those that follow each other without an order.
    in_row: int
    #: Whether another client created a Job of that name, which never counts (R24).
    is_foreign: bool = False

    @property
    def is_last(self) -> bool:
        """Whether no other Job follows it by itself."""
        return self.in_row >= ATTEMPTS


def job_of(ctx: RolloutContext, gate: Gate) -> str | None:
    """Returns the Job of a gate as the spec and its ModelGate have it now (JSON); None if it has
    none, or if the ModelGate does not exist."""
    settings = gate.settings
    if settings.template is None or settings.job is None:
        return settings.job
    template = dict(ctx.observed.model_gates).get(settings.template)
    return expanded(template, settings.job) if template is not None else None


def missing_template(ctx: RolloutContext, gate: Gate) -> str | None:
    """Returns the name of the ModelGate that a gate without a Job needs; None if it needs none."""
    has_job = gate.opened is not None and gate.opened.job is not None
    is_missing = not has_job and job_of(ctx, gate) is None
    return gate.settings.template if is_missing else None


def attempt_of(ctx: RolloutContext, one: OpenedGate) -> Attempt | None:
    """Returns the present attempt of a gate; None if its record has no Job."""
    if one.job is None or not one.attempt:
        return None
    name = job_name(ctx.name, ctx.target, one.name, one.attempt)
    job = ctx.observed.gate_job(name)
    in_row = one.attempt - (one.first_attempt or 1) + 1
    if job and one.uid is None and (one.nonce is None or job.nonce != one.nonce):
        return Attempt(name, one.attempt, None, None, False, in_row, is_foreign=True)
    report = next(
        (r for r in ctx.observed.job_reports if job and r.request == request_for(job)), None
    )
    stopped = job is not None and (job.terminating or job.state == JobState.LOST)
    other = one.uid is not None and (job is None or job.uid != one.uid)
    lost = stopped or other or (report is not None and report.outcome is JobOutcome.LOST)
    return Attempt(name, one.attempt, None if lost else job, report, lost, in_row)


def new_nonce(ctx: RolloutContext, gate: str) -> str:
    """Returns the mark of the Jobs of a gate that starts to wait."""
    deployment = ctx.observed.deployment(ctx.target)
    return job_nonce(ctx.now, deployment.uid if deployment else "", ctx.target, gate)


def request_for(job: GateJob) -> JobRequest:
    """Returns the request for the pod of a Job."""
    return JobRequest(job.name, job.uid, job.state)


def after_job(ctx: RolloutContext, gate: Gate, one: OpenedGate) -> OpenedGate | None:
    """Returns the gate with what its Job shows: its UID, its result, or the next attempt; None if
    nothing has changed, and while the record cannot be written."""
    if ctx.quarantined or ctx.record_rejection(ctx.target):
        return None
    attempt = attempt_of(ctx, one)
    order = ordered(ctx, gate.name)
    if attempt and order and one.token != recorded_token(order):
        number = attempt.number + 1
        return replace(
            one,
            # A person ordered it, so it is the Job as it is defined now.
            job=job_of(ctx, gate) or one.job,
            attempt=number,
            first_attempt=number,
            uid=None,
            since=stamp(ctx.now),
            token=recorded_token(order),
        )
    if attempt is None:
        job = job_of(ctx, gate)
        return replace(one, job=job, attempt=1, nonce=new_nonce(ctx, one.name)) if job else None
    if attempt.is_lost:
        return None if attempt.is_last else replace(one, attempt=attempt.number + 1, uid=None)
    if attempt.job is None:
        return None
    updated = replace(one, uid=attempt.job.uid)
    report = attempt.report
    results = {JobOutcome.PASSED: GateState.PASSED, JobOutcome.FAILED: GateState.REJECTED}
    if report and report.outcome in results:
        return replace(
            updated,
            result=results[report.outcome].value,
            time=stamp(ctx.now),
            by=f"Job/{attempt.name}",
            comment=report.text or None,
            exit_code=report.exit_code,
            results=report.results,
        )
    return updated if updated != one else None


def rejected_write(ctx: RolloutContext, attempt: Attempt) -> Rejection | None:
    """Returns the rejected write that an attempt needs."""
    other = ctx.previous if ctx.target == ctx.stable else ctx.stable
    services = (service_name(ctx.name, name) for name in (ctx.target, other) if name)
    return ctx.observed.rejected(
        ObjectRef(JOB, attempt.name), *(ObjectRef("Service", name) for name in services)
    )


def trouble(ctx: RolloutContext, gate: Gate) -> tuple[ConditionReason | str, str] | None:
    """Returns why the Job of a gate that waits cannot give a result now: reason and text."""
    template = missing_template(ctx, gate)
    if template is not None:
        is_too_long = dict(ctx.observed.model_gates).get(template) == ""
        why = f"is longer than {LONGEST_JOB >> 10} KiB" if is_too_long else "does not exist"
        return ConditionReason.MODEL_GATE_NOT_FOUND, f"ModelGate/{template} {why}"
    attempt = attempt_of(ctx, gate.opened) if gate.opened else None
    if attempt is None:
        return None
    if attempt.is_lost and attempt.is_last:
        why = attempt.report.text if attempt.report else ""
        text = f"its Job was lost {ATTEMPTS} times" + (
            f", the last time because {why}" if why else ""
        )
        return ConditionReason.GATE_JOB_LOST, text
    if attempt.is_foreign:
        text = f"another client created job/{attempt.name}, so its result does not count. Delete it"
        return RejectionReason.NAME_CONFLICT, text
    rejection = rejected_write(ctx, attempt)
    if attempt.job is None and rejection:
        return rejections.reason_of(rejection), rejections.quoted(rejection)
    if attempt.report and attempt.report.blocked:
        return ConditionReason.GATE_JOB_BLOCKED, f"Job/{attempt.name}: {attempt.report.text}"
    return None


def job_so_far(ctx: RolloutContext, gate: Gate) -> str:
    """Returns how far the Job of a gate that waits is, as a sentence."""
    attempt = attempt_of(ctx, gate.opened) if gate.opened else None
    if attempt is None or attempt.is_lost:
        return "Its Job is about to be created"
    number = f" (attempt {attempt.in_row} of {ATTEMPTS})" if attempt.in_row > 1 else ""
    if attempt.job is None:
        return f"Job/{attempt.name} is about to be created{number}"
    if attempt.job.state == JobState.RUNNING:
        return f"Job/{attempt.name} has not finished yet{number}"
    return f"The result of Job/{attempt.name} is being read{number}"


def job_text(ctx: RolloutContext, gate: Gate, *, is_late: bool = False) -> str:
    """Returns how far the Job of a gate that waits is, and what a user can do about it, also where
    its timeout has passed (`is_late`)."""
    fault = trouble(ctx, gate)
    if not gate.is_configured and (gate.opened is None or gate.opened.job is None):
        command = "undo" if ctx.target == ctx.stable else "abort"
        advice = command_advice(command, ctx.target, "To end the rollout")
        return f"Nothing runs without it: add it to the spec again, as a job. {advice}"
    again = rerun_advice(ctx, gate)
    if fault is None:
        return f"{job_so_far(ctx, gate)}. {again}" if is_late else job_so_far(ctx, gate)
    reason, text = fault
    if reason == ConditionReason.GATE_JOB_LOST:
        command = "undo" if ctx.target == ctx.stable else "abort"
        end = command_advice(command, ctx.target, "To end the rollout")
        return f"It has no result: {text}. {again}. {end}"
    return f"Its Job cannot run now: {text}. The operator continues when it can"


def rerun_advice(ctx: RolloutContext, gate: Gate) -> str:
    """Returns how a person has the Job of a gate run again."""
    return f"To run it again, annotate canarium.dev/{RERUN}={ctx.target}/{gate.name}:<token>"
