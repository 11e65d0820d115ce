"""What a person can ask of a rollout: the annotation of each command, what it does to the traffic,
and the operator's answer (R16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from canarium import GROUP
from canarium.api.states import CommandOutcome
from canarium.view.objects import Raw, items, number, part, text


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `annotation` is the word after `canarium.dev/`; `traffic` describes what the
    command does to the traffic of a model, and is empty where it moves none."""

    annotation: str
    traffic: Callable[[Raw], str]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What the operator made of a command."""

    accepted: bool
    message: str


def _next_weight(model: Raw) -> str:
    status = part(model, "status")
    progress = part(status, "progress")
    weight, step = number(status, "weight"), number(progress, "step")
    weights = [number(x, "weight") for x in items(progress, "steps")]
    later = [x for x in weights[step:] if x > weight]
    return f"moves traffic from {weight} % to {later[0] if later else 100} % for {_wanted(model)}"


def _everything(model: Raw) -> str:
    return f"skips the remaining steps and moves all traffic to {_wanted(model)}"


def _rolls_back(model: Raw) -> str:
    weight = number(part(model, "status"), "weight")
    if not weight:
        return ""
    return f"moves the {weight} % of traffic of {_wanted(model)} back to {_named(model, 'stable')}"


def _rejects(model: Raw) -> str:
    baking = part(part(model, "status"), "previous")
    return _undoes(model) if baking else _rolls_back(model)


def _undoes(model: Raw) -> str:
    return (
        f"moves all traffic from {_named(model, 'stable')} back to {_named(model, 'previous')}, "
        "without steps"
    )


def _tries_again(model: Raw) -> str:
    return f"starts the rollout of {_named(model, 'failure')} again"


def _continues(model: Raw) -> str:
    return f"lets the rollout of {_wanted(model)} continue to its next weight"


def _none(model: Raw) -> str:
    return ""


#: By the name that people use. `promote` ends the current pause, `promote-full` all that follow.
COMMANDS: dict[str, Command] = {
    "promote": Command("promote", _next_weight),
    "promote-full": Command("promote-full", _everything),
    "abort": Command("abort", _rolls_back),
    "undo": Command("undo", _undoes),
    "retry": Command("retry", _tries_again),
    "approve": Command("approve", _none),
    "reject": Command("reject", _rejects),
    "rerun": Command("rerun", _none),
    "pause": Command("pause", _none),
    "resume": Command("resume", _continues),
}


def annotation_of(command: str, revision: str, token: str) -> tuple[str, str]:
    """Returns the annotation that gives a command: its name, and its value."""
    return f"{GROUP}/{COMMANDS[command].annotation}", f"{revision}/{token}"


def answer_of(model: Raw, command: str, revision: str, token: str) -> CommandResult | None:
    """Returns the operator's answer to exactly this command; None while there is none."""
    wanted = (COMMANDS[command].annotation, revision, token)
    for echo in items(part(model, "status"), "commands"):
        if (text(echo, "command"), text(echo, "revision"), text(echo, "token")) == wanted:
            return CommandResult(
                text(echo, "result") == CommandOutcome.ACCEPTED, text(echo, "message")
            )
    return None


def _wanted(model: Raw) -> str:
    return _named(model, "candidate", "failure", "stable")


def _named(model: Raw, *parts: str) -> str:
    """Returns version and revision of the first of these parts of the status that is there."""
    status = part(model, "status")
    named = next((part(status, name) for name in parts if part(status, name)), {})
    revision = text(named, "revision")
    version = text(named, "version") or _version(model, revision)
    if version:
        return f"version {version} ({revision})"
    return f"revision {revision}" if revision else "the previous version"


def _version(model: Raw, revision: str) -> str:
    """Returns the version of a revision that has ended, as the history has it."""
    history = items(part(model, "status"), "history")
    return next((text(x, "version") for x in history if text(x, "revision") == revision), "")
