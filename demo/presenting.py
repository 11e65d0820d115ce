"""What every demo does: chooses the place, installs the operator, and runs a story."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from demo import place
from demo.story import Story
from demo.view import View
from sandbox import Mode, NoMode, Options, Sandbox, clients, machine
from sandbox.images import Image
from sandbox.progress import Progress
from support.images import operator_image
from support.install import install

#: Where the command below shows the web pages.
PORT = 8300


@dataclass(frozen=True)
class Show:
    """A demo: its story, what that needs in the cluster, and what to try afterwards."""

    #: Name of the target of `make`, and one sentence.
    name: str
    summary: str
    #: How long the story takes, as a sentence after "the story takes".
    duration: str
    namespace: str
    #: The model that is simulated where there is no cluster.
    manifest: Path
    images: Callable[[], Sequence[Image]]
    story: Callable[[Sandbox, View], Story]
    #: Settings of the chart.
    values: tuple[str, ...] = ()
    #: More commands to try, each with its purpose.
    commands: tuple[tuple[str, str], ...] = ()


def present(show: Show, words: Sequence[str]) -> int:
    """Runs a demo with the options of its command line; the exit code."""
    try:
        return _present(show, place.parse(words, show.name, show.summary))
    except NoMode as nothing:
        print(f"{show.name}: {nothing}", file=sys.stderr)
        return 2


def _present(show: Show, options: Options) -> int:
    choice, announcement = place.chosen(options, show.duration)
    view = View()
    view.say(announcement)
    if choice.mode is Mode.SIMULATED:
        view.stop()
        return simulated(show.manifest)
    if choice.install:
        # The images need some of them, too.
        machine.install(choice.install, Progress())
    # Neither needs the other. The first time both download, and the cluster is compiled.
    with ThreadPoolExecutor(max_workers=1) as pool:
        built = pool.submit(lambda: [operator_image(), *show.images()])
        sandbox = Sandbox.up(options)
        view.say("training the models, building the images")
        sandbox.load(built.result())
    view.say("installing the operator by helm")
    install(sandbox, *show.values)
    sandbox.kubectl("delete", "namespace", show.namespace, "--ignore-not-found", "--wait")
    story = show.story(sandbox, view)
    try:
        story.tell()
    finally:
        story.end()
        view.stop()
    held = view.close(story.stages)
    story.report()
    print("The cluster stays. To explore it, in this folder:")
    if shutil.which("kubectl") is None:
        print(f"  export KUBECTL={clients.find('kubectl')}")
    for command, purpose in (*_commands(show.namespace), *show.commands):
        print(f"  {command:<62} {purpose}".rstrip())
    print("To delete it: make demo-down")
    return 0 if held else 1


def simulated(manifest: Path) -> int:
    """Draws the decisions about a good version and about one that crashes; the exit code."""
    simulate = [sys.executable, "-m", "canarium_cli.main", "simulate"]
    for title, more in (("A good version", ()), ("A version that crashes", ("--fail-at", "50"))):
        print(f"\n{title}:", flush=True)
        subprocess.run([*simulate, "-f", str(manifest), *more], check=True)
    print("\nFor pods and traffic: Docker with kind, root on Debian, or --context.")
    return 0


def _commands(namespace: str) -> tuple[tuple[str, str], ...]:
    """What to try next: commands for a shell in the folder of the checkout."""
    return (
        (". .venv/bin/activate", "with kubectl-modeldeploy on the PATH"),
        ("python -m sandbox kubectl config view --raw > demo.kubeconfig", ""),
        ("export KUBECONFIG=$PWD/demo.kubeconfig", ""),
        (f"kubectl-modeldeploy get fraud -n {namespace}", "the model as a tree; -w follows it"),
        (
            f"kubectl-modeldeploy why fraud -n {namespace}",
            "why it is as it is, and what you can do",
        ),
        ("kubectl-modeldeploy list -A", "all models, those that need attention first"),
        ("kubectl-modeldeploy doctor", "whether the cluster is ready"),
        (
            f"kubectl-modeldeploy dashboard --port {PORT}",
            f"the same at http://127.0.0.1:{PORT}; prints the address with its key",
        ),
    )
