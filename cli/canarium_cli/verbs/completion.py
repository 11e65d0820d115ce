"""`completion`: the script that completes `kubectl-modeldeploy` in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from canarium_cli.output.terminal import echo
from canarium_cli.program import VARIABLE

_PROGRAM = "kubectl-modeldeploy"
_LOADED_BY = {
    "bash": "source <(kubectl-modeldeploy completion bash)",
    "zsh": "source <(kubectl-modeldeploy completion zsh)",
    "fish": "kubectl-modeldeploy completion fish | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_LOADED_BY)))
def completion_command(shell: str) -> None:
    """Print the completion script of a shell, for the program `kubectl-modeldeploy`.

    `kubectl modeldeploy` needs no such script: kubectl's completion (`kubectl completion
    --help`) asks the program `kubectl_complete-modeldeploy`, which is installed beside this one.
    """
    cli = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None
    echo(f"# Load it with: {_LOADED_BY[shell]}")
    echo(kind(cli, {}, _PROGRAM, VARIABLE).source())
