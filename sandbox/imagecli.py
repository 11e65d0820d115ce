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
    options = parser.parse_args(words)
    if options.command == "load":
        Sandbox.attach(name).load_images(options.archive)
    elif options.command == "list":
        listed = Sandbox.attach(name).node_exec("ctr", "-n", "k8s.io", "images", "list", "-q")
        sys.stdout.write(listed.stdout)
        sys.stderr.write(listed.stderr)
        return listed.returncode
    elif options.output:
        images.write_archive(options.output, [_image(options)])
    else:
        sandbox = Sandbox.attach(name)
        with tempfile.TemporaryDirectory() as folder:
            sandbox.load_images(images.write_archive(Path(folder, "image.tar"), [_image(options)]))
    return 0


def _image(options: argparse.Namespace) -> images.Image:
    layers = [images.python_base() if options.base == "python" else images.busybox()]
    requirements = list(options.pip)
    if options.requirements:
        requirements += options.requirements.read_text().splitlines()
    if requirements:
        layers.append(images.pip(requirements))
    for copied in options.copy:
        source, _, target = copied.rpartition(":")
        layers.append(images.files({target: Path(source)}))
    return images.Image(
        options.tag,
        layers,
        entrypoint=options.entrypoint,
        cmd=options.cmd,
        env=dict(pair.split("=", 1) for pair in options.env),
        user=options.user,
        working_dir=options.workdir,
    )
