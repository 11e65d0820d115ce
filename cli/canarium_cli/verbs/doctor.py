"""`doctor`: whether the cluster is ready for models, and what to do where it is not."""

from __future__ import annotations

import time

import click

from canarium_cli.connection import Connection, connected
from canarium_cli.doctor.finding import Finding, Level
from canarium_cli.durations import SECONDS
from canarium_cli.exits import CliError, Exit
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import write

#: Seconds between two examinations with --wait.
_INTERVAL = 2.0
_MARKS = {
    Level.OK: Span("✓ ok      ", Style.GOOD),
    Level.WARNING: Span("! warning ", Style.WARNING),
    Level.PROBLEM: Span("✗ problem ", Style.BAD),
}


@click.command("doctor")
@click.option("--wait", is_flag=True, help="Repeat until no problem is left, or --timeout is over.")
@click.option("--timeout", type=SECONDS, default="2m", help="Limit of --wait. Default: 2m.")
@click.option(
    "--installation",
    is_flag=True,
    help="Check only CRDs, operator and leader, in the operator's namespace (-n).",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def doctor_command(
    connection: Connection, wait: bool, timeout: float, installation: bool, output: str
) -> None:
    """Check that the cluster is ready: CRDs, operator, scope, network, images, your rights.

    Exit code 1 if there is a problem; warnings do not count. With --wait, 3 if a problem is left.
    With --installation, it is an error if something cannot be read; `helm test` runs this.
    """
    from canarium_cli.doctor.examination import examined, is_ready

    end = time.monotonic() + timeout
    while True:
        try:
            findings = examined(connection.kubectl, installation)
        except CliError:
            # A cluster that is being created does not answer yet.
            if not wait or time.monotonic() > end:
                raise
            findings = []
        if (findings and is_ready(findings)) or not wait or time.monotonic() > end:
            break
        time.sleep(min(_INTERVAL, max(0.0, end - time.monotonic())))
    if output == "json":
        write_json({"ready": is_ready(findings), "findings": [one.json() for one in findings]})
    else:
        write(_lines(findings, connection.quiet), connection.color)
    if not is_ready(findings):
        raise SystemExit(int(Exit.TIMEOUT if wait else Exit.FAILED))


def _lines(findings: list[Finding], quiet: bool) -> list[Line]:
    lines: list[Line] = []
    for one in findings:
        if quiet and one.level is Level.OK:
            continue
        lines.append(line(_MARKS[one.level], Span(f"{one.subject}: ", Style.TITLE), one.message))
        if one.advice:
            lines.append(line(Span(f"            {one.advice}.", Style.MUTED)))
    return lines
