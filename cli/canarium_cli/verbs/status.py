"""`status`: waits for rollouts and reports their result by the exit code."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import click

from canarium.view.fleet import row
from canarium.view.objects import Raw, part, text
from canarium.view.revisions import target_of
from canarium_cli.connection import Connection, connected
from canarium_cli.durations import SECONDS
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.output.terminal import echo
from canarium_cli.streaming import stop_running
from canarium_cli.verbs.commands import REVISION
from canarium_cli.wait_goals import GOALS, Goal, exit_of
from canarium_cli.watching import ModelWatch

#: Prints words about a model; to stderr where the connection is lost.
Say = Callable[[str, str, bool], None]
#: Which exit code counts when several models end differently.
_WORST = (Exit.UNREACHABLE, Exit.NOT_FOUND, Exit.FAILED, Exit.TIMEOUT, Exit.WAITS_FOR_PERSON)


@click.command("status")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--until",
    type=click.Choice(GOALS),
    default=Goal.END.value,
    help="What to wait for: serving (promoted), gate (or a person has to decide), baked, or "
    "end (nothing is in progress any more; the default).",
)
@click.option(
    "--timeout", type=SECONDS, default=0.0, metavar="DURATION", help="Longest wait; default: none."
)
@click.option("--revision", default="", metavar="REV", help="Fail if the spec asks for another.")
@connected
def status_command(
    connection: Connection, names: tuple[str, ...], until: str, timeout: float, revision: str
) -> None:
    """Wait for the rollout of one or several models and print a line per change.

    Exit codes: 0 it serves, 1 failed or rolled back, 3 timeout, 4 not found, 5 forbidden or
    unreachable (also at the timeout), 6 waits for a person (with --until gate).
    """
    if revision and not REVISION.fullmatch(revision):
        raise usage(f"{revision!r} is not a revision such as abc23456; see `get`.")
    goal, codes, lock = Goal(until), dict[str, Exit](), threading.Lock()
    unexpected = list[Exception]()
    deadline = time.monotonic() + timeout if timeout else None

    def say(name: str, words: str, lost: bool) -> None:
        with lock:
            echo(f"{name}: {words}" if len(names) > 1 else words, err=lost)

    def report(name: str, error: CliError) -> None:
        with lock:
            subject = f"{name}: " if len(names) > 1 else ""
            CliError(f"{subject}{error.message}", error.code).show()

    def wait(name: str) -> None:
        try:
            try:
                codes[name] = _wait(connection, name, goal, revision, deadline, say)
            except CliError as error:
                report(name, error)
                codes[name] = error.code
        except Exception as error:
            # Raised below: an error that only ended its thread would leave the exit code 0.
            unexpected.append(error)

    threads = [threading.Thread(target=wait, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive() and not unexpected:
                thread.join(0.2)
    except KeyboardInterrupt:
        raise SystemExit(int(Exit.INTERRUPTED)) from None
    finally:
        # A runner of pipelines sends SIGINT to this process only, and these threads end with it.
        stop_running()
    if unexpected:
        raise unexpected[0]
    reached = set(codes.values())
    raise SystemExit(int(next((code for code in _WORST if code in reached), Exit.OK)))


def _wait(
    connection: Connection,
    name: str,
    goal: Goal,
    revision: str,
    deadline: float | None,
    say: Say,
) -> Exit:
    last, outage = "", ""
    left = math.inf if deadline is None else deadline - time.monotonic()
    tick = min(1.0, max(0.1, left))  # A short timeout ends before the first whole second.
    with ModelWatch(connection.kubectl, name, kinds=(), tick=tick) as watch:
        for snapshot in watch:
            words = _line(snapshot.model)
            if words != last and not connection.quiet:
                say(name, f"{time.strftime('%H:%M:%SZ', time.gmtime())} {words}", False)
                last = words
            if watch.outage and watch.outage != outage:
                say(name, f"Connection lost: {watch.outage}", True)
            outage = watch.outage
            code = exit_of(snapshot.model, goal, revision)
            if code is not None:
                if revision and revision != target_of(snapshot.model):
                    words = (
                        f"the spec asks for revision {target_of(snapshot.model)}, not {revision}"
                    )
                    say(name, words, False)
                return code
            if deadline is not None and time.monotonic() > deadline:
                say(name, f"timeout while waiting for {goal.value}", bool(watch.outage))
                # What became of the rollout is not known.
                return Exit.UNREACHABLE if watch.outage else Exit.TIMEOUT
    raise AssertionError("a watch never ends by itself")


def _line(model: Raw) -> str:
    summary = row(model, time.time())
    step = f" step {summary.step}" if summary.step else ""
    weight = "" if summary.weight is None else f" weight {summary.effective_weight} %"
    message = text(part(model, "status"), "message")
    message = message or "The operator has not written a status yet."
    return f"{summary.phase}{step}{weight}: {message}"
