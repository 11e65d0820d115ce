"""`diff`: what differs between two revisions of a model."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from canarium.core.facts.revision import recorded_version
from canarium.view.difference import Difference, differences, find, usual_pair
from canarium.view.history import HistoryEntry, history
from canarium.view.objects import REVISION_LABEL, Objects, Raw, label, part, text
from canarium.view.tree import to_json
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import not_found, usage
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import write
from canarium_cli.reads import RECORDS, objects_of, readable_traffic_object


@click.command("diff")
@click.argument("name")
@click.argument("first", required=False, metavar="[R1")
@click.argument("second", required=False, metavar="[R2]]")
@click.option("--pod", is_flag=True, help="Also compare the rendered pod templates.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def diff_command(
    connection: Connection,
    name: str,
    first: str | None,
    second: str | None,
    pod: bool,
    output: str,
) -> None:
    """Show what differs between two revisions: model, runtime, image and artifact digests.

    R1 and R2 are revisions, their numbers, or versions, as `history` lists them. With one, stable
    is compared with it; with none, stable with the candidate or the failed revision.
    """
    snapshot = objects_of(connection.kubectl, name, RECORDS)
    before, after = _pair(snapshot, first, second)
    listed_history = history(
        snapshot, readable_traffic_object(connection.kubectl, snapshot.model), time.time()
    )
    entries = {entry.revision: entry for entry in listed_history}
    listed = differences(before, after, entries, pod=pod)
    names = label(before, REVISION_LABEL), label(after, REVISION_LABEL)
    if output == "json":
        write_json({"before": names[0], "after": names[1], "differences": to_json(listed)})
        return
    write(_lines([entries.get(x) for x in names], listed), connection.color)


def _pair(snapshot: Objects, first: str | None, second: str | None) -> tuple[Raw, Raw]:
    if first is None:
        pair = usual_pair(snapshot.model, snapshot)
        if pair is None:
            raise usage("There is no second revision to compare with; see `history`.")
        return record_of(snapshot, pair[0]), record_of(snapshot, pair[1])
    if second is None:
        stable = text(part(snapshot.model, "status", "stable"), "revision")
        if not stable:
            raise usage("No version is stable yet, so name both revisions; see `history`.")
        return record_of(snapshot, stable), record_of(snapshot, first)
    return record_of(snapshot, first), record_of(snapshot, second)


def record_of(snapshot: Objects, word: str) -> Raw:
    """The ControllerRevision that a revision, a number or a version names.

    Raises CliError where none or several are meant.
    """
    record = find(snapshot, word)
    if record is not None:
        return record
    versions = [x for x in snapshot.records if recorded_version(part(x, "data")) == word]
    if versions:
        listed = ", ".join(label(x, REVISION_LABEL) for x in versions)
        raise usage(f"Version {word} has several revisions: {listed}. Name one of them.")
    name = text(part(snapshot.model, "metadata"), "name")
    raise not_found(f"{name} has no revision {word}. `history` lists those that are stored.")


def _lines(pair: list[HistoryEntry | None], listed: tuple[Difference, ...]) -> Iterator[Line]:
    for sign, style, entry in zip("-+", (Style.BAD, Style.GOOD), pair, strict=True):
        if entry:
            version = f" version {entry.version}" if entry.version else ""
            yield line(Span(f"{sign * 3} {entry.revision}{version} ({entry.role.value})", style))
    if not listed:
        yield line("No difference in the compared fields.")
    for one in listed:
        yield line(Span(one.field, Style.TITLE))
        for sign, style, value in (("-", Style.BAD, one.before), ("+", Style.GOOD, one.after)):
            if value is not None:
                yield line(Span(f"  {sign} {value}", style))
