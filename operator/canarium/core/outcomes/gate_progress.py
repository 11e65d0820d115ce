"""What web gates ask, how far web gates and Jobs are, and why a result is missing (R27)."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, gates_of
from canarium.core.context.naming import version_of
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.gate_answers import AnswerState, GateAnswer, GateRequest
from canarium.core.messages import command_advice
from canarium.core.outcomes.gate_jobs import job_so_far, job_text, missing_template, trouble


def wanted(ctx: RolloutContext, result: PhaseResult) -> tuple[GateRequest, ...]:
    """Returns the requests of the web gates at which `result` waits.

    A gate asks from the decision after the one that records that it waits, and not while the
    rollout is paused.
    """
    if ctx.quarantined or result.failure is not None:
        return ()
    waiting = (gate for gate in gates_of(ctx) if gate.waits and gate.name in result.opened_gates)
    requests = (_request(ctx, gate) for gate in waiting)
    return tuple(request for request in requests if request)


def _request(ctx: RolloutContext, gate: Gate) -> GateRequest | None:
    settings, record = gate.settings, ctx.observed.record(ctx.target)
    if settings.web is None or record is None:
        return None
    # During the bake, the version itself is stable, and is compared with the one before.
    bakes = ctx.target == ctx.stable
    other = ctx.previous if bakes else ctx.stable
    facts = (
        ("revision", ctx.target),
        ("version", version_of(ctx, ctx.target)),
        ("uri", record.resolved or record.uri),
        ("digest", record.artifact or (ctx.spec.get("model") or {}).get("digest")),
        ("gate", gate.name),
        ("before", settings.before),
        ("weight", settings.weight),
        ("currentWeight", 100 if bakes else ctx.progress.weight),
        ("stable", {"revision": other, "version": version_of(ctx, other)} if other else None),
    )
    return GateRequest(ctx.target, gate.name, settings.web, facts)


def answer_to(ctx: RolloutContext, gate: Gate) -> GateAnswer | None:
    """Returns the latest answer at a gate of the target, as the spec has the gate now."""
    request = (ctx.target, gate.name, gate.settings.web)
    answers = ctx.observed.gate_answers
    return next(
        (a for a in answers if (a.request.revision, a.request.gate, a.request.web) == request), None
    )


def answer_so_far(ctx: RolloutContext, gate: Gate) -> str | None:
    """Returns what the system of a gate that waits has answered, or why there is no usable answer;
    None before the first one. For a Job, how far it is."""
    if gate.is_job:
        fault = trouble(ctx, gate)
        return fault[1] if fault else job_so_far(ctx, gate)
    answer = answer_to(ctx, gate)
    if answer and answer.state is AnswerState.PENDING:
        return f"{answer.by} answered that its decision is pending"
    return answer.text if answer and answer.state is AnswerState.MISSING else None


def progress_text(ctx: RolloutContext, gate: Gate, *, is_late: bool = False) -> str:
    """Returns how far the request or the Job of a waiting gate is, and what a user can do."""
    if gate.is_job:
        return job_text(ctx, gate, is_late=is_late)
    if not gate.is_configured:
        command = "undo" if ctx.target == ctx.stable else "abort"
        return (
            f"Nothing is asked without it: add it to the spec again, with the kind "
            f"{gate.settings.kind}. {command_advice(command, ctx.target, 'To end the rollout')}"
        )
    answer = answer_to(ctx, gate)
    if answer is None:
        return "Its system has not answered yet"
    if answer.state is AnswerState.PENDING:
        return answer_so_far(ctx, gate) or ""
    if answer.state is AnswerState.MISSING:
        return f"It has no usable answer and is asked again: {answer.text}"
    return f"The answer of {answer.by} is being recorded"


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition whether gates can be asked as the spec defines them."""
    gates = [gate for gate in gates_of(ctx) if gate.settings.web or gate.is_job]
    for gate in gates:
        is_open = gate.opened is None or gate.waits
        fault = trouble(ctx, gate) if gate.is_job and is_open else None
        if fault:
            field = ".modelGate" if missing_template(ctx, gate) else ""
            text = f"spec.rollout.gates[{gate.name}].job{field}: {fault[1]}"
            return ((ConditionType.GATES_READY, False, fault[0], text),)
        answer = answer_to(ctx, gate) if gate.waits else None
        if answer and answer.state is AnswerState.MISSING:
            text = f"spec.rollout.gates[{gate.name}].web: {answer.text}"
            return ((ConditionType.GATES_READY, False, answer.reason, text),)
    return ((ConditionType.GATES_READY, True, ConditionReason.VALID, ""),) if gates else ()
