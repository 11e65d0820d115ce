"""The command line's `image` commands: build an archive, load it, and see what the node has."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from sandbox import images
from sandbox.cluster import Sandbox


def main(name: str, words: list[str]) -> int:
    """Carries out `image build | load | list` on the sandbox `name`; the exit code."""
    parser = argparse.ArgumentParser(prog="sandbox image")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("load", help="load an archive").add_argument("archive", type=Path)
    commands.add_parser("list", help="the node's images")
    build = commands.add_parser("build", help="build an archive, or build and load")
    build.add_argument("tag")
    build.add_argument("--base", choices=("python", "busybox"), default="python")
    build.add_argument("--pip", action="append", default=[], metavar="REQUIREMENT")
    build.add_argument("--requirements", type=Path, help="a requirements file")
    build.add_argument("--copy", action="append", default=[], metavar="SOURCE:PATH")
    build.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    build.add_argument("--user", default="")
    build.add_argument("--workdir", default="/")
    build.add_argument("--entrypoint", type=json.loads, default=[], metavar="JSON")
    build.add_argument("--cmd", type=json.loads, default=[], metavar="JSON")
    build.add_argument("-o", "--output", type=Path, help="write the archive here, do not load")
    asked = parser.parse_args(words)
    if asked.command == "load":
        Sandbox.attach(name).load_images(asked.archive)
    elif asked.command == "list":
        listed = Sandbox.attach(name).node_exec("ctr", "-n", "k8s.io", "images", "list", "-q")
        sys.stdout.write(listed.stdout)
        sys.stderr.write(listed.stderr)
        return listed.returncode
    elif asked.output:
        images.write_archive(asked.output, [_image(asked)])
    else:
        found = Sandbox.attach(name)
        with tempfile.TemporaryDirectory() as folder:
            found.load_images(images.write_archive(Path(folder, "image.tar"), [_image(asked)]))
    return 0


def _image(asked: argparse.Namespace) -> images.Image:
    layers = [images.python_base() if asked.base == "python" else images.busybox()]
    requirements = list(asked.pip)
    if asked.requirements:
        requirements += asked.requirements.read_text().splitlines()
    if requirements:
        layers.append(images.pip(requirements))
    for copied in asked.copy:
        source, _, target = copied.rpartition(":")
        layers.append(images.files({target: Path(source)}))
    return images.Image(
        asked.tag,
        layers,
        entrypoint=asked.entrypoint,
        cmd=asked.cmd,
        env=dict(pair.split("=", 1) for pair in asked.env),
        user=asked.user,
        working_dir=asked.workdir,
    )
