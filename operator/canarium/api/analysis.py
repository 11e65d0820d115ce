"""What a version's answers must measure while it has traffic, and what counts as evidence (R17)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, Part, Percent, ruled
from canarium.api.smoke_tests import ConfigMapKey, Decimal, JsonPath

#: A number, a percentage, or a time; see `amount`.
Amount = Annotated[
    str, Field(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?(%|ms|s)?$")
]
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
    """The number that `text` means: `1%` is 0.01, `200ms` is 0.2, `1.5` is 1.5.

    Raises ValueError when it is none.
    """
    for suffix, scale in (("%", 0.01), ("ms", 0.001), ("s", 1.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


class SeriesMeasure(Part):
    """Any metric of the pods by its own name."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(self.kind == 'Histogram') == has(self.quantile)",
                "quantile belongs to kind Histogram, and is needed there",
                ".quantile",
            ),
            (
                "!has(self.over) || self.kind == 'Gauge'",
                "over belongs to kind Gauge",
                ".over",
            ),
        )
    )

    name: str = Field(
        max_length=256,
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="Name of the metric; a histogram's without _bucket.",
    )
    kind: Literal["Counter", "Gauge", "Histogram"] = Field(
        description="Counter: its growth per second. Gauge: its mean over the window. "
        "Histogram: a percentile."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None, max_length=8, description="Regular expressions that labels must match whole."
    )
    quantile: Decimal | None = Field(None, description='Between 0 and 1, such as "0.99".')
    over: Literal["Average", "Sum", "Max"] | None = Field(
        None, description="How the gauges of several pods are joined; default Average."
    )


class Authentication(Part):
    """A Secret of the model's own namespace; no other namespace can be named.

    Its keys: `token` for a bearer token, or `username` and `password`; `ca.crt` for a server
    whose certificate is signed by an authority of your own.
    """

    secret_name: str = Field(max_length=253, min_length=1, description="Name of the Secret.")


class PrometheusQuery(Part):
    """A value from a Prometheus server."""

    url: str = Field(
        max_length=1024,
        pattern=r"^https?://",
        description="The server, such as http://prometheus.monitoring.svc:9090.",
    )
    query: str = Field(
        max_length=4096,
        description="PromQL that gives one value. {{ revision }}, {{ namespace }}, {{ model }}, "
        "{{ service }} and {{ window }} are filled in; stable is asked with its own revision.",
    )
    samples_query: str | None = Field(
        None,
        max_length=4096,
        description="PromQL that gives the number of observations behind the value, for "
        "minSamples; without it only the value counts.",
    )
    authentication: Authentication | None = Field(None, description="How to log in.")
    timeout: Duration | None = Field(None, description="How long to wait; default 10s.")


class WebQuery(Part):
    """A value from a service that answers JSON over HTTP."""

    url: str = Field(
        max_length=2048,
        pattern=r"^https?://",
        description="Address; the same names as in a query are filled in.",
    )
    path: JsonPath = Field(description="JSON path (RFC 9535) of the number.")
    samples_path: JsonPath | None = Field(
        None, description="JSON path of the number of observations, for minSamples."
    )
    authentication: Authentication | None = Field(None, description="How to log in.")
    timeout: Duration | None = Field(None, description="How long to wait; default 10s.")


class AnswerComparison(Part):
    """The share of recorded requests that candidate and stable answer differently.

    The operator sends each of them straight to a pod of both, so it needs no traffic and no
    mirror. Bodies are neither logged nor put into the status.
    """

    requests: ConfigMapKey = Field(
        description="A key of a ConfigMap in the model's namespace: one JSON body per line."
    )
    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path of the requests; default: the runtime's path for predictions.",
    )
    json_path: JsonPath = Field(
        alias="json", description="What is compared: all that this JSON path matches."
    )
    tolerance: Decimal | None = Field(
        None, description="How far numbers may differ; default 0: exactly equal."
    )
    timeout: Duration | None = Field(None, description="How long to wait; default 10s.")


_ONE = (
    "(has(self.metric) ? 1 : 0) + (has(self.series) ? 1 : 0) + (has(self.prometheus) ? 1 : 0) "
    "+ (has(self.web) ? 1 : 0) + (has(self.answers) ? 1 : 0) == 1"
)
_BOUND = (
    "has(self.max) || has(self.min) || has(self.maxRatioToStable) || has(self.minRatioToStable)"
)


