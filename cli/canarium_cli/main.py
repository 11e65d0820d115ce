"""The program `kubectl-modeldeploy`, which kubectl runs as `kubectl modeldeploy`."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from canarium import VERSION
from canarium_cli.exits import Exit, usage
from canarium_cli.names import completed
from canarium_cli.output.streams import discard, is_of_write, open_closed_streams
from canarium_cli.program import PROGRAM, VARIABLE

#: Verb → its module in `verbs/` and a line of help; the module is imported when the verb is used,
#: since importing all of them would make every command slow.
VERBS: dict[str, tuple[str, str]] = {
    "get": ("get", "Show a model: steps, weights, revisions, pods, checks."),
    "list": ("list", "List models, those that need attention first."),
    "status": ("status", "Wait for a rollout; the exit code reports its result."),
    "why": ("why", "Explain the phase, the wait or the failure of a model."),
    "promote": ("commands", "End the current pause of a rollout, or with --full all of them."),
    "abort": ("commands", "End a rollout and roll it back."),
    "undo": ("commands", "Reverse a promotion while the previous version is still warm."),
    "retry": ("commands", "Try a failed version again."),
    "approve": ("approvals", "Approve the version at the gate that waits."),
    "rerun": ("rerun", "Run the Job of the gate that waits again."),
    "reject": ("approvals", "Reject the version at the gate that waits, and roll it back."),
    "pause": ("commands", "Pause a rollout; traffic stays where it is."),
    "resume": ("commands", "Let a paused rollout continue."),
    "history": ("history", "List revisions: when each served, and how it ended."),
    "diff": ("diff", "Show what differs between two revisions."),
    "plan": ("plan", "Show what applying a file would do."),
    "simulate": ("simulate", "Draw the timeline of a rollout in virtual time."),
    "lint": ("lint", "Check files: schema, rules, templates, queries, samples."),
    "init": ("init", "Print a manifest to start from."),
    "runtimes": ("runtimes", "List runtimes, show one, or render a model's pod."),
    "logs": ("logs", "Print the logs of a model's pods, by role."),
    "events": ("events", "Show what happened to a model and its children, in order."),
    "checks": ("checks", "Show the checks of the analysis beside their bounds."),
    "infer": ("infer", "Send requests to a model and see which revision answers."),
    "ship": ("ship", "Print the manifest of a new version, or apply it."),
    "rollback": ("ship", "Print the manifest of an earlier revision, or apply it."),
    "restart": ("ship", "Print the manifest with a new restart token, or apply it."),
    "record": ("record", "Print which bytes served when, as in-toto statements."),
    "doctor": ("doctor", "Check that the cluster is ready for models."),
    "report": ("report", "Write a redacted archive about a model for a bug report."),
    "dashboard": ("dashboard", "Show all models on web pages."),
    "top": ("top", "Show the fleet live in the terminal."),
    "version": ("version", "Show the versions of client, operator and CRDs."),
    "completion": ("completion", "Print the completion script of a shell."),
}


@contextmanager
def checked_output() -> Iterator[None]:
    """Exits where stdout cannot be written: silently where its reader has ended, as in `| head`;
    otherwise raises CliError.

    Python ignores SIGPIPE, so that watches are ended before the program is.
    """
    try:
        yield
    except OSError as error:
        if not is_of_write(error):
            raise
        discard(sys.stdout)
        if error.errno == errno.EPIPE:
            raise SystemExit(int(Exit.READER_ENDED)) from None
        raise usage(
            f"Cannot write the output: {error.strerror}. Write it elsewhere; a change that was "
            "sent already stays in effect."
        ) from None


class Verbs(click.Group):
    """A group that imports a verb when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"canarium_cli.verbs.{VERBS[cmd_name][0]}")
        attribute = cmd_name.replace("-", "_")
        command = getattr(module, f"{attribute}_command")
        assert isinstance(command, click.Command)
        return completed(command)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        # `--help` writes here. click would exit with 1 where the reader of a pipe has ended.
        with checked_output():
            return super().make_context(*args, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ordered = verb_first(args)
        if ordered and ordered[0].partition("=")[0] in _BEFORE:
            ctx.fail(f"Name a verb after {' '.join(args)}, such as get.")
        return super().parse_args(ctx, ordered)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with checked_output():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


#: Options of every verb that have a value, with which users of kubectl begin a command line.
_BEFORE = ("-n", "--namespace", "--context", "--kubeconfig", "--as", "--as-group")


def verb_first(words: list[str]) -> list[str]:
    """Moves options that choose the cluster behind the verb, as kubectl accepts them."""
    end = 0
    while end < len(words):
        name, has_value, _ = words[end].partition("=")
        if name not in _BEFORE:
            break
        end += 1 if has_value else 2
    return [*words[end : end + 1], *words[:end], *words[end + 1 :]] if end < len(words) else words


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "--version", prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Roll out model versions and follow them.

    Exit codes: 0 as asked, 1 failed or rolled back, 2 usage or invalid file, 3 timeout,
    4 not found, 5 forbidden or unreachable, 6 waits for a person,
    7 command, change or plan not accepted.
    """


def _end(*_: object) -> None:
    """Ends the program as SIGTERM asks, and kubectl with it: its processes would stay otherwise."""
    from canarium_cli.streaming import stop_running

    stop_running()
    raise SystemExit(int(Exit.TERMINATED))


def main(words: list[str] | None = None) -> Any:
    """Runs the program; exits with one of the documented codes."""
    open_closed_streams()
    signal.signal(signal.SIGTERM, _end)
    name = os.path.basename(sys.argv[0])
    program = PROGRAM if name.startswith("kubectl-") else name
    shown = program if words is None else PROGRAM
    return cli.main(args=words, prog_name=shown, complete_var=VARIABLE)


if __name__ == "__main__":
    main()
