"""Commands (R16): annotations `canarium.dev/<command>: <revision>/<token>`, each acting once.

A command is looked at in the decision that consumes it; its answer (done, or ignored and why)
goes into the status in the same write as its effect. What has to be written elsewhere first, as
an abort moves traffic first, is done again after a crash, since only the status consumes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from canarium.api.status import CommandEcho
from canarium.core.context.context import RolloutContext
from canarium.core.context.position import stands
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import StoreRevision
from canarium.core.times import stamp
from canarium.untrusted.quoting import quoted

KEPT = 20
#: How many unknown annotations an answer names beside the first.
NAMED = 3
PROMOTED = "the revision is already promoted"
_FORM = re.compile(r"^([a-z0-9-]{1,63})/([A-Za-z0-9._:-]{1,128})$")


@dataclass(frozen=True, slots=True)
class Command:
    """`why_not` says why it cannot act now; None when it can. `done` says what it did."""

    done: str
    why_not: Callable[[RolloutContext], str | None]


def _abort(ctx: RolloutContext) -> str | None:
    if ctx.stable is None:
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
    if stands(p) and p.weight == p.granted:
        return None
    return "the rollout is not paused at a step"


def _promote_full(ctx: RolloutContext) -> str | None:
    if ctx.target == ctx.stable:
        return PROMOTED
    if ctx.stable is None:
        return "the first version has no steps"
    if ctx.quarantined:
        return "the revision has failed. Use retry first"
    return f"the rollout is paused by {ctx.paused_by}. Use resume first" if ctx.paused_by else None


def _pause(ctx: RolloutContext) -> str | None:
    if ctx.paused_by:
        return f"the rollout is already paused by {ctx.paused_by}"
    if ctx.stable is None or (ctx.target == ctx.stable and ctx.previous is None) or ctx.quarantined:
        return "no rollout or bake is in progress"
    return None


def _resume(ctx: RolloutContext) -> str | None:
    if ctx.settings.paused:
        return "spec.paused is true. Set it to false instead"
    return None if ctx.paused_by else "the rollout is not paused"


#: In the order in which they beat each other: of several at once, later ones are ignored.
COMMANDS: dict[str, Command] = {
    "abort": Command("the rollout is aborted and rolled back", _abort),
    "undo": Command("the promotion is undone", _undo),
    "pause": Command("steps and bake are paused until resume", _pause),
    "resume": Command("steps and bake continue", _resume),
    "retry": Command("the revision is rendered again and retried", _retry),
    "promote-full": Command("the remaining steps and pauses are skipped", _promote_full),
    "promote": Command("the current pause ends", _promote),
}


def answered(ctx: RolloutContext) -> tuple[CommandEcho, ...]:
    """The answers to all commands that no earlier decision has consumed, strongest first."""
    record = ctx.observed.record(ctx.target)
    seen = {(a.command, f"{a.revision}/{a.token}".strip("/")) for a in ctx.status.commands}
    known = [(name, value) for name, value in ctx.observed.annotations if name in COMMANDS]
    unknown = [(name, value) for name, value in ctx.observed.annotations if name not in COMMANDS]
    kept = set(record.commands) if record else set()
    answers: list[CommandEcho] = []
    order = list(COMMANDS)
    fresh = [
        (name, value)
        # One answer for all that is unknown: there may be thousands.
        for name, value in (*known, *unknown[:1])
        if (name, shown(value)) not in seen and f"{name}/{value.partition('/')[2]}" not in kept
    ]
    for name, value in sorted(fresh, key=lambda c: order.index(c[0]) if c[0] in order else 99):
        acts = next((a.command for a in answers if a.result == "Accepted"), None)
        others = [other for other, _ in unknown[1:]] if name not in COMMANDS else []
        answers.append(_answer(ctx, name, value, acts, others))
    return tuple(answers)


def shown(value: str) -> str:
    """An annotation's value as the status repeats it when it is not a valid command."""
    return quoted(value, 200).strip("/")


def _answer(
    ctx: RolloutContext, name: str, value: str, stronger: str | None, others: Sequence[str]
) -> CommandEcho:
    def echo(
        done: bool, message: str, revision: str = shown(value), token: str = ""
    ) -> CommandEcho:
        return CommandEcho(
            command=name[:63],
            revision=revision,
            token=token,
            result="Accepted" if done else "Ignored",
            message=message,
            time=stamp(ctx.now),
        )

    command, form = COMMANDS.get(name), _FORM.match(value)
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
    if revision != ctx.target and not _made_by(ctx, name, token):
        return echo(False, f"the current revision is {ctx.target}", revision, token)
    if stronger:
        return echo(False, f"superseded by {stronger}", revision, token)
    done = echo(True, command.done, revision, token)
    # It has acted before, and no status tells of it.
    why = None if _made_by(ctx, name, token) or ctx.has_acted(done) else command.why_not(ctx)
    return done if why is None else echo(False, why, revision, token)


def consumed(ctx: RolloutContext, result: PhaseResult) -> tuple[CommandEcho, ...]:
    """The answers that are given with `result`. A retry is not answered before its record is
    stored, nor an undo that is held: they stand until what keeps them from it is gone (R21)."""
    unmade = set[str]()
    retried = ctx.new_record is not None and ctx.new_record.retry is not None
    if retried and not any(isinstance(a, StoreRevision) for a in result.actions):
        unmade.add("retry")
    if result.failure is None:
        unmade.add("undo")
    return tuple(a for a in ctx.commands if a.command not in unmade or a.result != "Accepted")


def _made_by(ctx: RolloutContext, name: str, token: str) -> bool:
    """A retry whose record was stored before the operator could say so."""
    return name == "retry" and bool(ctx.current_record and ctx.current_record.retry == token)
