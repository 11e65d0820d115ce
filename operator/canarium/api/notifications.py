"""How the sinks that an administrator configured report a model (R28)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from canarium.api.base import Part
from canarium.api.status.transition import TransitionType

SinkName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=50)
]


def _member(value: object) -> object:
    """Returns the type of that name, or the value. `kubectl modeldeploy lint` validates strictly,
    and then pydantic takes no string for a member of an enumeration."""
    return next((one for one in TransitionType if one == value), value)


class Notifications(Part):
    """What sinks report about this model, and in which words."""

    sinks: list[SinkName] | None = Field(
        None,
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Names of the sinks that report this model, among those that an administrator "
        "permits for it. Default: all of them, except those that a model has to name.",
    )
    types: list[Annotated[TransitionType, BeforeValidator(_member)]] | None = Field(
        None,
        max_length=len(TransitionType),
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Types of notifications that are sent, among those of each sink. Traces have "
        "all types. Default: all.",
    )
    title: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Title for people, a Jinja2 template of values and conditions, such as "
        "'{{ name }}: {{ type }}'. Used by sinks that permit it (modelTexts). Default: the "
        "sink's.",
    )
    body: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        description="Text for people, a template like title. Default: the sink's.",
    )
