"""The command line: `python -m sandbox [--name NAME] COMMAND …`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox import clients, imagecli, paths
from sandbox.argocd import cli as argocdcli
from sandbox.backends import NotOffered
from sandbox.binaries import BuildFailed
from sandbox.choice import NoMode
from sandbox.clients import NoClient
from sandbox.cluster import NotUp, Sandbox, sandboxes
from sandbox.engine import EngineFailed, NoEngine
from sandbox.engine import cli as enginecli
from sandbox.forwarding import NoWay
from sandbox.gateway import GATEWAYS
from sandbox.images import LayerFailed
from sandbox.kind import KindFailed
from sandbox.options import Mode, Options, default_install, default_name
from sandbox.parts import PartFailed
from sandbox.process import NotStarted
from sandbox.prometheus import Prometheus
from sandbox.releases import DownloadFailed

#: The exit code where no Docker engine can run, which scripts distinguish from a failure:
#: EX_UNAVAILABLE of sysexits.h.
NO_ENGINE = 69

_EXPECTED = (
    BuildFailed,
    DownloadFailed,
    EngineFailed,
    KindFailed,
    LayerFailed,
    NoClient,
    NoMode,
    NoWay,
    NotOffered,
    NotStarted,
    NotUp,
    PartFailed,
    ValueError,
)


def main(words: Sequence[str] | None = None) -> int:
    """Carries out one command; the exit code."""
    parser = argparse.ArgumentParser(prog="sandbox", description="A real Kubernetes, locally.")
    parser.add_argument("--name", default=default_name(), help="which sandbox (CANARIUM_SANDBOX)")
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="see `COMMAND --help`")
    arguments = parser.parse_args(words)
    try:
        return _COMMANDS[arguments.command](arguments.name, arguments.rest)
    except _EXPECTED as failure:
        print(f"sandbox: {failure}", file=sys.stderr)
        return NO_ENGINE if isinstance(failure, NoEngine) else 1


def _up(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sandbox up")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="force a kind of sandbox")
    parser.add_argument("--kubeconfig", type=Path, help="use this cluster")
    parser.add_argument("--context", help="use this context of the kubeconfig")
    parser.add_argument(
        "--load-images",
        default="",
        help="command that loads an archive of images into this cluster",
    )
    parser.add_argument("--install", action="store_true", help="install missing Debian packages")
    parser.add_argument("--nodes", type=int, default=1, help="how many nodes are simulated")
    parser.add_argument("--crash-backoff", help="longest wait between restarts, such as 10s")
    parser.add_argument("--audit", default="Metadata", help="level of the audit log, or None")
    parser.add_argument(
        "--gateway", nargs="?", const="contour", choices=list(GATEWAYS), help="with a Gateway"
    )
    parser.add_argument("--prometheus", action="store_true", help="with a Prometheus")
    parser.add_argument("--no-controllers", action="store_true", help="with --mode control-plane")
    options = parser.parse_args(words)
    sandbox = Sandbox.up(
        Options(
            name=name,
            mode=options.mode,
            kubeconfig=options.kubeconfig,
            context=options.context,
            loads=shlex.split(options.load_images),
            audit=None if options.audit == "None" else options.audit,
            controllers=not options.no_controllers,
            nodes=options.nodes,
            crash_backoff=options.crash_backoff,
            install=options.install or default_install(),
        )
    )
    if options.gateway:
        target = GATEWAYS[options.gateway].up(sandbox).target
        print(f"gateway at {target}, in the cluster http://envoy.gateway.svc")
    if options.prometheus:
        print(f"Prometheus at {Prometheus.up(sandbox).target}")
    return _status(name, [])


def _down(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sandbox down")
    parser.add_argument("--purge-cache", action="store_true", help="drop what was built, too")
    options = parser.parse_args(words)
    with contextlib.suppress(NotUp):
        Sandbox.attach(name).down()
    if options.purge_cache:
        shutil.rmtree(paths.cache(), ignore_errors=True)
    return 0


def _status(name: str, words: list[str]) -> int:
    sandbox = Sandbox.attach(name)
    print(f"{name}: {sandbox.mode}, KUBECONFIG={sandbox.kubeconfig}")
    parts = sandbox.parts()
    for part in parts:
        process = part.process
        if process and process.alive:
            print(f"  {part.name:19} pid {process.pid:<8} {process.memory >> 20:4} MiB")
        else:
            print(f"  {part.name:19} down; see {part.log}")
    return 0 if all(part.alive for part in parts) else 3


def _list(name: str, words: list[str]) -> int:
    for sandbox in sandboxes():
        whole = all(part.alive for part in sandbox.parts())
        print(f"{sandbox.options.name}\t{sandbox.mode}\t{'up' if whole else 'broken'}")
    return 0


def _env(name: str, words: list[str]) -> int:
    sandbox = Sandbox.attach(name)
    print(f"export KUBECONFIG={shlex.quote(str(sandbox.kubeconfig))}")
    return 0


def _kubectl(name: str, words: list[str]) -> int:
    return _client("kubectl", name, words)


def _helm(name: str, words: list[str]) -> int:
    return _client("helm", name, words)


def _client(client: str, name: str, words: list[str]) -> int:
    path = str(clients.find(client))
    kubeconfig = str(Sandbox.attach(name).kubeconfig)
    os.execve(path, [path, *words], {**os.environ, "KUBECONFIG": kubeconfig})


def _exec(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="sandbox exec", description="Run a command of the host in the sandbox's network."
    )
    parser.add_argument("--node", action="store_true", help="as a process of the node")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="[--] COMMAND …")
    options = parser.parse_args(words)
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        parser.error("a command is missing")
    prefix = Sandbox.attach(name).backend.entering(node=options.node)
    os.execvp(prefix[0], [*prefix, *command])


def _forward(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sandbox forward")
    parser.add_argument("target", help="HOST:PORT inside; NAMESPACE/service/NAME:PORT elsewhere")
    options = parser.parse_args(words)
    with Sandbox.attach(name).forward(options.target) as way:
        print(f"{way.url} leads to {options.target} until this command ends", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _logs(name: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sandbox logs")
    parser.add_argument("part", nargs="?", help="such as kubelet; all, when left out")
    parser.add_argument("-f", "--follow", action="store_true")
    parser.add_argument("-n", "--lines", default="40")
    options = parser.parse_args(words)
    sandbox = Sandbox.attach(name)
    parts = [sandbox.part(options.part)] if options.part else sandbox.parts()
    files = [str(part.log) for part in parts if part.log.exists()]
    if not files:
        raise NotUp(f"no log of {options.part or name} in {sandbox.folder}")
    follow = ["-f"] if options.follow else []
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(
            ["tail", "-n", options.lines, *follow, *files], check=False
        ).returncode
    return 0


_COMMANDS: dict[str, Callable[[str, list[str]], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "list": _list,
    "env": _env,
    "kubectl": _kubectl,
    "helm": _helm,
    "exec": _exec,
    "forward": _forward,
    "image": imagecli.main,
    "argocd": argocdcli.main,
    "engine": enginecli.main,
    "logs": _logs,
}
