"""`lint`: everything that is wrong in files, before they reach a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from canarium_cli.exits import Exit, usage
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import write

if TYPE_CHECKING:
    from canarium_cli.manifests.finding import Finding


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--rps",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Requests per second that each model receives: checks whether minSamples is reachable.",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "sarif"]), default="text")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.option("-q", "--quiet", is_flag=True, help="Print findings only.")
def lint_command(
    files: tuple[str, ...],
    rps: float | None,
    strict: bool,
    output: str,
    color: str,
    quiet: bool,
) -> None:
    """Check files (or folders, or - for standard input) without a cluster.

    Prints everything that the API server or the operator would reject, and what cannot work, with
    line and column. Exits with 2 if there is an error.
    """
    from canarium_cli.lint.linter import is_ours, lint
    from canarium_cli.lint.sarif import sarif
    from canarium_cli.manifests.reading import read

    documents, unreadable = read(files)
    checked = [document for document in documents if is_ours(document)]
    findings = sorted(
        [*unreadable, *lint(documents, rps)], key=lambda x: (x.file, x.line, x.column, x.message)
    )
    if not checked and not findings:
        raise usage(
            f"{' '.join(files)}: no objects of Canarium. Name a file with a ModelDeployment, a "
            "ModelRuntime, a ClusterModelRuntime, a ModelGate, a CheckTemplate or a "
            "ClusterCheckTemplate."
        )
    if output == "json":
        write_json({"objects": len(checked), "findings": [asdict(x) for x in findings]})
    elif output == "sarif":
        write_json(sarif(findings))
    else:
        write(list(_lines(findings)), color)
        if not quiet:
            write([_summary(findings, len(checked))], color)
    if any(x.level.value == "error" or strict for x in findings):
        raise SystemExit(int(Exit.USAGE))


def _lines(findings: Sequence[Finding]) -> Iterator[Line]:
    for finding in findings:
        style = Style.BAD if finding.level.value == "error" else Style.WARNING
        yield line(
            Span(f"{finding.file}:{finding.line}:{finding.column}: ", Style.TITLE),
            Span(f"{finding.level.value}: ", style),
            f"{finding.path}: " if finding.path else "",
            finding.message,
            Span(f" [{finding.rule}]", Style.MUTED),
        )


def _summary(findings: Sequence[Finding], objects: int) -> Line:
    errors = sum(finding.level.value == "error" for finding in findings)
    warnings = len(findings) - errors
    counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    style = Style.BAD if errors else Style.WARNING if warnings else Style.GOOD
    return line(Span(counts, style), f" in {_count(objects, 'object')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
