"""`python -m sandbox engine …`: a Docker engine with kind and a node image, for one command.

Where Docker runs, `run` uses that instead, with the published node image. `check` starts nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from sandbox import machine
from sandbox.engine.engine import Engine
from sandbox.engine.node import node_image


def main(name: str, words: list[str]) -> int:
    """Carries out one command; the exit code. Raises NoEngine where none can run."""
    parser = argparse.ArgumentParser(
        prog="sandbox engine", description="A Docker engine and kind, without a registry."
    )
    parser.add_argument("verb", choices=("up", "run", "down", "check"))
    parser.add_argument("words", nargs=argparse.REMAINDER, help="run: [--] COMMAND …")
    options = parser.parse_args(words)
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if (options.verb == "run") != bool(command):
        parser.error("`run` needs a command, the other verbs take none")
    engine = Engine()
    if options.verb == "down":
        engine.down()
        return 0
    if options.verb == "check":
        if not machine.docker_answers():
            engine.check()
        return 0
    if command and not engine.part.alive and machine.docker_answers():
        return subprocess.run(command, check=False).returncode
    engine.sweep()
    stays = options.verb == "up" or engine.part.alive
    # So that the engine ends here too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        engine.up(owner=None if stays else os.getpid())
        image = node_image(engine)
        return _run(engine, image, command) if command else 0
    finally:
        if not stays:
            engine.down()


def _run(engine: Engine, image: str, command: list[str]) -> int:
    environment = {
        **engine.environment,
        "KIND_BIN": str(engine.programs / "kind"),
        "KIND_IMAGE": os.environ.get("KIND_IMAGE") or image,
        # Records of processes from there would name other processes here.
        "XDG_STATE_HOME": str(engine.folder / "state"),
    }
    return subprocess.run(engine.inside(command), env=environment, check=False).returncode
