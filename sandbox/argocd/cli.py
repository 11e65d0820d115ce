"""The command line's `argocd` commands: start and end it, and talk to it as its users do."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import yaml

from sandbox.argocd.instance import ArgoCD
from sandbox.cluster import Sandbox

_ABOUT = """\
sandbox argocd up [--config FILE]... [--resync SECONDS]   start it beside the sandbox
sandbox argocd down                                       end it
sandbox argocd WORD...                                    the command argocd, such as `app list`
"""


def main(name: str, words: list[str]) -> int:
    """Carries out one command; the exit code. Raises what ArgoCD.up raises."""
    match words:
        case ["up", *rest]:
            return _up(name, rest)
        case ["down"]:
            ArgoCD.attach(Sandbox.attach(name)).down()
            return 0
        case [] | ["-h" | "--help"]:
            print(_ABOUT, end="")
            return 0
    command = [str(word) for word in ArgoCD.attach(Sandbox.attach(name)).commands.cli(words)]
    return subprocess.run(command, check=False).returncode


def _up(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sandbox argocd up")
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a patch of argocd-cm, such as argocd/argocd-cm.yaml; may be repeated",
    )
    parser.add_argument(
        "--resync", type=int, default=180, help="seconds between periodic comparisons"
    )
    options = parser.parse_args(words)
    data: dict[str, str] = {}
    for path in options.config:
        data |= yaml.safe_load(path.read_text())["data"]
    argo = ArgoCD.up(Sandbox.attach(name), data, resync=options.resync)
    print(f"{argo.url} is Argo CD; `python -m sandbox argocd app list` asks it")
    return 0
