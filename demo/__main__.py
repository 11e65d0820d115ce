"""`python -m demo`: sets all up, tells the story, exits 0 only if every expectation held."""

from __future__ import annotations

import sys

from demo.images import model_images, train
from demo.story import NAMESPACE, Story
from demo.view import View
from sandbox import Options, Sandbox
from support.images import operator_image
from support.install import install


def main() -> int:
    """The exit code."""
    view = View()
    view.say("bringing the sandbox up")
    sandbox = Sandbox.up(Options())
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
    print("delete it all: make demo-down")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
