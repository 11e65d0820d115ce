"""`checks`: the checks of the analysis, each beside its bound and stable's value."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import click

from canarium.view.model import view
from canarium.view.objects import Objects
from canarium.view.tree import Check, Tree, to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.sparkline import gauge, sparkline
from canarium_cli.output.terminal import Screen, write
from canarium_cli.output.tree_text import value, verdict_span
from canarium_cli.reads import model
from canarium_cli.watching import ModelWatch

#: Values of each check that a watch has seen, the newest last.
Seen = Mapping[str, Sequence[float | None]]


@click.command("checks")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Redraw when a verdict changes, until Ctrl-C.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def checks_command(connection: Connection, name: str, watch: bool, output: str) -> None:
    """Show each check of the analysis: verdict, value beside its bound, stable's value, samples.

    Values are those of the evaluation that changed the verdict last, as the status has them. With
    --watch, the history is what was seen since the start.
    """
    if not watch:
        tree = view(Objects.of(model(connection.kubectl, name), ()), time.time())
        if output == "json":
            write_json([to_json(check) for check in tree.checks])
        elif not tree.checks:
            click.echo(f"{name} has no verdicts: {_why_none(tree)}", err=True)
        else:
            write(_lines(tree, {}), connection.color)
        return
    if output != "text":
        raise click.UsageError("--watch prints text only; remove -o.")
    seen: dict[str, list[float | None]] = defaultdict(list)
    times: dict[str, str] = {}
    with (
        ModelWatch(connection.kubectl, name, children=False) as changes,
        Screen(connection.color) as screen,
    ):
        try:
            for found in changes:
                tree = view(found, time.time())
                for check in tree.checks:
                    if times.get(check.name) != check.time:
                        times[check.name] = check.time
                        seen[check.name].append(check.value)
                if screen.redraws or not changes.ticked:
                    screen.show(_lines(tree, seen))
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _why_none(tree: Tree) -> str:
    if tree.weight is None:
        return "checks are evaluated while a candidate receives traffic, and during the bake."
    return "the spec has no spec.rollout.analysis, or its first window is not over."


def _lines(tree: Tree, seen: Seen) -> list[Line]:
    title = line(Span(f"{tree.namespace}/{tree.name}", Style.TITLE), f" {tree.phase}")
    if not tree.checks:
        return [title, line(f"No verdicts: {_why_none(tree)}")]
    head = ["CHECK", "VERDICT", "VALUE", "BOUND", "BESIDE BOUND", "STABLE", "SAMPLES", "REASON"]
    if seen:
        head.insert(5, "HISTORY")
    return [title, *table(head, [_cells(check, seen) for check in tree.checks])]


def _cells(check: Check, seen: Seen) -> list[Span | str]:
    span = verdict_span(check.verdict)
    cells: list[Span | str] = [
        check.name,
        span,
        value(check.value),
        value(check.threshold),
        Span(gauge(check.value, check.threshold) or "-", span.style),
        value(check.stable),
        "-" if check.samples is None else str(check.samples),
        check.reason + (f": {check.message}" if check.message else ""),
    ]
    if seen:
        cells.insert(5, sparkline(seen.get(check.name, ()), check.threshold) or "-")
    return cells
