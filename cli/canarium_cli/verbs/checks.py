"""`checks`: the checks of the analysis, each beside its bound and stable's value."""

from __future__ import annotations

import time
from collections.abc import Mapping

import click

from canarium.view.model import view
from canarium.view.objects import Objects
from canarium.view.tree import Check, Evaluation, Tree, to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.sparkline import gauge, sparkline
from canarium_cli.output.terminal import Screen, columns, echo, write
from canarium_cli.output.tree_text import value, verdict_span
from canarium_cli.reads import model
from canarium_cli.watching import ModelWatch

#: Evaluations of each check that a watch has seen, by time.
Evaluations = Mapping[str, Mapping[str, Evaluation]]
#: At most this many evaluations of a check are kept by a watch.
_KEPT = 60


@click.command("checks")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Redraw when a verdict changes, until Ctrl-C.")
@click.option("-o", "--output", type=click.Choice(["text", "wide", "json"]), default="text")
@connected
def checks_command(connection: Connection, name: str, watch: bool, output: str) -> None:
    """Show each check of the analysis: verdict, value beside its bound, stable's value, samples.

    Values are those of the evaluation that changed the verdict last. The history has the last
    evaluations as of the last write of the status; -o wide and json have their values. With
    --watch it also keeps what was seen since the start.
    """
    evaluations: Evaluations
    if not watch:
        tree = view(Objects.of(model(connection.kubectl, name), ()), time.time())
        if output == "json":
            write_json([to_json(check) for check in tree.checks])
        elif not tree.checks:
            echo(f"{name} has no verdicts: {_why_none(tree)}", err=True)
        else:
            evaluations = _merged(tree, {})
            listed = _evaluations(evaluations) if output == "wide" else []
            write([*_lines(tree, evaluations), *listed], connection.color)
        return
    if output != "text":
        raise click.UsageError("--watch prints text only; remove -o.")
    evaluations = {}
    with (
        ModelWatch(connection.kubectl, name, kinds=()) as changes,
        Screen(connection.color) as screen,
    ):
        try:
            for snapshot in changes:
                tree = view(snapshot, time.time())
                evaluations = _merged(tree, evaluations)
                if screen.redraws or not changes.ticked:
                    screen.show(_lines(tree, evaluations))
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _merged(tree: Tree, before: Evaluations) -> Evaluations:
    """Adds the evaluations of the status, and those that changed a verdict."""
    merged: dict[str, Mapping[str, Evaluation]] = {}
    for check in tree.checks:
        last = Evaluation(
            check.time, check.verdict, check.value, check.threshold, check.stable, check.samples
        )
        every = {**before.get(check.name, {}), check.time: last}
        every |= {one.time: one for one in check.evaluations}
        newest = sorted(every)[-_KEPT:]
        merged[check.name] = {time: every[time] for time in newest}
    return merged


def _why_none(tree: Tree) -> str:
    if tree.weight is None:
        return "checks are evaluated while a candidate receives traffic, and during the bake."
    return "the spec has no spec.rollout.analysis, or its first window is not over."


def _lines(tree: Tree, evaluations: Evaluations) -> list[Line]:
    title = line(Span(f"{tree.namespace}/{tree.name}", Style.TITLE), f" {tree.phase}")
    if not tree.checks:
        return [title, line(f"No verdicts: {_why_none(tree)}")]
    head = ["CHECK", "VERDICT", "VALUE", "BOUND", "BESIDE BOUND", "HISTORY", "STABLE", "SAMPLES"]
    head.append("REASON")
    rows = [_cells(check, evaluations) for check in tree.checks]
    return [title, *table(head, rows, width=columns())]


def _evaluations(evaluations: Evaluations) -> list[Line]:
    """Returns a line for each evaluation, the oldest first."""
    head = ["TIME", "CHECK", "VERDICT", "VALUE", "BOUND", "STABLE", "SAMPLES"]
    rows = [(time, name, one) for name, every in evaluations.items() for time, one in every.items()]
    rows.sort(key=lambda row: row[:2])
    cells: list[list[Span | str]] = [
        [
            time,
            name,
            verdict_span(one.verdict),
            value(one.value),
            value(one.threshold),
            value(one.stable),
            "-" if one.samples is None else str(one.samples),
        ]
        for time, name, one in rows
    ]
    return [line(""), *table(head, cells, width=columns())]


def _cells(check: Check, evaluations: Evaluations) -> list[Span | str]:
    span = verdict_span(check.verdict)
    return [
        check.name,
        span,
        value(check.value),
        value(check.threshold),
        Span(gauge(check.value, check.threshold) or "-", span.style),
        sparkline([one.value for one in evaluations[check.name].values()], check.threshold) or "-",
        value(check.stable),
        "-" if check.samples is None else str(check.samples),
        check.reason
        + (f": {check.message}" if check.message else "")
        + (f" ({check.template})" if check.template else ""),
    ]
