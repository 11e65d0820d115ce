"""`report`: a redacted archive about one model, for a bug report."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from canarium_cli.connection import Connection, connected
from canarium_cli.exits import usage
from canarium_cli.output.terminal import echo


@click.command("report")
@click.argument("name")
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. Default: canarium-report-NAME-TIME.tar.gz in the current directory.",
)
@connected
def report_command(connection: Connection, name: str, file: Path | None) -> None:
    """Write a redacted archive about a model for a bug report, and print what it contains.

    It contains the model and its objects, Events, logs of its pods and of the operator, and what
    doctor finds. Secrets and ConfigMaps are not read. Values of environment variables, tokens and
    passwords are removed.
    """
    from canarium_cli.doctor.facts import read
    from canarium_cli.doctor.rights import NEEDED
    from canarium_cli.report.archive import write_archive
    from canarium_cli.report.collection import collected

    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = f"canarium-report-{name}-{moment}"
    path = file or Path(f"{folder}.tar.gz")
    if path.exists():
        raise usage(f"{path} exists already. Choose another --file.")
    facts = read(connection.kubectl, time.time(), tuple(NEEDED))
    files = collected(connection.kubectl, facts, name)
    try:
        write_archive(path, folder, files)
    except OSError as error:
        raise usage(f"Cannot write {path}: {error.strerror}. Choose another --file.") from None
    if connection.quiet:
        echo(str(path))
        return
    for each, content in sorted(files.items()):
        echo(f"{len(content.encode()):>9}  {each}")
    echo(f"\nWrote {path}. Read it before you send it: a log may contain what users sent.")
    if "not-readable.txt" in files:
        echo("Some parts could not be read; not-readable.txt lists them.", err=True)
