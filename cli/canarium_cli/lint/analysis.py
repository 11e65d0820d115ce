"""Checks of an analysis: their queries and paths, bounds, and whether the server measures them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from canarium.api.analysis import Check, amount
from canarium.api.effective_metrics import effective_metrics
from canarium.api.model_deployment import Spec
from canarium.core.evidence.measures import Missing
from canarium.signals.presets import measure_of
from canarium_cli.lint import expressions
from canarium_cli.lint.smoke_tests import config_map, objects
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

METRIC, BOUNDS, REPLAY = "metric", "bounds", "replay"
ROOT: Path = ("spec", "rollout", "analysis", "checks")
#: Metrics that are shares, so that 1 is the largest value.
_SHARES = ("ErrorRate", "CacheUse")
_LATENCIES = ("Latency", "TimeToFirstToken")
#: Seconds; a larger bound without a unit is probably meant in milliseconds.
_LONG = 60.0


def check_expressions(document: Document, documents: Sequence[Document]) -> Iterator[Finding]:
    """Yields what is wrong with queries, JSON paths and patterns. Needs no valid spec."""
    for index, check in objects(document.spec, "rollout", "analysis", "checks"):
        yield from check_one(document, (*ROOT, index), check, documents)


def check_one(
    document: Document, path: Path, check: Mapping[str, Any], documents: Sequence[Document]
) -> Iterator[Finding]:
    """Yields what is wrong with the expressions of one raw check, which is at `path`."""
    for name in ("prometheus", "web", "external", "replay", "series"):
        part = check.get(name)
        if not isinstance(part, dict):
            continue
        at = (*path, name)
        if name == "prometheus":
            for field in ("query", "samplesQuery"):
                yield from expressions.promql(document, (*at, field), part.get(field))
        elif name == "web":
            for field in ("url", "body"):
                yield from expressions.template(document, (*at, field), part.get(field))
            for field in ("path", "samplesPath"):
                yield from expressions.json_path(document, (*at, field), part.get(field))
        elif name == "external":
            selector = part.get("selector")
            for label, value in (selector if isinstance(selector, dict) else {}).items():
                yield from expressions.template(document, (*at, "selector", label), value)
        elif name == "replay":
            yield from expressions.json_path(document, (*at, "json"), part.get("json"))
            if isinstance(part.get("requests"), dict):
                source = part["requests"]
                yield from config_map(document, (*at, "requests"), source, documents)
        else:
            yield from expressions.label_patterns(document, (*at, "labels"), part.get("labels"))


def check_measures(
    document: Document,
    checks: Iterable[tuple[Path, Check]],
    server: Mapping[str, Any] | None,
) -> Iterator[Finding]:
    """Yields those of `checks` that can never pass, or never fail, on `server`; each has the path
    of its finding. Needs a valid spec."""
    for path, check in checks:
        yield from _bounds(document, path, check)
        if server is None:
            continue
        if check.metric:
            metrics = effective_metrics(server.get("metrics"))
            measure = measure_of(check.metric, metrics)
            if isinstance(measure, Missing):
                text = measure.message.partition(": ")[2]
                yield document.finding((*path, "metric"), _sentence(text), METRIC)
        if check.replay and not check.replay.path and not server.get("predictPath"):
            text = "The runtime has no predictPath: set replay.path."
            yield document.finding((*path, "replay", "path"), text, REPLAY)


def own_checks(spec: Spec) -> Iterator[tuple[Path, Check]]:
    """Yields the checks of a spec that are not those of a template, each with its path."""
    analysis = spec.rollout.analysis if spec.rollout else None
    for index, check in enumerate((analysis.checks if analysis else None) or ()):
        yield (*ROOT, index), check


def _bounds(document: Document, path: Path, check: Check) -> Iterator[Finding]:
    low, high = (None if x is None else amount(x) for x in (check.min, check.max))
    if low is not None and high is not None and low > high:
        text = f"min {check.min} is above max {check.max}: no value can pass."
        yield document.finding((*path, "min"), text, BOUNDS)
    ratios = [None if x is None else float(x) for x in (
        check.min_ratio_to_stable, check.max_ratio_to_stable,
    )]  # fmt: skip
    if None not in ratios and ratios[0] > ratios[1]:  # type: ignore[operator]
        text = "minRatioToStable is above maxRatioToStable: no value can pass."
        yield document.finding((*path, "minRatioToStable"), text, BOUNDS)
    if high is None or not check.metric:
        return
    if check.metric in _SHARES and high >= 1:
        text = f"max {check.max} is {high:.0%}, which {check.metric} never exceeds: write a share"
        text += f' such as "{check.max}%".' if "%" not in str(check.max) else ' below "100%".'
        yield document.finding((*path, "max"), text, BOUNDS, Level.WARNING)
    bare = not str(check.max).endswith("s")
    if check.metric.startswith(_LATENCIES) and bare and high >= _LONG:
        text = (
            f'max {check.max} means {check.max} seconds: write "{check.max}ms" or "{check.max}s".'
        )
        yield document.finding((*path, "max"), text, BOUNDS, Level.WARNING)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
