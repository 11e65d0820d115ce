"""The base of every part of the status."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: RFC 3339 in UTC. Other formats, as in a status edited by hand, are ignored.
Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$",
        max_length=40,
        json_schema_extra={"format": "date-time"},
    ),
]


class StatusPart(BaseModel):
    """A part of the status: lenient, since an older operator may read what a newer one wrote."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )
