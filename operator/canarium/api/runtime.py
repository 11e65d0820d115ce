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
        max_length=63, min_length=1, description="Format as in spec.model.format, such as sklearn."
    )
    versions: list[Annotated[str, Field(max_length=63)]] | None = Field(
        None,
        max_length=16,
        description="Supported versions of the format, as prefixes of spec.model.formatVersion up"
        " to a dot: 1 serves 1 and 1.7. Default: all.",
    )
    priority: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="The matching runtime with the highest priority within a scope is selected; "
        "equal priorities are rejected as ambiguous. A ModelRuntime takes precedence "
        "over any ClusterModelRuntime, and both over built-in runtimes. Default: 0.",
    )
    auto_select: bool | None = Field(
        None, description="Whether this runtime may be selected by format. Default: true."
    )


class RuntimeSpec(Server):
    """How a kind of model server is started, probed and measured."""

    description: str | None = Field(
        None, max_length=1024, description="Description of the runtime, for people who choose one."
    )
    formats: list[Format] | None = Field(
        None,
        max_length=32,
        description="Formats that the runtime serves. Default: none, so it is selected only by "
        "name.",
        json_schema_extra=NAMED,
    )
    pod_template: OpenObject | None = Field(
        None,
        description="Metadata and pod spec to merge over the rendered pod template. The "
        "podTemplate of the model is merged afterwards and takes precedence.",
    )