class Check(Part):
    """One thing that is measured, and what it may be."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (_ONE, "set exactly one of metric, series, prometheus, web and answers", ".metric"),
            (
                _BOUND,
                "set at least one of max, min, maxRatioToStable and minRatioToStable",
                ".max",
            ),
            (
                "!has(self.answers) || (!has(self.maxRatioToStable) && "
                "!has(self.minRatioToStable))",
                "answers are compared with stable already: set max",
                ".answers",
            ),
        )
    )

    name: str = Field(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="How the check is called in status and Events.",
    )
    metric: Preset | None = Field(
        None,
        description="Measured from the pods' own metrics, by the names that the runtime "
        "declares. ErrorRate is a share; latencies are in seconds; RequestRate and "
        "TokensPerSecond are per second over all pods; QueueDepth is requests per pod; "
        "CacheUse is a share.",
    )
    series: SeriesMeasure | None = Field(None, description="Any metric of the pods by name.")
    prometheus: PrometheusQuery | None = Field(None, description="A Prometheus query.")
    web: WebQuery | None = Field(None, description="JSON from an HTTP address.")
    answers: AnswerComparison | None = Field(
        None, description="Whether candidate and stable answer recorded requests alike."
    )
    max: Amount | None = Field(None, description='Upper bound, such as "1%", "200ms" or "0.2".')
    min: Amount | None = Field(None, description="Lower bound.")
    max_ratio_to_stable: Decimal | None = Field(
        None, description='Upper bound as a multiple of stable in the same window, such as "1.5".'
    )
    min_ratio_to_stable: Decimal | None = Field(
        None, description='Lower bound as a multiple of stable, such as "0.8".'
    )
    min_samples: Samples | None = Field(None, description="Instead of analysis.minSamples.")
    failure_limit: Looks | None = Field(None, description="Instead of analysis.failureLimit.")
    error_limit: Looks | None = Field(None, description="Instead of analysis.errorLimit.")
    insufficient_limit: Looks | None = Field(
        None, description="Instead of analysis.insufficientLimit."
    )
    on_failure: Literal["RollBack", "Hold", "Warn"] | None = Field(
        None,
        description="Instead of analysis.onFailure. Warn: the result is reported in status and "
        "Events, and neither fails the version nor delays it.",
    )


class Analysis(Part):
    """How a version is judged while it has traffic.

    A step is over when its time is and every check passes on the samples since its weight took
    effect. A check that fails takes the version back at once, whatever the step's time, in the
    bake as well.
    """

    checks: Annotated[
        list[Check], Field(min_length=1, max_length=16, json_schema_extra={
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        })
    ] = Field(description="What is measured.")  # fmt: skip
    interval: Duration | None = Field(
        None, description="Time between two looks; default 15s, at least 1s."
    )
    window: Duration | None = Field(
        None,
        description="How far back a look reaches, at most to where the step began; default 5m.",
    )
    min_samples: Samples | None = Field(
        None,
        description="Observations on the candidate (and on stable, to compare) without which "
        "nothing is judged; default 100.",
    )
    confidence: Decimal | None = Field(
        None,
        description="How sure a failure must be for shares and percentiles, where chance plays; "
        'default "0.99".',
    )
    failure_limit: Looks | None = Field(
        None, description="Looks in a row that may fail; default 0: the first failure counts."
    )
    error_limit: Looks | None = Field(
        None,
        description="Looks in a row whose query may fail before the version is taken back; "
        "absent: any number, they are insufficient data.",
    )
    insufficient_limit: Looks | None = Field(
        None,
        description="Looks in a row that may have insufficient data, after the step's time, "
        "before onInsufficientData is done; default 0.",
    )
    on_insufficient_data: Literal["Hold", "Promote", "RollBack"] | None = Field(
        None,
        description="When a step's time is over without enough evidence: Hold (default) waits "
        "for it, Promote goes on, RollBack takes the version back.",
    )
    on_failure: Literal["RollBack", "Hold"] | None = Field(
        None,
        description="When a check fails: RollBack (default) takes the version back at once. Hold "
        "keeps the weight that is reached, in the bake the old version, until the check passes or "
        "somebody decides by promote, abort or undo.",
    )
    from_weight: Percent | None = Field(
        None, description="Steps with a lower weight are not judged; default: all are."
    )
    during_bake: bool | None = Field(
        None, description="Whether a failure in the bake undoes the promotion; default true."
    )
