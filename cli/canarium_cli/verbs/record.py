"""`record`: what served when and from which bytes, as in-toto statements for audits."""

from __future__ import annotations

import json

import click

from canarium.audit.statement import statement
from canarium.core.facts.periods import Period
from canarium.view.objects import REVISION_LABEL, Raw, items, label, number, part, text
from canarium.view.serving import serving_periods
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, Exit, not_found
from canarium_cli.output.terminal import echo
from canarium_cli.reads import model, records, traffic_object


@click.command("record")
@click.argument("name")
@click.option("--revision", metavar="REV", help="Only this revision; default: all in the history.")
@connected
def record_command(connection: Connection, name: str, revision: str | None) -> None:
    """Print an in-toto statement per revision, one JSON object a line, the newest first.

    The statements are not signed: pipe them to the signer that you use.
    """
    parent = model(connection.kubectl, name)
    stored = sorted(records(connection.kubectl, name), key=lambda x: -number(x, "revision"))
    history = items(part(parent, "status"), "history")
    periods = serving_periods(stored, traffic_object(connection.kubectl, parent), history)
    if revision:
        stored = [x for x in stored if label(x, REVISION_LABEL) == revision]
        if not stored:
            raise not_found(f"{name} has no revision {revision}. `history` lists those that exist.")
    if not stored:
        echo(f"{name} has no stored revision, so there is nothing to record yet.", err=True)
    for one in stored:
        click.echo(json.dumps(_statement(one, history, name, periods), ensure_ascii=False))


def _statement(
    record: Raw, history: tuple[Raw, ...], name: str, periods: tuple[Period, ...]
) -> Raw:
    """Raises CliError for a record that was damaged by hand."""
    try:
        return statement(record, history, name, periods)
    except (KeyError, TypeError, AttributeError) as error:
        broken = text(part(record, "metadata"), "name")
        raise CliError(
            f"controllerrevision/{broken} is damaged ({error!r}). Restore it from a backup.",
            Exit.FAILED,
        ) from None
