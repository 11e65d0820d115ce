"""Gates of a rollout: points at which it waits for a decision from outside (R27)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.analysis import Authentication
from canarium.api.base import Duration, Part, ruled
from canarium.api.smoke_tests import JsonExpectation

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


class WebGate(Part):
    """A decision by a system of yours, which the operator asks by a POST with a JSON body.

    Status 202, or another 2xx with the field `status: pending`, is asked again. Another 2xx passes
    the gate, unless the condition is not met or the field `status` is `rejected` or `failed`. Any
    other answer is none.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            ("isURL(self.url)", "url must be a valid URL", ".url"),
            (
                "!has(self.interval) || duration(self.interval) >= duration('1s')",
                "interval must be at least 1s",
                ".interval",
            ),
        )
    )

    url: str = Field(
        max_length=2048,
        pattern=r"^https?://[^\s/?#]",
        description="The URL of the system. The body of the request names model, namespace, "
        "revision, version, uri, digest, gate, before, weight, currentWeight and stable.",
    )
    condition: JsonExpectation | None = Field(
        None, description="Value that the answer must contain for the gate to pass."
    )
    authentication: Authentication | None = Field(None, description="Credentials for the system.")
    interval: Duration | None = Field(
        None,
        description="Maximum time between two requests while the answer is pending; at least half "
        "of it passes. Default: 10s.",
    )
    timeout: Duration | None = Field(None, description="Timeout of one request. Default: 10s.")


class Gate(Part):
    """A point at which the rollout waits for a positive result."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(has(self.approval) ? 1 : 0) + (has(self.web) ? 1 : 0) == 1",
                "set exactly one of approval and web",
                ".approval",
            ),
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
    approval: Approval | None = Field(
        None,
        description="The gate waits for the command approve or reject of a person who has the "
        "verb approve on the model.",
    )
    web: WebGate | None = Field(
        None, description="The gate waits for a positive answer of a system."
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
