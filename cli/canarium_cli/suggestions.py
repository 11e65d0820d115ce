"""What a person can do about a model now, as command lines to copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium.view.tree import Tree

PROGRAM = "kubectl modeldeploy"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A command line, and what it does."""

    command: str
    effect: str


#: Verb → what it does, for each command that can have an effect.
_EFFECTS = {
    "approve": ("approve", "let the version pass the gate that waits"),
    "reject": ("reject", "fail the version at the gate that waits"),
    "rerun": ("rerun", "run the Job of the gate again"),
    "promote": ("promote", "end the current pause"),
    "promote-full": ("promote --full", "skip all remaining steps"),
    "abort": ("abort", "roll back"),
    "undo": ("undo", "return to the previous version"),
    "pause": ("pause", "keep the weight until resumed"),
    "resume": ("resume", "continue the rollout"),
    "retry": ("retry", "try the same version again"),
}


def suggestions(tree: Tree, effective: Iterable[str]) -> tuple[Suggestion, ...]:
    """Returns the commands that make sense now, the most likely first; `effective` are those that
    the operator would accept."""
    where = f"{tree.name} -n {tree.namespace}"
    commands: list[tuple[str, str]] = []
    if tree.failure:
        if tree.failure.pod:
            commands.append((f"logs {where} --failed", "read the log of the failed version"))
        commands.append((f"diff {where}", "see what the failed version changed"))
    for verb, effect in (_EFFECTS[name] for name in effective):
        commands.append((f"{verb} {where}", effect))
    if tree.wait and tree.wait.pod:
        commands.append((f"logs {where}", "read the log of the pods"))
    if commands or tree.problems:
        commands.append((f"events {where}", "see what happened, in order"))
    return tuple(Suggestion(f"{PROGRAM} {command}", effect) for command, effect in commands)
