"""What all kinds are made of: the base of every part, and the types that fields share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
Percent = Annotated[int, Field(ge=1, le=100)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]
Port = Annotated[int, Field(ge=1, le=65535)]
#: Whole segments of a path, that requests have in front, and what replaces them.
PathPrefix = Annotated[str, Field(max_length=1024, pattern=r"^/([^\s?#%]*[^\s?#%/])?$")]
RewritePrefix = Annotated[str, Field(max_length=1024, pattern=r"^/[^\s?#%]*$")]
OpenObject = Annotated[
    dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
]
#: A metric as in autoscaling/v2. Its type is declared, so that a CEL rule can read it.
ScalingMetric = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {
                "type": {
                    "type": "string",
                    "maxLength": 64,
                    "description": "Type of the metric: Resource, ContainerResource, Pods, Object "
                    "or External.",
                }
            },
        }
    ),
]
#: For lists of named objects: field managers then share them by name.
NAMED: dict[str, Any] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}


def seconds(duration: str) -> float:
    """Returns the seconds of a Go-style duration such as `1m30s` or `500ms`.

    Raises ValueError with the text if it is not a duration.
    """
    if not re.match(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration such as 30s, 5m or 1h30m")
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def ruled(*rules: tuple[str, str, str]) -> dict[str, Any]:
    """Returns the schema extension for CEL rules: (rule, message, path of the field to change)."""
    validations = [{"rule": rule, "message": text, "fieldPath": path} for rule, text, path in rules]
    return {"x-kubernetes-validations": validations}


class Part(BaseModel):
    """A part of a resource: camelCase outside, frozen, unknown fields rejected."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )
