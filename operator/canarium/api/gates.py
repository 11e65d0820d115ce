"""Gates of a rollout: points at which it waits for a decision from outside (R27)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import Duration, Part, ruled

GateName = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


class Approval(Part):
    """A decision by a person who has the verb `approve` on the model.

    RBAC grants that verb; the commands are `approve` and `reject`.
    """

    message: str | None = Field(
        None,
        max_length=256,
        description="What the approver has to check. It is part of the message while the gate "
        "waits.",
    )


class Gate(Part):
    """A point at which the rollout waits for a positive result."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(self.before == 'Weight') == has(self.weight)",
                "weight is required with before: Weight and applies only to it",
                ".weight",
            ),
            (
                "!has(self.onError) || has(self.timeout)",
                "onError applies only to a gate with a timeout",
                ".onError",
            ),
            (
                "!has(self.timeout) || duration(self.timeout) >= duration('1s')",
                "timeout must be at least 1s",
                ".timeout",
            ),
        )
    )

    name: GateName = Field(
        description="Name of the gate, unique among the gates of the model. A gate has one result "
        "for each revision."
    )
    before: Literal["Traffic", "Weight", "Promotion", "Finish"] = Field(
        description="What the gate holds. Traffic: the first traffic of a version, mirrored "
        "requests included. Weight: the weight of a step and all higher ones. Promotion: the "
        "promotion. Finish: the end of the bake."
    )
    weight: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Weight of a step that the gate holds, with before: Weight."
    )
    approval: Approval = Field(
        description="The gate waits for the command approve or reject of a person who has the "
        "verb approve on the model."
    )
    timeout: Duration | None = Field(
        None,
        description="How long the gate waits for its result, without the time of pauses. Default: "
        "without limit.",
    )
    on_error: Literal["RollBack", "Hold"] | None = Field(
        None,
        description="What follows when the gate has no result in time. RollBack: the version "
        "fails. Hold (default): the gate continues to wait.",
    )
