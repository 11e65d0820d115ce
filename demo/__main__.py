"""`python -m demo`: creates the cluster and runs the story; exits 0 if every expectation held."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

from demo import place
from demo.images import model_images, train
from demo.story import NAMESPACE, Story
from demo.view import View
from sandbox import Mode, NoMode, Sandbox, clients
from support.images import ROOT, operator_image
from support.install import install

MODEL = ROOT / "examples" / "fraud-demo.yaml"
#: Where the command below shows the web pages.
PORT = 8300
#: What to try next, in a shell with `. .venv/bin/activate` and the sandbox's kubeconfig.
COMMANDS = (
    ("python -m sandbox kubectl config view --raw > demo.kubeconfig", "then, with it:"),
    ("export KUBECONFIG=$PWD/demo.kubeconfig", ""),
    (f"python -m canarium_cli.main get fraud -n {NAMESPACE}", "the model as a tree; -w follows it"),
    (
        f"python -m canarium_cli.main why fraud -n {NAMESPACE}",
        "why it is as it is, and what you can do",
    ),
    ("python -m canarium_cli.main list -A", "all models, those that need attention first"),
    ("python -m canarium_cli.main doctor", "whether the cluster is ready"),
    (
        f"python -m canarium_cli.main dashboard --port {PORT}",
        f"the same at http://127.0.0.1:{PORT}; prints the address with its key",
    ),
)


def main(words: Sequence[str]) -> int:
    """The exit code."""
    options = place.parse(words)
    try:
        choice, announcement = place.chosen(options)
    except NoMode as nothing:
        print(f"demo: {nothing}", file=sys.stderr)
        return 2
    view = View()
    view.say(announcement)
    if choice.mode is Mode.SIMULATED:
        view.stop()
        return simulated()
    sandbox = Sandbox.up(options)
    view.say("training the models, building the images")
    sandbox.load([operator_image(), *model_images(train())])
    view.say("installing the operator by helm")
    install(sandbox)
    sandbox.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    story = Story(sandbox, view)
    try:
        story.tell()
    finally:
        story.end()
        view.stop()
    held = view.close(story.stages)
    print("look around: python -m sandbox kubectl get modeldeployments -A")
    if shutil.which("kubectl") is None:
        print(f"  export KUBECTL={clients.find('kubectl')}")
    for command, purpose in COMMANDS:
        print(f"  {command:<56} {purpose}")
    print("delete it all: make demo-down")
    return 0 if held else 1


def simulated() -> int:
    """Draws the decisions about a good version and about one that crashes; the exit code."""
    simulate = [sys.executable, "-m", "canarium_cli.main", "simulate"]
    for title, more in (("A good version", ()), ("A version that crashes", ("--fail-at", "50"))):
        print(f"\n{title}:", flush=True)
        subprocess.run([*simulate, "-f", str(MODEL), *more], check=True)
    print("\nFor pods and traffic: Docker with kind, root on Debian, or --context.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
