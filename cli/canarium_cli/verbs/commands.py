"""`promote`, `abort`, `undo`, `retry`, `pause` and `resume`: a command, and the operator's answer.

A command is an annotation with the revision that it is for, read at that moment, and a unique
token. The operator reports its result in `status.commands`; without a result the command has not
succeeded.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click

from canarium.view.commands import COMMANDS, annotation_of, answer_of
from canarium.view.objects import Raw, part, text
from canarium.view.revisions import target_of
from canarium_cli.connection import Connection, Function, connected
from canarium_cli.durations import SECONDS
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.terminal import echo
from canarium_cli.reads import MODELS, models

#: Who wrote the annotation, in the managedFields and in the audit log.
MANAGER = "kubectl-modeldeploy"
#: Seconds between two reads while an answer is awaited, rising from the first to the second.
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 1.0
#: What a revision can be.
REVISION = re.compile(r"[a-z0-9-]{1,63}")
#: Which exit code counts when several models answer differently.
_WORST = (Exit.UNREACHABLE, Exit.NOT_FOUND, Exit.NOT_ACCEPTED, Exit.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Order:
    """A command for one model, with the revision and the token that make it unique."""

    command: str
    model: Raw
    revision: str
    token: str
    #: Further annotations that belong to it, as kubectl takes them.
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the model."""
        return text(part(self.model, "metadata"), "name")

    @property
    def namespace(self) -> str:
        """The namespace of the model."""
        return text(part(self.model, "metadata"), "namespace")

    @property
    def words(self) -> list[str]:
        """What kubectl is called with: it changes this annotation and those that belong to it."""
        key, value = annotation_of(self.command, self.revision, self.token)
        return ["annotate", MODELS, self.name, f"{key}={value}", *self.notes, "--overwrite"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the verbs that issue a command."""

    names: tuple[str, ...]
    selector: str | None
    revision: str
    yes: bool
    dry_run: bool
    wait: bool
    timeout: float
    #: Completes an order, or raises CliError, before anything is written.
    complete: Callable[[Order], Order] = lambda order: order


def give(connection: Connection, command: str, options: Options) -> None:
    """Gives a command to the models, waits for the answers and exits with their code.

    Nothing is written unless every model exists and has a revision, and a person at a terminal has
    confirmed what happens to the traffic.
    """
    orders = _orders(connection.kubectl, command, options)
    if options.dry_run:
        for order in orders:
            _send(connection.kubectl, order, "--dry-run=server")
            echo(shlex.join([*connection.kubectl.shown(order.namespace), *order.words]))
        return
    if not options.yes:
        _confirm(orders)
    codes = set[Exit]()
    sent = []
    for order in orders:
        try:
            _send(connection.kubectl, order)
        except CliError as error:
            codes.add(_report(order, f"not sent: {error.message}", error.code, len(orders)))
        else:
            sent.append(order)
    if options.wait:
        codes |= _answers(connection, sent, options.timeout, len(orders))
    elif not connection.quiet:
        for order in sent:
            echo(f"{order.name}: {command} {order.revision}: sent; the answer was not awaited")
    code = next((code for code in _WORST if code in codes), Exit.OK)
    if code is not Exit.OK:
        raise SystemExit(int(code))


def _orders(kubectl: Kubectl, command: str, options: Options) -> list[Order]:
    if bool(options.names) == bool(options.selector):
        raise usage("Name the models, or select them with -l; not both.")
    if options.revision and not REVISION.fullmatch(options.revision):
        raise usage(f"{options.revision!r} is not a revision such as abc23456; see `get`.")
    names = tuple(dict.fromkeys(options.names))
    orders = []
    for model in models(kubectl, names, options.selector):
        revision = options.revision or target_of(model)
        token = os.urandom(4).hex()
        order = Order(command, model, revision, token)
        if not revision:
            raise CliError(
                f"{order.name} has no revision yet, so there is nothing to {command}. Check that "
                f"the operator runs and manages namespace {order.namespace}.",
                Exit.NOT_ACCEPTED,
            )
        orders.append(options.complete(order))
    return orders


def _confirm(orders: Iterable[Order]) -> None:
    """Asks once for all models whose traffic moves, where a person can answer.

    Raises CliError when the answer is no.
    """
    moves = [(o, COMMANDS[o.command].traffic(o.model)) for o in orders]
    lines = [f"{order.name}: {order.command} {effect}" for order, effect in moves if effect]
    if not lines or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    echo("\n".join(lines), err=True)
    if not click.confirm("Continue?", err=True):
        raise CliError("Not confirmed, so nothing was changed.", Exit.NOT_ACCEPTED)


def _send(kubectl: Kubectl, order: Order, *more: str) -> None:
    try:
        kubectl.within(order.namespace).run(*order.words, f"--field-manager={MANAGER}", *more)
    except CliError as error:
        # Admission refused it: the command line was correct.
        if error.code is Exit.USAGE:
            raise CliError(error.message, Exit.NOT_ACCEPTED) from None
        raise


def _answers(connection: Connection, orders: list[Order], timeout: float, count: int) -> set[Exit]:
    """Waits until the operator has answered every order, or the time is over; returns the codes."""
    codes, pause, deadline = set[Exit](), _FIRST_WAIT, time.monotonic() + timeout
    waiting = {order.name: order for order in orders}
    outage: CliError | None = None
    while waiting:
        try:
            listed = models(connection.kubectl, tuple(waiting), None)
            outage = None
        except CliError as error:
            if error.code is Exit.NOT_FOUND and count == 1:
                raise
            if error.code is Exit.NOT_FOUND:
                codes |= _without_deleted(connection.kubectl, waiting, count)
                continue
            # The operator acts without us; the next read may succeed.
            listed, outage = [], error
        for model in listed:
            order = waiting[text(part(model, "metadata"), "name")]
            answer = answer_of(model, order.command, order.revision, order.token)
            if answer is None:
                continue
            del waiting[order.name]
            if answer.accepted and not connection.quiet:
                echo(f"{order.name}: {order.command} {order.revision}: {answer.message}")
            elif not answer.accepted:
                words = f"ignored: {answer.message}"
                codes.add(_report(order, words, Exit.NOT_ACCEPTED, count))
        if not waiting:
            break
        if time.monotonic() > deadline:
            by_name = {text(part(x, "metadata"), "name"): x for x in listed}
            for order in waiting.values():
                words = _unanswered(by_name.get(order.name, order.model), timeout)
                codes.add(
                    _report(order, outage.message, outage.code, count)
                    if outage
                    else _report(order, words, Exit.TIMEOUT, count)
                )
            break
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_WAIT)
    return codes


def _without_deleted(kubectl: Kubectl, waiting: dict[str, Order], count: int) -> set[Exit]:
    """Removes the orders of models that no longer exist, and returns their exit codes."""
    codes = set[Exit]()
    for name, order in tuple(waiting.items()):
        try:
            models(kubectl, (name,), None)
        except CliError as error:
            if error.code is Exit.NOT_FOUND:
                del waiting[name]
                codes.add(_report(order, error.message, error.code, count))
    return codes


def _unanswered(model: Raw, timeout: float) -> str:
    namespace = text(part(model, "metadata"), "namespace")
    message = text(part(model, "status"), "message")
    return (
        f"no answer within {timeout:g} s. Check that the operator runs, and that it manages "
        f"namespace {namespace}; the command is carried out once it does."
        + (f" Status: {message}" if message else "")
    )


def _report(order: Order, words: str, code: Exit, count: int) -> Exit:
    """Writes what kept a command from being carried out; the only one of them ends the program.

    Raises CliError if there is a single order.
    """
    text = f"{order.name}: {order.command} {order.revision}: {words}"
    if count == 1:
        raise CliError(text, code)
    echo(f"Error: {text}", err=True)
    return code


def order_options(ignored: str) -> Callable[[Function], Function]:
    """Returns a decorator with the options that all orders have; `ignored` is what the operator
    ignores: an order for another revision."""
    options = (
        click.option(
            "--revision",
            default="",
            metavar="REV",
            help="The revision that it is for; default: the one that the spec asks for now. The "
            f"operator ignores {ignored}.",
        ),
        click.option("-y", "--yes", is_flag=True, help="Do not ask, also where traffic moves."),
        click.option("--dry-run", is_flag=True, help="Print the kubectl command; change nothing."),
        click.option("--no-wait", is_flag=True, help="Do not wait for the operator's answer."),
        click.option(
            "--timeout",
            type=SECONDS,
            default=30.0,
            metavar="DURATION",
            help="Longest wait for the operator's answer; default: 30s.",
        ),
    )

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _verb(command: str, text: str) -> click.Command:
    """Returns the click command of a verb; `promote` also gives `promote-full`."""

    @click.option("-l", "--selector", metavar="LABELS", help="All models with these labels.")
    @order_options("a command for another one")
    @connected
    def run(
        connection: Connection,
        names: tuple[str, ...],
        selector: str | None,
        revision: str,
        yes: bool,
        dry_run: bool,
        no_wait: bool,
        timeout: float,
        full: bool = False,
    ) -> None:
        options = Options(names, selector, revision, yes, dry_run, not no_wait, timeout)
        give(connection, "promote-full" if full else command, options)

    run.__doc__ = f"""{text}

    Exit codes: 0 the operator accepted it, 7 it ignored it, 3 it did not answer, 4 not found,
    5 forbidden or unreachable.
    """
    if command == "promote":
        run = click.option("--full", is_flag=True, help="Skip all steps that remain.")(run)
    run = click.argument("names", nargs=-1, metavar="[NAME]...")(run)
    return click.command(command)(run)


promote_command = _verb("promote", "End the pause at the current step; with --full, all of them.")
abort_command = _verb("abort", "End a rollout and roll it back.")
undo_command = _verb("undo", "Reverse a promotion while the previous version is still warm.")
retry_command = _verb("retry", "Try a failed version again, rendered again.")
pause_command = _verb("pause", "Pause steps and bake; traffic stays where it is.")
resume_command = _verb("resume", "Let paused steps and bake continue.")
