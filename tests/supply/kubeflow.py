"""A pipeline of Kubeflow, compiled by its real compiler, as tasks with what their pods run."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from supply.pipelines import environment


@dataclass(frozen=True)
class Task:
    """A task: the words of its container, its variables, and whether its result may be reused."""

    name: str
    words: list[str]
    variables: dict[str, str]
    cached: bool


def compiled(program: Path, folder: Path) -> dict[str, Any]:
    """Runs a pipeline's program in `folder`; returns the definition that it writes there."""
    words = [environment(".venv-pipelines") / "python", program]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=120)
    [written] = folder.glob("*.yaml")
    definition: dict[str, Any] = yaml.safe_load(written.read_text())
    return definition


def tasks(definition: dict[str, Any], output: str, value: str) -> list[Task]:
    """The tasks in the order in which they run.

    Placeholders are filled as Kubeflow's launcher does: `output` is the path that a task writes
    its result to, and `value` is what the next one receives.
    """
    made: list[Task] = []
    waiting = dict(definition["root"]["dag"]["tasks"])
    while waiting:
        done = {task.name for task in made}
        name = next(n for n, task in waiting.items() if done >= {*task.get("dependentTasks", ())})
        made.append(_task(definition, name, waiting.pop(name), output, value))
    return made


def _task(definition: dict[str, Any], name: str, task: Any, output: str, value: str) -> Task:
    component = definition["components"][task["componentRef"]["name"]]
    container = definition["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    outputs = component.get("outputDefinitions", {}).get("parameters", ())
    inputs = task.get("inputs", {}).get("parameters", ())
    filled = {
        **{f"{{{{$.outputs.parameters['{key}'].output_file}}}}": output for key in outputs},
        **{f"{{{{$.inputs.parameters['{key}']}}}}": value for key in inputs},
    }
    return Task(
        name,
        [filled.get(word, word) for word in (*container["command"], *container["args"])],
        {one["name"]: one["value"] for one in container["env"]},
        bool(task["cachingOptions"].get("enableCache")),
    )
