"""`events`: what happened to a model and everything below it, in order."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from canarium.view.ages import seconds_since, short
from canarium.view.events import Event, event, events, is_of, revisions_of
from canarium.view.objects import REVISION_LABEL, Raw, label, part, text
from canarium.view.tree import to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import OldKubectl
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.terminal import columns, echo, write
from canarium_cli.reads import objects, records

_HEAD = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
#: Seconds between the end of a watch and the next.
_RETRY = 2.0


@click.command("events")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Continue with new Events, until Ctrl-C.")
@click.option("--warnings", is_flag=True, help="Only Events of type Warning.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def events_command(
    connection: Connection, name: str, watch: bool, warnings: bool, output: str
) -> None:
    """Show the Events of a model and of its Deployments, pods, Service and route, in order.

    Events of pods that were deleted are shown too. The API server deletes Events
    after a time, by default one hour.
    """
    if watch and output != "text":
        raise click.UsageError("--watch prints text only; remove -o.")
    snapshot = objects(connection.kubectl, name, partial=True)
    revisions = set(revisions_of(snapshot))
    mine = [x for x in connection.kubectl.get("events") if is_of(x, name, revisions)]
    listed = tuple(x for x in events(mine) if not warnings or x.type == "Warning")
    if output == "json":
        write_json([to_json(x) for x in listed])
        return
    if listed:
        now = time.time()
        rows = [_cells(x, short(seconds_since(x.time, now))) for x in listed]
        write(table(_HEAD, rows, width=columns()), connection.color)
    elif not watch:
        echo(
            f"No Events of {name}: the API server deletes them, by default after one hour.",
            err=True,
        )
    if watch:
        printed = {_key(x) for x in mine}
        try:
            for new in _new(connection.kubectl, name, revisions, printed):
                if not warnings or new.type == "Warning":
                    write([_line(new)], connection.color)
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _new(
    kubectl: Kubectl, name: str, revisions: set[str], printed: set[tuple[str, str]]
) -> Iterator[Event]:
    """Yields Events that are not `printed`, without end. Raises CliError once none can be read."""
    lost = ""
    while True:
        watch = kubectl.watch("events")
        try:
            for change, raw in watch:
                lost = ""
                if change == "DELETED" or _key(raw) in printed:
                    continue
                if not is_of(raw, name, revisions) and _may_be(raw, name):
                    # A revision that is newer than what was read.
                    revisions |= {label(x, REVISION_LABEL) for x in records(kubectl, name)}
                if is_of(raw, name, revisions):
                    printed.add(_key(raw))
                    yield event(raw)
            fault = watch.fault()
        finally:
            watch.stop()
        if isinstance(fault, OldKubectl):
            raise fault
        # Once for each outage, however often the watch is tried again.
        if fault and fault.message != lost:
            lost = fault.message
            echo(f"Connection lost: {lost}", err=True)
        time.sleep(_RETRY)


def _may_be(raw: Raw, name: str) -> bool:
    about = part(raw, "involvedObject") or part(raw, "regarding")
    return text(about, "name").startswith(f"{name}-")


def _key(raw: Raw) -> tuple[str, str]:
    """What makes an Event new: another one, or one that was seen again."""
    meta = part(raw, "metadata")
    return text(meta, "uid"), text(meta, "resourceVersion")


def _cells(one: Event, when: str) -> tuple[Span | str, ...]:
    times = f" (x{one.count})" if one.count > 1 else ""
    style = Style.WARNING if one.type == "Warning" else Style.PLAIN
    return (when + times, Span(one.type, style), Span(one.reason, style), one.object,
            " ".join(one.message.split()))  # fmt: skip


def _line(one: Event) -> Line:
    when = one.time.partition("T")[2].partition(".")[0].rstrip("Z") + "Z"
    return line(*(part for cell in _cells(one, when) for part in (cell, "  ")))
