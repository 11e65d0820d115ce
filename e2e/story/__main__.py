"""`python -m story install`: this checkout's operator into the sandbox that is up, by helm."""

from __future__ import annotations

import argparse
import sys

from sandbox import Sandbox
from story.images import operator_image, server_images
from story.install import install


def main() -> int:
    """Carries out the command; the exit code."""
    parser = argparse.ArgumentParser(prog="story", description=__doc__)
    parser.add_argument("command", choices=["install"])
    parser.parse_args()
    sandbox = Sandbox.attach()
    sandbox.load([operator_image(), *server_images()])
    install(sandbox)
    print("installed; try: python -m sandbox kubectl apply -f examples/canary.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
