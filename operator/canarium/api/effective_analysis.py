"""How versions are judged, with every default filled in, for each check its own."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.analysis import Analysis, Check
from canarium.api.base import seconds

HOLD = "Hold"
#: Seconds that a request of a check or a smoke test may take.
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class EffectiveCheck:
    """One check: `source` is the measured value with its bounds, the rest when it counts."""

    name: str
    source: Check
    min_samples: int
    confidence: float
    on_failure: str
    failure_limit: int
    #: None: queries may fail any number of times in a row.
    error_limit: int | None
    insufficient_limit: int
    #: Seconds that its request may take.
    timeout: float


@dataclass(frozen=True, slots=True)
class EffectiveAnalysis:
    """How versions are judged while they have traffic. Times are in seconds."""

    interval: float
    window: float
    on_insufficient: str
    start_weight: int
    during_bake: bool
    checks: tuple[EffectiveCheck, ...]


def effective_analysis(analysis: Analysis) -> EffectiveAnalysis:
    """Returns `analysis` with its defaults."""
    return EffectiveAnalysis(
        interval=max(1.0, seconds(analysis.interval or "15s")),
        window=seconds(analysis.window or "5m"),
        on_insufficient=analysis.on_insufficient_data or HOLD,
        start_weight=analysis.start_weight or 1,
        during_bake=analysis.during_bake is not False,
        checks=tuple(_check(analysis, check) for check in analysis.checks),
    )


def request_timeout(text: str | None) -> float:
    """Returns the seconds that a request may take, by the `timeout` of its spec."""
    return seconds(text) if text else _TIMEOUT


def _check(analysis: Analysis, check: Check) -> EffectiveCheck:
    query = check.prometheus or check.web or check.replay
    return EffectiveCheck(
        name=check.name,
        source=check,
        min_samples=check.min_samples or analysis.min_samples or 100,
        confidence=float(analysis.confidence or "0.99"),
        on_failure=check.on_failure or analysis.on_failure or "RollBack",
        failure_limit=_either(check.failure_limit, analysis.failure_limit) or 0,
        error_limit=_either(check.error_limit, analysis.error_limit),
        insufficient_limit=_either(check.insufficient_limit, analysis.insufficient_limit) or 0,
        timeout=request_timeout(query.timeout if query else None),
    )


def _either(own: int | None, common: int | None) -> int | None:
    return own if own is not None else common
