"""What a person can do about a model now, as command lines to copy."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.view.tree import Tree

PROGRAM = "kubectl modeldeploy"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A command line, and what it does."""

    command: str
    effect: str


def suggestions(tree: Tree) -> tuple[Suggestion, ...]:
    """Returns the commands that make sense in the phase of the model, the most likely first."""
    where = f"{tree.name} -n {tree.namespace}"
    commands: list[tuple[str, str]] = []
    if tree.failure:
        if tree.failure.pod:
            commands.append((f"logs {where} --failed", "read the log of the failed version"))
        commands.append((f"diff {where}", "see what the failed version changed"))
        commands.append((f"retry {where}", "try the same version again"))
    elif tree.phase == "Progressing":
        if tree.paused_by:
            commands.append((f"resume {where}", "continue the rollout"))
        elif tree.wait and tree.wait.reason != "WaitingForPods":
            commands.append((f"promote {where}", "end the current pause"))
        commands.append((f"promote --full {where}", "skip all remaining steps"))
        commands.append((f"abort {where}", "roll back"))
        if not tree.paused_by:
            commands.append((f"pause {where}", "keep the weight until resumed"))
    elif tree.phase == "Baking":
        commands.append((f"undo {where}", "return to the previous version"))
    if tree.wait and tree.wait.pod:
        commands.append((f"logs {where}", "read the log of the pods"))
    if commands or tree.problems:
        commands.append((f"events {where}", "see what happened, in order"))
    return tuple(Suggestion(f"{PROGRAM} {command}", effect) for command, effect in commands)
