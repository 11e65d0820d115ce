"""How versions are judged, with every default filled in, for each check its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from canarium.api.analysis import (
    Analysis,
    Check,
    ExternalMetric,
    Preset,
    PrometheusQuery,
    Replay,
    SeriesMeasure,
    WebQuery,
    amount,
)
from canarium.api.base import seconds
from canarium.api.effective_metrics import Labels, sorted_labels
from canarium.api.smoke_tests import ConfigMapKey

HOLD = "Hold"
#: Seconds between two measurements.
INTERVAL = 15.0
#: Seconds that a request of a check or a smoke test may take.
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class EffectiveSeries:
    """A metric of the pods that a user names."""

    name: str
    kind: Literal["Counter", "Gauge", "Histogram"]
    labels: Labels
    aggregation: Literal["Average", "Sum", "Max"]
    quantile: float


@dataclass(frozen=True, slots=True)
class EffectiveReplay:
    """Recorded requests, and what of their responses is compared, how exactly."""

    requests: ConfigMapKey
    #: None: the path for predictions of each revision's runtime.
    path: str | None
    json_path: str
    tolerance: float


@dataclass(frozen=True, slots=True)
class EffectiveCheck:
    """One check: exactly one source of a value, its bounds, and when it counts."""

    name: str
    metric: Preset | None
    series: EffectiveSeries | None
    prometheus: PrometheusQuery | None
    web: WebQuery | None
    external: ExternalMetric | None
    replay: EffectiveReplay | None
    maximum: float | None
    minimum: float | None
    #: Bounds of the ratio to stable's value.
    max_ratio: float | None
    min_ratio: float | None
    min_samples: int
    confidence: float
    on_failure: str
    failure_limit: int
    #: None: queries may fail any number of times in a row.
    error_limit: int | None
    insufficient_limit: int
    #: Seconds that its request may take.
    timeout: float
    #: Kind and name of its template; None: it is in the spec.
    template: str | None = None


@dataclass(frozen=True, slots=True)
class CheckDefaults:
    """What applies to checks that do not set it themselves."""

    min_samples: int = 100
    confidence: float = 0.99
    on_failure: str = "RollBack"
    failure_limit: int = 0
    error_limit: int | None = None
    insufficient_limit: int = 0


@dataclass(frozen=True, slots=True)
class TemplateReference:
    """A template and the arguments of its use, sorted by their names."""

    kind: str
    name: str
    args: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class EffectiveAnalysis:
    """How versions are judged while they have traffic. Times are in seconds.

    `checks` are those of the spec; `core.facts.check_templates` adds those of `templates`.
    """

    interval: float
    window: float
    on_insufficient: str
    start_weight: int
    during_bake: bool
    checks: tuple[EffectiveCheck, ...]
    templates: tuple[TemplateReference, ...] = ()
    defaults: CheckDefaults = CheckDefaults()


def effective_analysis(analysis: Analysis) -> EffectiveAnalysis:
    """Returns `analysis` with its defaults."""
    defaults = CheckDefaults(
        min_samples=analysis.min_samples or 100,
        confidence=float(analysis.confidence or "0.99"),
        on_failure=analysis.on_failure or "RollBack",
        failure_limit=analysis.failure_limit or 0,
        error_limit=analysis.error_limit,
        insufficient_limit=analysis.insufficient_limit or 0,
    )
    return EffectiveAnalysis(
        interval=max(1.0, seconds(analysis.interval) if analysis.interval else INTERVAL),
        window=seconds(analysis.window or "5m"),
        on_insufficient=analysis.on_insufficient_data or HOLD,
        start_weight=analysis.start_weight or 1,
        during_bake=analysis.during_bake is not False,
        checks=tuple(effective_check(check, defaults) for check in analysis.checks or ()),
        templates=tuple(
            TemplateReference(
                use.kind or "CheckTemplate", use.name, tuple(sorted((use.args or {}).items()))
            )
            for use in analysis.templates or ()
        ),
        defaults=defaults,
    )


def request_timeout(text: str | None) -> float:
    """Returns the seconds that a request may take, by the `timeout` of its spec."""
    return seconds(text) if text else _TIMEOUT


def effective_check(
    check: Check, defaults: CheckDefaults, template: str | None = None
) -> EffectiveCheck:
    """Returns `check` with its defaults; `template` is the kind and name of its template."""
    query = check.prometheus or check.web or check.external or check.replay
    return EffectiveCheck(
        name=check.name,
        metric=check.metric,
        series=_series(check.series) if check.series else None,
        prometheus=check.prometheus,
        web=check.web,
        external=check.external,
        replay=_replay(check.replay) if check.replay else None,
        maximum=amount(check.max) if check.max else None,
        minimum=amount(check.min) if check.min else None,
        max_ratio=float(check.max_ratio_to_stable) if check.max_ratio_to_stable else None,
        min_ratio=float(check.min_ratio_to_stable) if check.min_ratio_to_stable else None,
        min_samples=check.min_samples or defaults.min_samples,
        confidence=defaults.confidence,
        on_failure=check.on_failure or defaults.on_failure,
        failure_limit=_either(check.failure_limit, defaults.failure_limit) or 0,
        error_limit=_either(check.error_limit, defaults.error_limit),
        insufficient_limit=_either(check.insufficient_limit, defaults.insufficient_limit) or 0,
        timeout=request_timeout(query.timeout if query else None),
        template=template,
    )


def _series(series: SeriesMeasure) -> EffectiveSeries:
    return EffectiveSeries(
        name=series.name,
        kind=series.kind,
        labels=sorted_labels(series.labels),
        aggregation=series.aggregation or "Average",
        quantile=float(series.quantile or "0.99"),
    )


def _replay(replay: Replay) -> EffectiveReplay:
    return EffectiveReplay(
        requests=replay.requests,
        path=replay.path,
        json_path=replay.json_path,
        tolerance=float(replay.tolerance or 0),
    )


def _either(own: int | None, common: int | None) -> int | None:
    return own if own is not None else common
