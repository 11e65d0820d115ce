"""Analysis: what a version must measure while it has traffic, and what counts as evidence (R17)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.authentication import HTTPS_FOR_IDENTITY, Authentication, Header
from canarium.api.base import NAMED, Duration, Part, Percent, ruled
from canarium.api.smoke_tests import ConfigMapKey, Decimal, JsonPath

#: A number, a percentage, or a time; see `amount`.
Amount = Annotated[
    str, Field(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?(%|ms|s)?$")
]
#: Maximum number of checks of a model, those of templates included.
MAX_CHECKS = 16
Samples = Annotated[int, Field(ge=1, le=10_000_000)]
Looks = Annotated[int, Field(ge=0, le=10_000)]

Preset = Literal[
    "ErrorRate",
    "LatencyMean",
    "LatencyP50",
    "LatencyP95",
    "LatencyP99",
    "RequestRate",
    "TimeToFirstTokenP50",
    "TimeToFirstTokenP95",
    "TimeToFirstTokenP99",
    "TokensPerSecond",
    "QueueDepth",
    "CacheUse",
]


def amount(text: str) -> float:
    """Returns the number that `text` means: `1%` is 0.01, `200ms` is 0.2, `1.5` is 1.5.

    Raises ValueError if it is not an amount.
    """
    for suffix, scale in (("%", 0.01), ("ms", 0.001), ("s", 1.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


class SeriesMeasure(Part):
    """Any metric of the pods, by name."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(self.kind == 'Histogram') == has(self.quantile)",
                "quantile is required for kind Histogram and applies only to it",
                ".quantile",
            ),
            (
                "!has(self.aggregation) || self.kind == 'Gauge'",
                "aggregation applies only to kind Gauge: remove it, or set kind: Gauge",
                ".aggregation",
            ),
        )
    )

    name: str = Field(
        max_length=256,
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="Name of the metric, without _bucket for a histogram.",
    )
    kind: Literal["Counter", "Gauge", "Histogram"] = Field(
        description="Counter: its rate per second. Gauge: its mean over the window. Histogram: a "
        "percentile."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None,
        max_length=8,
        description="Regular expressions that must match label values completely.",
    )
    quantile: Decimal | None = Field(None, description='Quantile between 0 and 1, such as "0.99".')
    aggregation: Literal["Average", "Sum", "Max"] | None = Field(
        None, description="How the gauges of several pods are aggregated. Default: Average."
    )


