"""Names on the command line, and completion: what may follow the words typed so far.

kubectl asks the program `kubectl_complete-modeldeploy` when it completes `kubectl modeldeploy …`
(https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#flags-and-arguments-completion):
the words typed so far are its arguments, the last of them the incomplete one. It prints a candidate
per line, with a description after a TAB, and a last line with a directive of cobra.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The variable in which click's own scripts ask for candidates.
VARIABLE = "_KUBECTL_MODELDEPLOY_COMPLETE"
#: Names of objects and of namespaces
#: (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
#: Seconds that a press of TAB may wait for the cluster.
_PATIENCE = 2
#: Directives of cobra: nothing more, and complete file names instead.
_NO_FILES, _FILES = 4, 0


class _KubernetesName(click.ParamType[str]):
    """A name by a rule of Kubernetes; what it cannot be is a usage error."""

    pattern: re.Pattern[str]
    longest: int
    #: What it names, and of what it consists.
    noun: str
    characters: str

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        name = str(value)
        if len(name) > self.longest or not self.pattern.fullmatch(name):
            self.fail(
                f"{name[:60]!r} cannot be a {self.noun}: write {self.characters}, at most "
                f"{self.longest} characters",
                param,
                ctx,
            )
        return name


class ModelName(_KubernetesName):
    """The name of a ModelDeployment; completed from the cluster."""

    name = "name"
    pattern, longest = _SUBDOMAIN, 253
    noun, characters = "name", "lowercase letters, digits, '-' and '.'"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        lines = _ask(ctx, "get", "modeldeployments.canarium.dev", "--output=name")
        earlier = ctx.params.get(param.name or "") or ()
        names = (line.partition("/")[2] for line in lines)
        return _items((name for name in names if name not in earlier), incomplete)


class Namespace(_KubernetesName):
    """A namespace; completed from the cluster."""

    name = "text"
    pattern, longest = _LABEL, 63
    noun, characters = "namespace", "lowercase letters, digits and '-'"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = (line.partition("/")[2] for line in _ask(ctx, "get", "namespaces", "--output=name"))
        return _items(names, incomplete)


class Context(click.ParamType[str]):
    """A context of the kubeconfig."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = _ask(ctx, "config", "get-contexts", "--output=name")
        return _items(names, incomplete)


def completed(command: click.Command) -> click.Command:
    """Returns the command with checks and completion of the parameters that all verbs share."""
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.name in ("name", "names"):
            parameter.type = ModelName()
        elif parameter.name == "namespace":
            parameter.type = Namespace()
        elif parameter.name == "context":
            parameter.type = Context()
    return command


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    # Imported here, since every start of the program imports this module.
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _ask(ctx: click.Context, *words: str) -> list[str]:
    """The lines that kubectl prints; none when the cluster is slow, away, or forbids it."""
    # Imported here, since every start of the program imports this module.
    import subprocess

    from canarium_cli.exits import CliError
    from canarium_cli.kubectl import binary

    options = [
        f"--{name.replace('_', '-')}={ctx.params[name]}"
        for name in ("namespace", "context", "kubeconfig")
        if ctx.params.get(name)
    ]
    if ctx.params.get("as_user"):
        options.append(f"--as={ctx.params['as_user']}")
    if words[0] != "config":
        options.append(f"--request-timeout={_PATIENCE}s")
    try:
        command = [binary(), *options, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE + 1)
    except (CliError, OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []


def candidates(words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """Returns what may follow `words`, for a last word that begins with `incomplete`."""
    from click.shell_completion import ShellComplete

    from canarium_cli.main import PROGRAM, cli

    return ShellComplete(cli, {}, PROGRAM, VARIABLE).get_completions(list(words), incomplete)


def main() -> None:
    """The program `kubectl_complete-modeldeploy`."""
    # A shell may stop reading.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    *words, incomplete = sys.argv[1:] or [""]
    option, equals, value = incomplete.partition("=")
    # As `--output=js`: click completes the value as a separate word.
    if equals and option.startswith("--"):
        items, begin = candidates([*words, option], value), f"{option}="
    else:
        items, begin = candidates(words, incomplete), ""
    for item in items:
        if item.type == "plain":
            print(f"{begin}{item.value}\t{item.help}" if item.help else f"{begin}{item.value}")
    files = any(item.type in ("file", "dir") for item in items)
    print(f":{_FILES if files else _NO_FILES}", flush=True)
    os._exit(0)
