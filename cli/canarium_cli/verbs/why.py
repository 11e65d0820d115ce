"""`why`: what a phase, a wait or a failure means, and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from canarium.view.ages import short
from canarium.view.effective_commands import effective_commands
from canarium.view.explanation import Explanation, explanations
from canarium.view.model import view
from canarium.view.objects import Objects
from canarium.view.tree import AttentionLevel, Tree, to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import write
from canarium_cli.output.tree_text import phase_span
from canarium_cli.reads import model
from canarium_cli.suggestions import Suggestion, suggestions


@click.command("why")
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def why_command(connection: Connection, name: str, output: str) -> None:
    """Explain the phase, the wait or the failure of a model, and what you can do."""
    # The status has all evidence, so nothing else needs to be readable.
    snapshot = Objects.of(model(connection.kubectl, name), ())
    tree = view(snapshot, time.time())
    commands = suggestions(tree, effective_commands(snapshot.model))
    if output == "json":
        write_json(
            {
                "phase": tree.phase,
                "message": tree.message,
                "explanations": [to_json(x) for x in explanations(tree)],
                "commands": [to_json(x) for x in commands],
            }
        )
        return
    write(list(_lines(tree, commands)), connection.color)


def _lines(tree: Tree, commands: tuple[Suggestion, ...]) -> Iterator[Line]:
    yield line(
        Span(f"{tree.namespace}/{tree.name} is ", Style.TITLE), phase_span(tree.phase, tree.urgency)
    )
    if tree.message:
        yield line(tree.message)
    if not tree.observed:
        yield line(Span("The operator has not processed the latest spec yet.", Style.WARNING))
    explained = explanations(tree)
    for explanation in explained:
        yield line()
        yield from _explanation(explanation)
    if tree.wait and tree.wait.remaining_seconds is not None:
        yield line()
        yield line(
            f"Next: at {tree.wait.expected_end_time}, in {short(tree.wait.remaining_seconds)}."
        )
    if not explained and tree.urgency is AttentionLevel.NONE:
        yield line("Nothing is wrong, and nothing is in progress.")
    if commands:
        yield line()
        yield line(Span("What you can do", Style.TITLE))
        width = max(len(x.command) for x in commands)
        for suggestion in commands:
            yield line(
                "  ", Span(suggestion.command.ljust(width), Style.ACTIVE), f"   {suggestion.effect}"
            )


def _explanation(explanation: Explanation) -> Iterator[Line]:
    yield line(
        Span(explanation.reason, Style.TITLE), Span(f"  ({explanation.subject})", Style.MUTED)
    )
    parts = (
        ("Evidence", explanation.evidence),
        ("Meaning", explanation.meaning),
        ("Operator", explanation.reaction),
        ("You", explanation.advice),
    )
    for name, text in parts:
        if text:
            yield line(Span(f"  {name:<10}", Style.MUTED), text.replace("`", ""))