class PrometheusQuery(Part):
    """A value from a Prometheus server."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            HTTPS_FOR_IDENTITY,
            (
                "!has(self.authentication) || has(self.url)",
                "authentication applies only with url: the default Prometheus of the operator has "
                "its own credentials",
                ".authentication",
            ),
        )
    )

    url: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^https?://",
        description="The server, such as http://prometheus.monitoring.svc:9090. Default: the "
        "Prometheus that the operator is configured with.",
    )
    query: str = Field(
        max_length=4096,
        description="PromQL that returns one value. {{ revision }}, {{ namespace }}, {{ model }},"
        " {{ service }}, {{ window }}, {{ start }} and {{ end }} are replaced; stable "
        "is queried with its own revision.",
    )
    samples_query: str | None = Field(
        None,
        max_length=4096,
        description="PromQL that returns the number of observations behind the value, for "
        "minSamples. Default: only the value counts.",
    )
    authentication: Authentication | None = Field(
        None, description="Credentials for the server at url."
    )
    timeout: Duration | None = Field(
        None,
        description="Timeout of the request. Default: 10s, or that of the operator's Prometheus.",
    )


class WebQuery(Part):
    """A value from a service that returns JSON over HTTP."""

    model_config = ConfigDict(json_schema_extra=ruled(HTTPS_FOR_IDENTITY))

    url: str = Field(
        max_length=2048,
        pattern=r"^https?://",
        description="URL. The same variables as in a Prometheus query are replaced.",
    )
    headers: list[Header] | None = Field(
        None,
        max_length=16,
        description="Headers of the request. Content-Type is application/json by default.",
        json_schema_extra=NAMED,
    )
    body: str | None = Field(
        None,
        max_length=16384,
        description="Body of the request, which is then a POST. The same variables as in the URL "
        "are replaced.",
    )
    path: JsonPath = Field(description="JSON path (RFC 9535) of the number.")
    samples_path: JsonPath | None = Field(
        None, description="JSON path of the number of observations, for minSamples."
    )
    authentication: Authentication | None = Field(None, description="Credentials for the server.")
    timeout: Duration | None = Field(None, description="Timeout of the request. Default: 10s.")


class ExternalMetric(Part):
    """A value that an adapter serves in the API external.metrics.k8s.io."""

    metric: str = Field(
        max_length=253,
        pattern=r"^[A-Za-z0-9_][^/\s%]*$",
        description="Name of the metric. The operator needs the right to list it: externalMetrics "
        "in the values of its chart.",
    )
    selector: dict[str, Annotated[str, Field(max_length=256, pattern=r"^[^,=!()]*$")]] | None = (
        Field(
            None,
            max_length=16,
            description="Labels of the series, of which exactly one must match. The same variables "
            "as in a Prometheus query are replaced in the values.",
        )
    )
    timeout: Duration | None = Field(None, description="Timeout of the request. Default: 10s.")


class Replay(Part):
    """The share of recorded requests to which candidate and stable respond differently.

    The operator sends each request directly to a pod of both, so no traffic and no mirroring is
    needed. Bodies are neither logged nor published in status.
    """

    requests: ConfigMapKey = Field(
        description="A key of a ConfigMap in the model's namespace: one JSON body per line."
    )
    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path of the requests. Default: the runtime's path for predictions.",
    )
    json_path: JsonPath = Field(alias="json", description="JSON path of the values to compare.")
    tolerance: Decimal | None = Field(
        None, description="Allowed difference of numbers. Default: 0, which means equal."
    )
    timeout: Duration | None = Field(None, description="Timeout of the request. Default: 10s.")


_ONE = (
    "(has(self.metric) ? 1 : 0) + (has(self.series) ? 1 : 0) + (has(self.prometheus) ? 1 : 0) "
    "+ (has(self.web) ? 1 : 0) + (has(self.external) ? 1 : 0) + (has(self.replay) ? 1 : 0) == 1"
)
_BOUND = (
    "has(self.max) || has(self.min) || has(self.maxRatioToStable) || has(self.minRatioToStable)"
)


class Check(Part):
    """One measured value and its bounds."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                _ONE,
                "set exactly one of metric, series, prometheus, web, external and replay",
                ".metric",
            ),
            (
                _BOUND,
                "set at least one of max, min, maxRatioToStable and minRatioToStable",
                ".max",
            ),
            (
                "!has(self.replay) || (!has(self.maxRatioToStable) && !has(self.minRatioToStable))",
                "replay already compares with stable: set max",
                ".replay",
            ),
        )
    )

    name: str = Field(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the check in status and Events.",
    )
    metric: Preset | None = Field(
        None,
        description="Measured from the metrics of the pods, by the names that the runtime "
        "declares. ErrorRate and CacheUse are shares; latencies are in seconds; "
        "RequestRate and TokensPerSecond are per second over all pods; QueueDepth is "
        "requests per pod.",
    )
    series: SeriesMeasure | None = Field(None, description="Any metric of the pods, by name.")
    prometheus: PrometheusQuery | None = Field(None, description="A Prometheus query.")
    web: WebQuery | None = Field(None, description="A number in a JSON response.")
    external: ExternalMetric | None = Field(
        None, description="A value of the API external.metrics.k8s.io."
    )
    replay: Replay | None = Field(
        None, description="Compares the responses of candidate and stable to recorded requests."
    )
    max: Amount | None = Field(None, description='Upper bound, such as "1%", "200ms" or "0.2".')
    min: Amount | None = Field(None, description="Lower bound.")
    max_ratio_to_stable: Decimal | None = Field(
        None, description='Upper bound as a multiple of stable in the same window, such as "1.5".'
    )
    min_ratio_to_stable: Decimal | None = Field(
        None, description='Lower bound as a multiple of stable, such as "0.8".'
    )
    min_samples: Samples | None = Field(None, description="Overrides analysis.minSamples.")
    failure_limit: Looks | None = Field(None, description="Overrides analysis.failureLimit.")
    error_limit: Looks | None = Field(None, description="Overrides analysis.errorLimit.")
    insufficient_limit: Looks | None = Field(
        None, description="Overrides analysis.insufficientLimit."
    )
    on_failure: Literal["RollBack", "Hold", "Warn"] | None = Field(
        None,
        description="Overrides analysis.onFailure. Warn: only report the result in status and "
        "Events.",
    )


