"""Commands (R16): annotations `canarium.dev/<command>: <revision>/<token>`, each acting once.

A command is evaluated in the decision that consumes it. Its result (Accepted, or Ignored and why)
is written to the status together with its effect. Where another write has to precede, such as the
move of traffic for an abort, the command acts again after a crash, because only the status
consumes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from canarium.api.states import CommandOutcome
from canarium.api.status import CommandEcho
from canarium.core.context import approvals, reruns
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import gates_of
from canarium.core.context.position import is_at_pause
from canarium.core.context.release import stands_at_pause
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import StoreRevision
from canarium.core.facts.resolution import RESOLVE_ANNOTATION
from canarium.core.times import stamp
from canarium.untrusted.quoting import quoted

#: Number of results that the status lists.
LISTED = 20
#: Number of further unknown annotations that a result names.
NAMED = 3
PROMOTED = "the revision is already promoted"
_FORM = re.compile(r"^([a-z0-9-]{1,63})/([A-Za-z0-9._:-]{1,128})$")


@dataclass(frozen=True, slots=True)
class Command:
    """`done` describes its effect; `why_not` returns why it cannot act now, None when it can."""

    done: str
    why_not: Callable[[RolloutContext], str | None]


def _abort(ctx: RolloutContext) -> str | None:
    if ctx.stable is None:
        return "there is no earlier version to roll back to. Change the spec instead"
    if ctx.is_unreleased:
        return "there is no earlier version to roll back to. Change the spec instead"
    if ctx.target == ctx.stable:
        return (
            "the revision is already promoted. Use undo while it bakes"
            if ctx.previous
            else PROMOTED
        )
    return "the revision has already failed" if ctx.quarantined and ctx.status.failure else None


def _undo(ctx: RolloutContext) -> str | None:
    if ctx.target != ctx.stable:
        unfinished = ctx.quarantined and ctx.status.failure is None
        return None if unfinished else "the revision is not promoted. Use abort to end a rollout"
    if ctx.previous is None:
        return "the previous version is no longer running. Apply its spec to return to it"
    if not ctx.observed.ready(ctx.previous):
        return "the previous version has no ready pods"
    return None


def _retry(ctx: RolloutContext) -> str | None:
    return None if ctx.quarantined else "the revision has not failed"


def _promote(ctx: RolloutContext) -> str | None:
    why = _promote_full(ctx)
    if why:
        return why
    p = ctx.progress
    if stands_at_pause(ctx) or (is_at_pause(p) and p.weight == p.granted):
        return None
    gate = next((gate for gate in gates_of(ctx) if gate.waits), None)
    if gate:
        until = "it is approved" if gate.is_approval else "it has passed"
        return f"gate {gate.name} holds the rollout until {until}"
    return "the rollout is not paused at a step"


def _promote_full(ctx: RolloutContext) -> str | None:
    if ctx.target == ctx.stable and not ctx.is_unreleased:
        return PROMOTED
    if ctx.stable is None:
        return "the first version has no steps"
    if ctx.quarantined:
        return "the revision has failed. Use retry first"
    return f"the rollout is paused by {ctx.pause_text}. Use resume first" if ctx.pause else None


def _pause(ctx: RolloutContext) -> str | None:
    if ctx.pause:
        return f"the rollout is already paused by {ctx.pause_text}"
    settled = ctx.target == ctx.stable and ctx.previous is None and not ctx.is_unreleased
    if ctx.stable is None or settled or ctx.quarantined:
        return "no rollout or bake is in progress"
    return None


def _resume(ctx: RolloutContext) -> str | None:
    if ctx.settings.paused:
        return "spec.paused is true. Set it to false instead"
    return None if ctx.pause else "the rollout is not paused"


def _decision(ctx: RolloutContext) -> str | None:
    return None  # `_GATE_COMMANDS` decides: it depends on the gate that the command names.


#: By precedence: of several commands at the same time only the first acts.
COMMANDS: dict[str, Command] = {
    "abort": Command("the rollout is aborted and rolled back", _abort),
    "undo": Command("the promotion is undone", _undo),
    approvals.REJECT: Command("the gate fails the version, which is rolled back", _decision),
    approvals.APPROVE: Command("the gate passes", _decision),
    reruns.RERUN: Command("the Job of the gate is run again", _decision),
    "pause": Command("steps and bake are paused until resume", _pause),
    "resume": Command("steps and bake continue", _resume),
    "retry": Command("the revision is rendered again and retried", _retry),
    "promote-full": Command("the remaining steps and pauses are skipped", _promote_full),
    "promote": Command("the current pause ends", _promote),
}

#: Commands about one gate, which their token names → why they cannot act now.
_GATE_COMMANDS: dict[str, Callable[[RolloutContext, str], str | None]] = {
    approvals.APPROVE: approvals.why_not,
    approvals.REJECT: approvals.why_not,
    reruns.RERUN: reruns.why_not,
}
#: Annotations of the model with a meaning, without the group.
ANNOTATIONS = frozenset({*COMMANDS, RESOLVE_ANNOTATION, approvals.BY, approvals.COMMENT})


def evaluated(ctx: RolloutContext) -> tuple[CommandEcho, ...]:
    """Returns the results of all commands that no earlier decision has consumed, by precedence."""
    record = ctx.observed.record(ctx.target)
    consumed = {(c.command, f"{c.revision}/{c.token}".strip("/")) for c in ctx.status.commands}
    recorded = set(record.commands) if record else set()
    valid = [(name, value) for name, value in ctx.observed.annotations if name in COMMANDS]
    asks = [(name, value) for name, value in ctx.observed.annotations if name == RESOLVE_ANNOTATION]
    unknown = [(name, value) for name, value in ctx.observed.annotations if name not in ANNOTATIONS]
    results: list[CommandEcho] = []
    order = list(COMMANDS)
    new = [
        (name, value)
        # One result for all unknown commands: there may be thousands.
        for name, value in (*valid, *(() if ctx.follows else asks), *unknown[:1])
        if (name, echo_text(value)) not in consumed
        and f"{name}/{value.partition('/')[2]}" not in recorded
    ]
    for name, value in sorted(new, key=lambda c: order.index(c[0]) if c[0] in order else 99):
        accepted = next((c.command for c in results if c.result == CommandOutcome.ACCEPTED), None)
        others = [other for other, _ in unknown[1:]] if name not in COMMANDS else []
        results.append(_evaluate(ctx, name, value, accepted, others))
    return tuple(results)


def echo_text(value: str) -> str:
    """Returns an annotation's value as the status repeats it when it is not a valid command."""
    return quoted(value, 200).strip("/")


