"""`list`: a line per model, those that need attention first."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import click

from canarium.api.states import Phase
from canarium.view.ages import short
from canarium.view.fleet import Row, fleet
from canarium.view.tree import to_json
from canarium_cli.collector import paused_collector
from canarium_cli.connection import Connection, connected
from canarium_cli.fleet_watch import FleetWatch, Key, Seen
from canarium_cli.output.formats import write_json, write_name, write_yaml
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.terminal import Screen, columns, echo, height, write
from canarium_cli.output.tree_text import phase_span
from canarium_cli.reads import read_all

#: Seconds between two views with --watch, unless something changes.
_INTERVAL = 1.0
#: Lines for the head, a model and the number of those below, which an outage never replaces.
_FEWEST = 3


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

    def wanted(row: Row) -> bool:
        return (not phase or row.phase in phase) and (not attention or row.urgency.needs_attention)

    if watch:
        if output not in ("text", "wide"):
            raise click.UsageError("--watch prints text only; remove -o.")
        models = FleetWatch(connection.kubectl, selector, all_namespaces)
        _watch(connection, models, wanted, all_namespaces, output == "wide")
        return
    with paused_collector():
        every = fleet(read_all(connection.kubectl, selector, all_namespaces), time.time())
        listed = tuple(filter(wanted, every))
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
    wanted: Callable[[Row], bool],
    namespaces: bool,
    wide: bool,
) -> None:
    """Redraws until Ctrl-C; without a terminal, prints the lines of models that changed."""
    with models, Screen(connection.color) as screen:
        printed = _Printed(namespaces, wide)
        lost = ""
        changed: Collection[Key] = [seen.key for seen in models.ordered()]
        shown: list[Seen] = []
        try:
            while True:
                fault = models.fault
                outage = _outage(fault, columns())[: max(1, height() - _FEWEST)]
                if screen.redraws:
                    if changed:
                        shown = [seen for seen in models.ordered() if wanted(seen.row)]
                    lines = _first_lines(shown, namespaces, wide, height() - len(outage))
                    screen.show([*lines, *outage])
                else:
                    now = time.time()
                    known = ((key, models.model(key)) for key in changed)
                    rows = {key: seen.at(now) if seen else None for key, seen in known}
                    write(printed.changes(rows, wanted), connection.color)
                    write(outage if fault != lost else (), connection.color)
                    lost = fault
                changed = sorted(models.update(_INTERVAL))
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _outage(fault: str, width: int | None) -> list[Line]:
    """The lines about an outage; none without one. A terminal would wrap a longer line into rows
    that do not count."""
    words = f"Connection lost: {fault}" if fault else ""
    parts = textwrap.wrap(words, width) if width else [words] if words else []
    return [line(Span(part, Style.WARNING)) for part in parts]


def _first_lines(shown: Sequence[Seen], namespaces: bool, wide: bool, room: int) -> list[Line]:
    """The lines that fit into `room`: only these are made, however many models there are."""
    room = max(1, room)
    now, count, lines = time.time(), min(len(shown), room), list[Line]()
    while True:
        rows = tuple(seen.at(now) for seen in shown[:count])
        lines = fleet_lines(rows, namespaces, wide, columns())
        left = len(shown) - count
        more = f"{left} more: see `list` without -w, or `top`."
        lines += [line(Span(more, Style.MUTED))] if left else []
        if len(lines) <= room or count <= 1:
            return lines
        # Where the terminal is narrow, a row has several lines.
        count = max(1, min(count - 1, count * room // len(lines)))


class _Printed:
    """What was printed without a terminal, so that only what has changed since is."""

    def __init__(self, namespaces: bool, wide: bool) -> None:
        self._namespaces, self._wide = namespaces, wide
        self._rows: dict[Key, Row] = {}
        self._widths: list[int] = []

    def changes(self, rows: Mapping[Key, Row | None], wanted: Callable[[Row], bool]) -> list[Line]:
        """Returns the lines of the rows that differ from what was printed, with the head before
        the first ones, and of the models that are not listed any more (None)."""
        new: list[Row] = []
        gone: list[Key] = []
        first = not self._rows
        for key, row in rows.items():
            if row is None or not wanted(row):
                if self._rows.pop(key, None):
                    gone.append(key)
                continue
            lasting = _lasting(row, self._wide)
            if self._rows.get(key) != lasting:
                self._rows[key] = lasting
                new.append(row)
        lines = fleet_lines(new, self._namespaces, self._wide, at_least=self._widths)
        head = lines[:1] if new and first else []
        words = ["/".join(key) if self._namespaces else key[1] for key in sorted(gone)]
        return [*head, *lines[1:], *(line(f"{name} is not listed any more") for name in words)]


def _lasting(row: Row, wide: bool) -> Row:
    """What of a line counts as a change: age and remaining time do not."""
    message = row.message if wide else ""
    return replace(row, age_seconds=None, remaining_seconds=None, target="", message=message)


def fleet_lines(
    rows: Sequence[Row],
    namespaces: bool,
    wide: bool,
    width: int | None = None,
    at_least: list[int] | None = None,
) -> list[Line]:
    """Returns the table of a fleet, with its head where it fits into `width`; `at_least` as that
    of `table`."""
    head = ["NAME", "PHASE", "VERSION", "CANDIDATE", "STEP", "WEIGHT", "PODS", "WAITING FOR", "AGE"]
    if namespaces:
        head.insert(0, "NAMESPACE")
    if wide:
        head.append("MESSAGE")
    cells = [_cells(row, namespaces, wide) for row in rows]
    return table(head, cells, width=width, at_least=at_least)


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