class TemplateUse(Part):
    """A template whose checks judge the model."""

    name: str = Field(max_length=63, min_length=1, description="Name of the template.")
    kind: Literal["CheckTemplate", "ClusterCheckTemplate"] | None = Field(
        None,
        description="CheckTemplate (default): a template in the namespace of the model. "
        "ClusterCheckTemplate: one for all namespaces.",
    )
    args: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=16,
        description="Values of the template's arguments, without quotes, backslashes, braces and "
        "control characters.",
    )


class Analysis(Part):
    """How a version is judged while it receives traffic.

    A step ends when its pause is over and every check passes on the samples since its weight became
    effective. A failed check rolls the version back at once, also during the bake.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            ("has(self.checks) || has(self.templates)", "set checks, templates or both", ".checks"),
        )
    )

    checks: list[Check] | None = Field(
        None,
        min_length=1,
        max_length=MAX_CHECKS,
        description="Values to measure, with their bounds.",
        json_schema_extra=NAMED,
    )
    templates: list[TemplateUse] | None = Field(
        None,
        min_length=1,
        max_length=8,
        description="Templates with further checks, by names that differ; all checks together have "
        "different names and are at most 16. A version is judged by the templates as they are when "
        "its rollout starts.",
        json_schema_extra=NAMED,
    )
    interval: Duration | None = Field(
        None, description="Time between two evaluations. Default: 15s, at least 1s."
    )
    window: Duration | None = Field(
        None,
        description="Period that an evaluation covers, at most since the start of the step. "
        "Default: 5m.",
    )
    min_samples: Samples | None = Field(
        None,
        description="Minimum number of observations of the candidate (and of stable, for ratios) "
        "for a verdict. Default: 100.",
    )
    confidence: Decimal | None = Field(
        None,
        description="Statistical confidence that a failure of a share or percentile requires. "
        'Default: "0.99".',
    )
    failure_limit: Looks | None = Field(
        None, description="Number of consecutive failed evaluations to tolerate. Default: 0."
    )
    error_limit: Looks | None = Field(
        None,
        description="Number of consecutive query errors to tolerate before the version is rolled "
        "back. Default: unlimited; errors are insufficient data.",
    )
    insufficient_limit: Looks | None = Field(
        None,
        description="Number of consecutive evaluations with insufficient data to tolerate, after "
        "the pause of the step, before onInsufficientData applies. Default: 0.",
    )
    on_insufficient_data: Literal["Hold", "Promote", "RollBack"] | None = Field(
        None,
        description="What to do if the pause of a step is over without enough evidence. Hold "
        "(default): wait for it. Promote: continue. RollBack: roll the version back.",
    )
    on_failure: Literal["RollBack", "Hold"] | None = Field(
        None,
        description="What to do if a check fails. RollBack (default): roll the version back at "
        "once. Hold: keep the current weight, or the previous version during the "
        "bake, until the check passes or a command (promote, abort, undo) decides.",
    )
    start_weight: Percent | None = Field(
        None, description="Steps with a lower weight are not judged. Default: all steps are."
    )
    during_bake: bool | None = Field(
        None, description="Whether a failure during the bake undoes the promotion. Default: true."
    )
