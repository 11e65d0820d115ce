"""`list`: a line per model, those that need attention first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import click

from canarium.api.states import Phase
from canarium.view.ages import short
from canarium.view.fleet import Row, fleet
from canarium.view.objects import Raw
from canarium.view.tree import to_json
from canarium_cli.collector import paused_collector
from canarium_cli.connection import Connection, connected
from canarium_cli.fleet_watch import FleetWatch
from canarium_cli.output.formats import write_json, write_name, write_yaml
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.terminal import Screen, columns, echo, write
from canarium_cli.output.tree_text import phase_span
from canarium_cli.reads import read_all

#: Namespace and name of a model.
Key = tuple[str, str]
#: Seconds between two views with --watch, unless something changes.
_INTERVAL = 1.0


class _PhaseName(click.Choice[str]):
    """A phase in any case; an error lists them as they are written in the status."""

    def __init__(self) -> None:
        super().__init__([phase.value for phase in Phase], case_sensitive=False)

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        return f"{value!r} is not one of {', '.join(map(repr, self.choices))}"


@click.command("list")
@click.option("-A", "--all-namespaces", is_flag=True, help="List the models of all namespaces.")
@click.option("-l", "--selector", metavar="LABELS", help="Only models with these labels.")
@click.option("--phase", multiple=True, type=_PhaseName(), help="Only this phase; may be repeated.")
@click.option("--attention", is_flag=True, help="Only models that need a person.")
@click.option("-w", "--watch", is_flag=True, help="Redraw when something changes, until Ctrl-C.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "wide", "json", "yaml", "name"]), default="text"
)
@connected
def list_command(
    connection: Connection,
    all_namespaces: bool,
    selector: str | None,
    phase: tuple[str, ...],
    attention: bool,
    watch: bool,
    output: str,
) -> None:
    """List models, those that need attention first."""

    def rows(models: Iterable[Raw]) -> tuple[Row, ...]:
        return tuple(
            row
            for row in fleet(models, time.time())
            if (not phase or row.phase in phase) and (not attention or row.urgency.needs_attention)
        )

    if watch:
        if output not in ("text", "wide"):
            raise click.UsageError("--watch prints text only; remove -o.")
        models = FleetWatch(connection.kubectl, selector, all_namespaces)
        _watch(connection, models, rows, all_namespaces, output == "wide")
        return
    with paused_collector():
        listed = rows(read_all(connection.kubectl, selector, all_namespaces))
    if output == "json":
        write_json([to_json(row) for row in listed])
    elif output == "yaml":
        write_yaml([to_json(row) for row in listed])
    elif output == "name":
        for row in listed:
            write_name(row.name)
    elif not listed:
        echo("No ModelDeployments found.", err=True)
    else:
        lines = fleet_lines(listed, all_namespaces, output == "wide", columns())
        write(lines, connection.color)


def _watch(
    connection: Connection,
    models: FleetWatch,
    rows: Callable[[Iterable[Raw]], tuple[Row, ...]],
    namespaces: bool,
    wide: bool,
) -> None:
    """Redraws until Ctrl-C; without a terminal, prints the lines of models that changed."""
    with models, Screen(connection.color) as screen:
        printed: dict[Key, Row] = {}
        lost, changed = "", True
        try:
            while True:
                fault = models.fault
                outage = [line(Span(f"Connection lost: {fault}", Style.WARNING))] if fault else []
                if screen.redraws:
                    listed = rows(models.models)
                    lines = fleet_lines(listed, namespaces, wide, columns())
                    screen.show([*lines, *outage])
                elif changed or fault != lost:
                    listed = rows(models.models)
                    write(_changed(listed, printed, namespaces, wide), connection.color)
                    write(outage if fault != lost else (), connection.color)
                    printed, lost = {_key(row): _lasting(row, wide) for row in listed}, fault
                changed = models.update(_INTERVAL)
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _changed(
    rows: tuple[Row, ...], printed: Mapping[Key, Row], namespaces: bool, wide: bool
) -> list[Line]:
    """The lines of the rows that are not `printed`, with the head before the first ones, and of
    the models that are not listed any more."""
    head, *lines = fleet_lines(rows, namespaces, wide)
    new = [
        shown
        for row, shown in zip(rows, lines, strict=True)
        if printed.get(_key(row)) != _lasting(row, wide)
    ]
    gone = {*printed} - {_key(row) for row in rows}
    words = ["/".join(key) if namespaces else key[1] for key in sorted(gone)]
    first = [head] if new and not printed else []
    return [*first, *new, *(line(f"{name} is not listed any more") for name in words)]


def _lasting(row: Row, wide: bool) -> Row:
    """What of a line counts as a change: age and remaining time do not."""
    message = row.message if wide else ""
    return replace(row, age_seconds=None, remaining_seconds=None, target="", message=message)


def _key(row: Row) -> Key:
    return row.namespace, row.name


def fleet_lines(
    rows: tuple[Row, ...], namespaces: bool, wide: bool, width: int | None = None
) -> list[Line]:
    """Returns the table of a fleet, with its head where it fits into `width`."""
    head = ["NAME", "PHASE", "VERSION", "CANDIDATE", "STEP", "WEIGHT", "PODS", "WAITING FOR", "AGE"]
    if namespaces:
        head.insert(0, "NAMESPACE")
    if wide:
        head.append("MESSAGE")
    return table(head, [_cells(row, namespaces, wide) for row in rows], width=width)


def _cells(row: Row, namespaces: bool, wide: bool) -> list[Span | str]:
    weight = "-"
    if row.weight is not None:
        weight = f"{row.weight} %"
        if row.effective_weight != row.weight:
            weight += f" ({row.effective_weight} %)"
    left = "" if row.remaining_seconds is None else f" ({short(row.remaining_seconds)})"
    reason = f" ({row.attention})" if row.attention and row.urgency.needs_attention else ""
    return [
        *([row.namespace] if namespaces else []),
        row.name,
        Span(f"{row.phase}{reason}", phase_span(row.phase, row.urgency).style),
        row.version or "-",
        row.candidate or "-",
        row.step or "-",
        weight,
        f"{row.ready_replicas}/{row.replicas}",
        f"{row.waiting_for}{left}" or "-",
        short(row.age_seconds),
        *([row.message] if wide else []),
    ]
