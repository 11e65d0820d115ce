"""Where the demo runs: what the machine offers, or what was asked for."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from sandbox import Mode, NotUp, Options, Sandbox, machine
from sandbox.choice import Choice, Facts, NoMode, choose, duration

MODES = (Mode.EXTERNAL, Mode.KIND, Mode.NATIVE, Mode.SIMULATED)


def parse(words: Sequence[str], program: str, summary: str) -> Options:
    """The options on the command line, as `make demo DEMO="--mode kind"` passes them."""
    parser = argparse.ArgumentParser(prog=program, description=summary)
    parser.add_argument("--context", help="run in the cluster of this context of your kubeconfig")
    parser.add_argument("--kubeconfig", type=Path, help="another kubeconfig")
    parser.add_argument(
        "--load-images",
        default="",
        help="for --context: the command that loads an archive of images into the nodes, such as "
        "'k3d image import --cluster NAME'",
    )
    parser.add_argument("--mode", type=Mode, choices=MODES, help="instead of the best choice")
    options = parser.parse_args(words)
    return Options(
        mode=options.mode,
        context=options.context,
        kubeconfig=options.kubeconfig,
        loads=shlex.split(options.load_images),
    )


def chosen(options: Options, story: str) -> tuple[Choice, str]:
    """Where the demo runs and why, and the sentence that announces it with its duration; the
    story takes as long as the words `story`.

    Raises NoMode, whose text states what to do.
    """
    facts = machine.look(options)
    choice = _running(options) or choose(facts, options.mode, install=options.install)
    if choice.mode is Mode.EXTERNAL and not options.loads:
        raise NoMode(
            "--context needs --load-images, a command that makes the demo's images available to "
            "the nodes of your cluster"
        )
    return choice, announcement(choice, story, facts)


def _running(options: Options) -> Choice | None:
    """The sandbox of an earlier demo, which is used again unless another one was asked for."""
    try:
        sandbox = Sandbox.attach(options.name)
    except NotUp:
        return None
    if options.mode not in (None, sandbox.mode) or options.context or options.kubeconfig:
        return None
    return Choice(sandbox.mode, f"the sandbox {options.name} is there; `make demo-down` deletes it")


def announcement(choice: Choice, story: str, facts: Facts) -> str:
    """What was chosen, why, and how long it takes."""
    if choice.mode is Mode.SIMULATED:
        return f"simulated decisions ({choice.reason}): a second, without pods and traffic"
    start = duration(choice.mode, facts)
    return (
        f"{choice.mode} ({choice.reason}): starting takes {start}; the story takes {story}, and "
        "its images some minutes more the first time"
    )
