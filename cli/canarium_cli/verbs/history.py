"""`history`: the revisions of a model, when each served and how it ended."""

from __future__ import annotations

import time

import click

from canarium.view.failures import failed_at
from canarium.view.history import HistoryEntry, Serving, history
from canarium.view.objects import Objects, Raw, text
from canarium.view.training_run import described
from canarium.view.tree import to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import Forbidden
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.formats import write_json, write_yaml
from canarium_cli.output.lines import Line, Span, Style, table
from canarium_cli.output.terminal import columns, echo, write
from canarium_cli.output.tree_text import ROLE_STYLES
from canarium_cli.reads import RECORDS, model, not_shown, objects_of, readable_traffic_object

_OUTCOMES = {"Promoted": Style.GOOD, "Failed": Style.BAD, "RolledBack": Style.BAD}


@click.command("history")
@click.argument("name")
@click.option(
    "--limit", type=click.IntRange(1), default=None, metavar="N", help="Only the newest N."
)
@click.option("-o", "--output", type=click.Choice(["text", "wide", "json", "yaml"]), default="text")
@connected
def history_command(connection: Connection, name: str, limit: int | None, output: str) -> None:
    """List the revisions of a model: what each is made of, when it served, how it ended, by whom.

    Old revisions are deleted beyond spec.revisionHistoryLimit.
    """
    entries = read_history(connection.kubectl, name)[:limit]
    if output == "json":
        write_json([to_json(entry) for entry in entries])
    elif output == "yaml":
        write_yaml([to_json(entry) for entry in entries])
    elif not entries:
        echo("No revisions yet: the operator has not processed the model.", err=True)
    else:
        write(_lines(entries, output == "wide"), connection.color)


def read_history(kubectl: Kubectl, name: str) -> tuple[HistoryEntry, ...]:
    """The revisions of a model, the newest first. Raises CliError as `objects` does."""
    try:
        snapshot = objects_of(kubectl, name, RECORDS)
    except Forbidden:
        # The status has the outcomes.
        snapshot = Objects.of(model(kubectl, name), ())
        not_shown([RECORDS])
    return history(snapshot, readable_traffic_object(kubectl, snapshot.model), time.time())


def _lines(entries: tuple[HistoryEntry, ...], wide: bool) -> list[Line]:
    head = ["NUMBER", "REVISION", "VERSION", "ROLE", "SERVED", "OUTCOME", "FAILED AT", "BY"]
    head += ["IMAGE", "ARTIFACT"]
    trained = any(entry.training_run for entry in entries)
    if trained:
        head.append("RUN")
    if wide:
        head += [*(["TRAINING"] if trained else []), "APPLIED BY", "CREATED", "MESSAGE"]
    return table(head, [_cells(entry, wide, trained) for entry in entries], width=columns())


def _cells(entry: HistoryEntry, wide: bool, trained: bool) -> list[Span | str]:
    outcome = f"{entry.outcome} ({entry.reason})" if entry.reason else entry.outcome
    image = entry.image
    digests = [x.partition("=")[2] for x in entry.image_digests if x.startswith("server=")]
    if digests:
        image += f" ({', '.join(x if wide else _short(x) for x in digests)})"
    cells: list[Span | str] = [
        str(entry.number or "-"),
        entry.revision,
        entry.version or "-",
        Span(entry.role.value, ROLE_STYLES[entry.role]),
        _periods(entry.served, wide),
        Span(outcome or "-", _OUTCOMES.get(entry.outcome, Style.PLAIN)),
        failed_at(entry.failed_weight, entry.failed_step) or "-",
        entry.by or "-",
        image or "-",
        (entry.artifact if wide else _short(entry.artifact)) or "-",
    ]
    if trained:
        cells.append(_run(entry.training_run, wide))
    if wide and trained:
        facts = (
            f"{name}: {value}" for name, value in described(entry.training_run) if name != "Run"
        )
        cells.append("; ".join(facts) or "-")
    if wide:
        cells += [entry.applied_by or "-", entry.created or "-", entry.message or "-"]
    return cells


def _periods(periods: tuple[Serving, ...], wide: bool) -> str:
    """The last period, or all of them with `wide`."""
    if not periods:
        return "-"
    every = [f"{_second(x.from_time)} – {_second(x.until_time) or 'now'}" for x in periods]
    if wide or len(every) == 1:
        return ", ".join(every)
    return f"{every[-1]} (and {len(every) - 1} earlier)"


def _run(run: Raw | None, wide: bool) -> str:
    """The id of the training run; with its commit, both shortened, unless the rest follows."""
    name, commit = text(run, "runId"), text(run, "gitCommit")
    if wide or not name:
        return name or "-"
    return f"{name[:8]} (git {commit[:8]})" if commit else name[:8]


def _second(time: str) -> str:
    """A time without its milliseconds."""
    return time.partition(".")[0] + "Z" if "." in time else time


def _short(digest: str) -> str:
    """A digest as image registries shorten it."""
    name, at, value = digest.rpartition("sha256:")
    return f"{at}{value[:12]}" if at else name + value
