"""`get`: the tree of one model, once or as it changes."""

from __future__ import annotations

import time

import click

from canarium.view.model import view
from canarium.view.tree import to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import Exit
from canarium_cli.output.formats import write_json, write_name, write_yaml
from canarium_cli.output.lines import Span, Style, line
from canarium_cli.output.terminal import Screen, columns, write
from canarium_cli.output.tree_text import tree_lines
from canarium_cli.reads import objects
from canarium_cli.wait_goals import GOALS, Goal, exit_of
from canarium_cli.watching import ModelWatch


@click.command("get")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Redraw when something changes, until Ctrl-C.")
@click.option("--until", type=click.Choice(GOALS), help="With --watch: end when this is reached.")
@click.option(
    "--limit",
    type=click.IntRange(0, 100),
    default=0,
    metavar="N",
    help="Also show N old revisions.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml", "name"]), default="text")
@connected
def get_command(
    connection: Connection, name: str, watch: bool, until: str | None, limit: int, output: str
) -> None:
    """Show a model: its steps, weights, revisions with their pods, and checks."""
    if watch or until:
        if output != "text":
            raise click.UsageError("--watch prints text only; remove -o.")
        _watch(connection, name, limit, Goal(until) if until else None)
        return
    now = time.time()
    tree = view(objects(connection.kubectl, name, partial=True), now, old=limit)
    if output == "json":
        write_json(to_json(tree))
    elif output == "yaml":
        write_yaml(to_json(tree))
    elif output == "name":
        write_name(tree.name)
    else:
        write(tree_lines(tree, now, columns()), connection.color)


def _watch(connection: Connection, name: str, limit: int, goal: Goal | None) -> None:
    with ModelWatch(connection.kubectl, name) as watch, Screen(connection.color) as screen:
        try:
            for snapshot in watch:
                now = time.time()
                tree = view(snapshot, now, old=limit)
                lines = tree_lines(tree, now, columns())
                if watch.outage:
                    lines.append(line(Span(f"Connection lost: {watch.outage}", Style.WARNING)))
                if screen.redraws or not watch.ticked:
                    screen.show(lines)
                code = exit_of(snapshot.model, goal) if goal else None
                if code is not None:
                    raise SystemExit(int(code))
        except KeyboardInterrupt:
            raise SystemExit(int(Exit.INTERRUPTED if goal else Exit.OK)) from None
