"""`dashboard`: the web pages, on this machine and with the rights of the kubeconfig."""

from __future__ import annotations

import errno

import click

from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.faults import fault
from canarium_cli.output.terminal import echo
from canarium_cli.reads import namespace_of


@click.command("dashboard")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Port on 127.0.0.1; default: a free one.",
)
@click.option("--open", "browse", is_flag=True, help="Open the page in the browser.")
@click.option("--actions", is_flag=True, help="Show buttons for promote, abort and the like.")
@connected
def dashboard_command(connection: Connection, port: int, browse: bool, actions: bool) -> None:
    """Serve web pages about all models, until Ctrl-C.

    Everything is read and done through `kubectl proxy`, with the rights of the kubeconfig. The
    printed address contains a key: everyone who has it can see what you can see.
    """
    try:
        from canarium_dashboard import local
    except ImportError as error:
        raise usage(
            f"The dashboard is not installed ({error.name} is missing). In the "
            "checkout where `make cli` installed the command line, run: make cli-dashboard"
        ) from None
    kubectl = connection.kubectl
    # An expired login or a wrong context is reported here, and not on every page.
    kubectl.versions()
    try:
        local.run(
            kubectl.command,
            port=port,
            browse=browse,
            actions=actions,
            namespaces=(namespace_of(kubectl),),
            kubectl_words=kubectl.options,
            show=echo,
        )
    except local.ProxyFailed as error:
        raise fault(str(error)) from None
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise CliError(
            f"Port {port} cannot be used: {error.strerror}. Choose another --port.", Exit.USAGE
        ) from None
    except KeyboardInterrupt:
        raise SystemExit(0) from None
