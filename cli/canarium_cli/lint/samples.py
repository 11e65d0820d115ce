"""Whether `minSamples` can be reached at each weight, for a number of requests per second (R17).

An evaluation covers the time since the weight became effective, at most `window`. A step ends when
its pause is over and every check has a verdict, so too few samples hold the rollout, let it pass
unjudged, or roll it back, depending on `onInsufficientData`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from canarium.api.effective_analysis import EffectiveAnalysis, EffectiveCheck
from canarium.api.effective_spec import EffectiveSpec
from canarium_cli.lint.analysis import ROOT
from canarium_cli.manifests.documents import Document, Path
from canarium_cli.manifests.finding import Finding, Level

RULE = "min-samples"


def check(document: Document, settings: EffectiveSpec, rps: float) -> Iterator[Finding]:
    """Yields the steps at which checks get too few of `rps` requests per second."""
    analysis = settings.analysis
    if analysis is None:
        return
    for index, step in enumerate(settings.steps):
        counting = [c for c in analysis.checks if _counts_requests(c)]
        if step.weight < analysis.start_weight or not 0 < step.weight < 100 or not counting:
            continue
        path: Path = ("spec", "rollout", "steps", index)
        yield from _step(document, analysis, counting, path, step.weight, step.pause, rps)
    if analysis.during_bake:
        seconds = min(settings.bake_time, analysis.window)
        for index, one in enumerate(analysis.checks):
            if _counts_requests(one) and rps * seconds < one.min_samples:
                yield document.finding(
                    ("spec", "rollout", "analysis", "templates")
                    if one.template
                    else (*ROOT, index),
                    f"Check {one.name} needs {one.min_samples} samples, and the bake has at most "
                    f"{rps * seconds:.0f} in {seconds:g} s at {rps:g} requests per second: it is "
                    "not judged during the bake.",
                    RULE,
                    Level.WARNING,
                )


def _step(
    document: Document,
    analysis: EffectiveAnalysis,
    counting: list[EffectiveCheck],
    path: Path,
    weight: int,
    pause: float | None,
    rps: float,
) -> Iterator[Finding]:
    candidate = rps * weight / 100
    for one in counting:
        compares = one.max_ratio is not None or one.min_ratio is not None
        # Both versions need the samples where they are compared.
        rate = min(candidate, rps - candidate) if compares else candidate
        most = rate * analysis.window
        if most < one.min_samples:
            advice = math.ceil(one.min_samples / rate) if rate else 0
            yield document.finding(
                path,
                f"Check {one.name} can never have {one.min_samples} samples at weight {weight}: "
                f"{rate:g} requests per second are at most {most:.0f} in the window of "
                f"{analysis.window:g} s. Raise the weight, lower minSamples, or set window to "
                f"{advice}s. Otherwise the step {_ending(analysis)}.",
                RULE,
            )
        elif pause is not None and rate * pause < one.min_samples:
            yield document.finding(
                path,
                f"Check {one.name} has about {rate * pause:.0f} of {one.min_samples} samples when "
                f"the pause of {pause:g} s is over: the step {_ending(analysis)}. They take "
                f"{math.ceil(one.min_samples / rate)} s at weight {weight}.",
                RULE,
                Level.WARNING,
            )


def _ending(analysis: EffectiveAnalysis) -> str:
    return {
        "Promote": "passes without a verdict (onInsufficientData: Promote)",
        "RollBack": "is rolled back (onInsufficientData: RollBack)",
    }.get(analysis.on_insufficient, "waits for them (onInsufficientData: Hold)")


def _counts_requests(check: EffectiveCheck) -> bool:
    """Whether the samples of a check are the requests that a version receives."""
    metric = check.metric
    return bool(metric) and (
        metric == "ErrorRate" or str(metric).startswith(("Latency", "TimeToFirstToken"))
    )
