"""Exit codes, the same for every verb, and the errors that carry one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import IO, Any, Self

import click

from canarium import API_VERSION, VERSION
from canarium_cli.output.lines import printable
from canarium_cli.output.streams import discard


class Exit(IntEnum):
    """What happened, for scripts. The table in docs/reference/cli.md is generated from this."""

    _value_: int
    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    OK = 0, "As asked."
    FAILED = (
        1,
        "A rollout failed or was rolled back; `doctor` found a problem; a record is damaged.",
    )
    USAGE = 2, "Invalid usage or an invalid file, or the output cannot be written."
    TIMEOUT = 3, "The timeout is over."
    NOT_FOUND = 4, "An object does not exist."
    UNREACHABLE = 5, "Forbidden, or the cluster cannot be reached."
    WAITS_FOR_PERSON = 6, "The rollout waits for a person."
    #: The operator ignored a command, another client changed the model meanwhile (`ship --apply`),
    #: or the cluster would reject the file (`plan --server`).
    NOT_ACCEPTED = (
        7,
        "The operator, the cluster or a person did not accept the command, change or plan.",
    )
    #: From here what a shell reports for a program that a signal has ended.
    INTERRUPTED = 130, "Ctrl-C ended `status` or `get --until` before the rollout ended."
    READER_ENDED = 141, "The reader of the output has ended, as in `| head`."
    TERMINATED = 143, "SIGTERM ended the program."


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
