"""`ModelRuntime` and `ClusterModelRuntime`: how a kind of model server is run, written once.

Admins own them. Their string leaves are Jinja2 templates over the model at hand; see
`canarium.render.jinja` for what a template may do.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from canarium.api.base import NAMED, OpenObject, Part
from canarium.api.server import Server

NAMESPACED = "ModelRuntime"
CLUSTER = "ClusterModelRuntime"
BUILT_IN = "BuiltIn"


class Format(Part):
    """A model format that the runtime serves."""

    name: str = Field(
        max_length=63, min_length=1, description="As in spec.model.format, such as sklearn."
    )
    versions: list[Annotated[str, Field(max_length=63)]] | None = Field(
        None,
        max_length=16,
        description="Versions of the format that are served, matched against "
        "spec.model.formatVersion up to the end or a dot: 1 serves 1 and 1.7. Absent: all.",
    )
    priority: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Among the runtimes of one scope that fit, the highest is chosen; default 0. "
        "Equal ones are refused as ambiguous. A ModelRuntime comes before any "
        "ClusterModelRuntime, and both before the built-in ones.",
    )
    auto_select: bool | None = Field(
        None, description="Whether the format alone may choose this runtime; default true."
    )


class RuntimeSpec(Server):
    """How a kind of model server is started, probed, measured and asked."""

    description: str | None = Field(
        None, max_length=1024, description="What it is, for people who choose."
    )
    formats: list[Format] | None = Field(
        None,
        max_length=32,
        description="Formats that it serves. Absent: only chosen by name.",
        json_schema_extra=NAMED,
    )
    pod_template: OpenObject | None = Field(
        None,
        description="Metadata and pod spec laid over what is rendered, before the model's own.",
    )
