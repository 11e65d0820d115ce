"""Names on the command line: which are valid, and which ones the cluster has, for completion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Names of objects and of namespaces
#: (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
#: Seconds that a press of TAB may wait for the cluster.
_PATIENCE = 2


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
    from canarium_cli.processes import binary

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
