"""`simulate`: what the operator would do with a file, in virtual time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from canarium.view.ages import short
from canarium_cli.durations import Seconds
from canarium_cli.exits import usage
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, bar, line
from canarium_cli.output.terminal import write

if TYPE_CHECKING:
    from canarium.api.effective_spec import EffectiveSpec
    from canarium.simulation.timeline import Moment

_STEP = re.compile(r"step[ :=]?([0-9]+)")
_STYLES = {"Ready": Style.GOOD, "Baking": Style.GOOD, "Progressing": Style.ACTIVE}


@click.command("simulate")
@click.option("-f", "--file", required=True, metavar="FILE", help="File, or - for standard input.")
@click.option("--name", metavar="NAME", help="The model, where the file has several.")
@click.option(
    "--fail-at",
    metavar="WEIGHT|STEP",
    help="The new version fails at this weight (25), step (step2), start or bake.",
)
@click.option(
    "--failing",
    metavar="WHAT",
    help="What fails then: pods (the server exits; default), check:NAME or smoke:NAME.",
)
@click.option(
    "--slow-start", type=Seconds(), metavar="DURATION", help="How long a pod takes to become ready."
)
@click.option("--no-traffic", is_flag=True, help="No requests: checks get no samples.")
@click.option("--first", is_flag=True, help="It is the first version of the model.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
def simulate_command(
    file: str,
    name: str | None,
    fail_at: str | None,
    failing: str | None,
    slow_start: float | None,
    no_traffic: bool,
    first: bool,
    output: str,
    color: str,
) -> None:
    """Draw the timeline of a rollout: the operator's own decisions in virtual time.

    Needs no cluster. Smoke tests pass, checks have enough samples and pass, a pod takes 20 s to
    become ready, manual pauses are promoted and gates pass at once, unless an option changes that.
    Templates of checks are those of the file; others are taken to exist.
    """
    from canarium.api.effective_spec import effective_spec
    from canarium.api.model_deployment import Spec
    from canarium.simulation.rollout import simulate as simulated
    from canarium.simulation.scenario import Scenario
    from canarium_cli.lint.check_templates import completed, of_model
    from canarium_cli.lint.chosen import chosen
    from canarium_cli.lint.runtimes import server
    from canarium_cli.planning.progress import resolved

    selected = chosen(file, name)
    model = selected.model
    rendered, _ = server(model, selected.documents)
    runtime = resolved(rendered)
    settings = effective_spec(Spec.model_validate(model.spec), runtime.startup_budget)
    templates = of_model(model, settings.analysis, selected.documents)
    settings = completed(model, settings, selected.documents)
    scenario = Scenario(
        startup=20.0 if slow_start is None else slow_start,
        **_failure(fail_at, failing, settings),
        traffic=not no_traffic,
        first=first,
        check_templates=templates,
    )
    moments = simulated(model.spec, scenario, runtime).moments
    if output == "json":
        write_json([asdict(moment) for moment in moments])
    else:
        write(list(_lines(moments)), color)


def _failure(fail_at: str | None, failing: str | None, settings: EffectiveSpec) -> dict[str, Any]:
    """The fields of a scenario that `--fail-at` and `--failing` mean. Raises CliError."""
    weight = None if fail_at is None else _weight(fail_at, settings)
    kind, _, name = (failing or "pods").partition(":")
    if kind == "pods" and not name:
        if failing and weight is None:
            raise usage("--failing pods needs --fail-at, such as --fail-at 25%.")
        return {"fail_at": weight}
    analysis = settings.analysis
    names = {
        "check": [check.name for check in analysis.checks] if analysis else [],
        "smoke": [test.name for test in settings.smoke_tests],
    }.get(kind)
    if names is None:
        raise usage(f"--failing {failing}: write pods, check:NAME or smoke:NAME.")
    if name not in names:
        listed = ", ".join(names) or "none"
        what = "check" if kind == "check" else "smoke test"
        raise usage(f"--failing {failing}: the model has no such {what}; it has: {listed}.")
    if kind == "smoke" and weight:
        raise usage(
            "Smoke tests run before the first traffic: use --fail-at start, or no --fail-at."
        )
    if kind == "smoke":
        return {"fail_at": 0, "failing_smoke_test": name}
    if weight == 0:
        raise usage("Checks are evaluated once there is traffic: use --fail-at with a weight.")
    return {"fail_at": weight, "failing_check": name}


def _weight(text: str, settings: EffectiveSpec) -> int:
    """The weight that `--fail-at` means. Raises CliError."""
    words = {"start": 0, "bake": 100}
    step = _STEP.fullmatch(text)
    if step:
        number, count = int(step[1]), len(settings.steps)
        if not 1 <= number <= count:
            raise usage(f"--fail-at {text}: the rollout has {count} steps.")
        return settings.steps[number - 1].weight
    number_text = text.removesuffix("%").strip()
    if text in words:
        return words[text]
    if not number_text.isdigit() or int(number_text) > 100:
        raise usage(
            f"--fail-at {text}: write a weight from 0 to 100, a step such as step2, start or bake."
        )
    weight = int(number_text)
    weights = sorted({step.weight for step in settings.steps} | {0, 100})
    if weight not in weights:
        listed = ", ".join(map(str, weights))
        raise usage(f"--fail-at {text}: the rollout never has this weight; it has {listed}.")
    return weight


def _lines(moments: Sequence[Moment]) -> Iterator[Line]:
    yield line(Span(f"{'TIME':>8}  {'PHASE':<12} {'WEIGHT':<16} MESSAGE", Style.MUTED))
    for moment in moments:
        weight = f"{moment.effective_weight}%"
        if moment.effective_weight != moment.weight:
            weight += f" of {moment.weight}%"
        yield line(
            f"{_time(moment.t):>8}  ",
            Span(f"{moment.phase:<12} ", _STYLES.get(moment.phase, Style.BAD)),
            Span(bar(moment.effective_weight, 5), Style.ACTIVE),
            f" {weight:<10} ",
            moment.message,
        )
    yield _end(moments)


def _end(moments: Sequence[Moment]) -> Line:
    """What the timeline ends with."""
    last = moments[-1]
    if last.phase in ("Ready", "RolledBack"):
        return line(Span(f"The rollout ends after {_time(last.t)[1:]}.", Style.TITLE))
    return line(Span("Nothing changes after that without a person.", Style.WARNING))


def _time(t: float) -> str:
    return f"+{t:g}s" if t < 120 else f"+{short(t)}"