def _evaluate(
    ctx: RolloutContext, name: str, value: str, accepted: str | None, others: Sequence[str]
) -> CommandEcho:
    """Returns the result of one command; `accepted` is one that takes precedence over it."""

    def echo(
        done: bool, message: str, revision: str = echo_text(value), token: str = ""
    ) -> CommandEcho:
        return CommandEcho(
            command=name[:63],
            revision=revision,
            token=token,
            result=CommandOutcome.ACCEPTED if done else CommandOutcome.IGNORED,
            message=message,
            time=stamp(ctx.now),
        )

    command, form = COMMANDS.get(name), _FORM.match(value)
    if name == RESOLVE_ANNOTATION:
        return echo(False, "the model follows no reference: spec.model.follow is not set")
    if command is None:
        also = f", as are {', '.join(others[:NAMED])}" if others else ""
        more = " and others" if len(others) > NAMED else ""
        text = f"unknown command{also}{more}. Known commands: {', '.join(sorted(COMMANDS))}"
        return echo(False, text)
    if form is None:
        return echo(
            False, "the value must be <revision>/<token>, as in canarium.dev/promote=abc23456/1"
        )
    revision, token = form.groups()
    if revision != ctx.target and not _is_stored_retry(ctx, name, token):
        return echo(False, f"the current revision is {ctx.target}", revision, token)
    if accepted:
        return echo(False, f"superseded by {accepted}", revision, token)
    done = echo(True, command.done, revision, token)
    # A command that acted before a crash is accepted although the status does not list it.
    acted = _is_stored_retry(ctx, name, token) or ctx.has_acted(done)
    of_gate = _GATE_COMMANDS.get(name)
    acted = acted or (of_gate is not None and approvals.is_recorded(ctx, done))
    if acted:
        return done
    why = of_gate(ctx, token) if of_gate else command.why_not(ctx)
    return done if why is None else echo(False, why, revision, token)


def consumed(ctx: RolloutContext, result: PhaseResult) -> tuple[CommandEcho, ...]:
    """Returns the results to publish with `result`.

    A retry whose record is not stored yet, and an undo that is blocked, are not consumed: they act
    once nothing prevents them (R21).
    """
    unfinished = set[str]()
    retried = ctx.new_record is not None and ctx.new_record.retry is not None
    if retried and not any(isinstance(a, StoreRevision) for a in result.actions):
        unfinished.add("retry")
    if result.failure is None:
        unfinished.add("undo")
    return tuple(
        c
        for c in ctx.commands
        if c.command not in unfinished or c.result != CommandOutcome.ACCEPTED
    )


def _is_stored_retry(ctx: RolloutContext, name: str, token: str) -> bool:
    """Returns whether the retry's record is stored, as after a crash before the status write."""
    return name == "retry" and bool(ctx.current_record and ctx.current_record.retry == token)
