"""`CheckTemplate` and `ClusterCheckTemplate`: checks that models share (R17).

The checks of a template have the fields of those of a model. `{{ args.NAME }}` in them is replaced
by an argument (see `api.template_arguments`), so the patterns of bounds and URLs also admit a
placeholder here; what results has to match the pattern of a model's check.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from canarium.api.analysis import Check, PrometheusQuery, WebQuery
from canarium.api.base import NAMED, Part

NAMESPACED = "CheckTemplate"
CLUSTER = "ClusterCheckTemplate"

_ARGUMENT = r"\{\{ *args\.[A-Za-z_][A-Za-z0-9_-]* *\}\}"
_NUMBER = r"[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?"
#: An amount, or an argument with an optional unit.
_Amount = Annotated[
    str, Field(max_length=128, pattern=rf"^(-?{_NUMBER}|{_ARGUMENT})(%|ms|s)?$")
]  # fmt: skip
_Decimal = Annotated[str, Field(max_length=128, pattern=rf"^({_NUMBER}|{_ARGUMENT})$")]
_URL = r"^(https?://|\{\{ *args\.)"


class TemplateArgument(Part):
    """An argument of a template."""

    name: str = Field(
        max_length=63,
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
        description="Name of the argument, as in {{ args.NAME }}.",
    )
    value: str | None = Field(
        None,
        max_length=1024,
        description="Default value. Without it, models have to set the argument.",
    )
    description: str | None = Field(
        None, max_length=1024, description="Description of the argument, for people who set it."
    )


class TemplatePrometheusQuery(PrometheusQuery):
    """A value from a Prometheus server."""

    url: str | None = Field(
        None,
        max_length=1024,
        pattern=_URL,
        description="The server, such as http://prometheus.monitoring.svc:9090, or an argument. "
        "Default: the Prometheus that the operator is configured with.",
    )


class TemplateWebQuery(WebQuery):
    """A value from a service that returns JSON over HTTP."""

    url: str = Field(
        max_length=2048,
        pattern=_URL,
        description="URL, or an argument. The same variables as in a Prometheus query are "
        "replaced.",
    )


class TemplateCheck(Check):
    """One measured value and its bounds; both may contain arguments."""

    prometheus: TemplatePrometheusQuery | None = Field(None, description="A Prometheus query.")
    web: TemplateWebQuery | None = Field(None, description="A number in a JSON response.")
    max: _Amount | None = Field(
        None, description='Upper bound, such as "1%", "200ms", "0.2" or "{{ args.MAX }}ms".'
    )
    min: _Amount | None = Field(None, description="Lower bound, in the same form.")
    max_ratio_to_stable: _Decimal | None = Field(
        None,
        description='Upper bound as a multiple of stable in the same window, such as "1.5", or an '
        "argument.",
    )
    min_ratio_to_stable: _Decimal | None = Field(
        None, description='Lower bound as a multiple of stable, such as "0.8", or an argument.'
    )


class CheckTemplateSpec(Part):
    """Checks that several models use."""

    description: str | None = Field(
        None, max_length=1024, description="Description of the checks, for people who choose them."
    )
    args: list[TemplateArgument] | None = Field(
        None,
        max_length=16,
        description="Arguments. {{ args.NAME }} is replaced in queries, URLs, bodies, JSON "
        "paths, label values and bounds.",
        json_schema_extra=NAMED,
    )
    checks: list[TemplateCheck] = Field(
        min_length=1,
        max_length=16,
        description="Values to measure, with their bounds. Their names are unique among all checks "
        "of a model.",
        json_schema_extra=NAMED,
    )
