"""Exit codes, the same for every verb, and the errors that carry one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import IO, Any

import click

from canarium import API_VERSION, VERSION
from canarium_cli.output.lines import printable
from canarium_cli.output.streams import discard


class Exit(IntEnum):
    """What happened, for scripts. Documented in docs/reference/cli.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMEOUT = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    WAITS_FOR_PERSON = 6
    #: The operator ignored a command, another client changed the model meanwhile (`ship --apply`),
    #: or the cluster would reject the file (`plan --server`).
    NOT_ACCEPTED = 7


class CliError(click.ClickException):
    """An error in one sentence that states what to do; click prints it to stderr."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return int(self.code)

    def show(self, file: IO[Any] | None = None) -> None:
        try:
            click.echo(f"Error: {printable(self.format_message())}", file, err=file is None)
        except OSError:
            # The code counts, also where stderr cannot be written.
            discard(sys.stderr)


class OldKubectl(CliError):
    """A kubectl that does not know an option: no later attempt succeeds."""


class NotLoggedIn(CliError):
    """Credentials that are missing, expired or rejected: no other request succeeds either, so that
    partial results would only hide it."""


class Forbidden(CliError):
    """A request without the right: others may succeed."""


class NotServed(CliError):
    """An API that the cluster does not have, or not in this version."""


def usage(message: str) -> CliError:
    """An invalid argument or file."""
    return CliError(message, Exit.USAGE)


def skew(served: Sequence[str]) -> CliError:
    """A cluster whose CRDs have only versions of our API that this client does not know."""
    return unreachable(
        f"The cluster has {' and '.join(served)}, and this client ({VERSION}) knows {API_VERSION} "
        "only: use the client of the operator's version (`kubectl modeldeploy version`)."
    )


def not_found(message: str) -> CliError:
    """An object that does not exist."""
    return CliError(message, Exit.NOT_FOUND)


def unreachable(message: str) -> CliError:
    """A cluster that does not answer, or forbids the request."""
    return CliError(message, Exit.UNREACHABLE)
