"""Gates of a rollout: points at which it waits for a decision from outside (R27)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.authentication import Authentication
from canarium.api.base import NAMED, Duration, OpenObject, Part, ruled
from canarium.api.pod import PullSecret
from canarium.api.server import EnvVar
from canarium.api.smoke_tests import JsonExpectation

GateName = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


JobText = Annotated[str, Field(max_length=1024)]


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
    the gate, unless the condition is not met or the field `status` is `rejected` or `failed`.
    Without a condition, the body may be anything, also text that is not JSON. Any other answer is
    none.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "isURL(self.url)",
                "url must be a valid URL, such as https://risk.example.com/answer",
                ".url",
            ),
            (
                "!has(self.authentication) || !has(self.authentication.workloadIdentity)",
                "workloadIdentity applies only to checks: set secretName",
                ".authentication.workloadIdentity",
            ),
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


class JobFields(Part):
    """How the pod of a Job runs, besides its image."""

    command: list[JobText] | None = Field(
        None, max_length=64, description="Command. Default: the entrypoint of the image."
    )
    args: list[JobText] | None = Field(
        None, max_length=64, description="Arguments of the command. Default: those of the image."
    )
    env: list[EnvVar] | None = Field(
        None,
        max_length=64,
        description="Environment variables. The operator sets CANARIUM_MODEL, CANARIUM_NAMESPACE, "
        "CANARIUM_REVISION, CANARIUM_VERSION, CANARIUM_URI, CANARIUM_DIGEST, "
        "CANARIUM_CANDIDATE_URL and CANARIUM_STABLE_URL, except those without a value.",
        json_schema_extra=NAMED,
    )
    resources: OpenObject | None = Field(
        None, description="Requests and limits, as in a container."
    )
    service_account_name: str | None = Field(
        None,
        max_length=253,
        description="ServiceAccount of the pod. Default: the namespace's default one, without a "
        "token in the pod.",
    )
    run_as_user: int | None = Field(
        None,
        ge=1,
        le=2_147_483_647,
        description="User ID of the container, which must not be root. Default: that of the image.",
    )
    image_pull_secrets: list[PullSecret] | None = Field(
        None,
        max_length=16,
        description="Credentials for the registry of the image.",
        json_schema_extra=NAMED,
    )


class JobTemplate(JobFields):
    """A Job that the operator runs in the namespace of a model."""

    image: str = Field(max_length=1024, min_length=1, description="Container image of the Job.")


class JobGate(JobFields):
    """A decision by a Job that the operator runs in the namespace of the model.

    Exit code 0 passes the gate, any other fails the version. A Job that is lost before it ends, as
    by an eviction, is run again, at most three times in all. Fields beside modelGate replace those
    of the ModelGate, variables by their names.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "has(self.image) != has(self.modelGate)",
                "set exactly one of image and modelGate",
                ".image",
            )
        )
    )

    image: str | None = Field(
        None, max_length=1024, min_length=1, description="Container image of the Job."
    )
    model_gate: str | None = Field(
        None,
        max_length=63,
        min_length=1,
        description="Name of a ModelGate in the namespace, whose Job runs. A later change of the "
        "ModelGate does not affect a gate that waits already.",
    )


class Gate(Part):
    """A point at which the rollout waits for a positive result."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(has(self.approval) ? 1 : 0) + (has(self.web) ? 1 : 0) "
                "+ (has(self.job) ? 1 : 0) == 1",
                "set exactly one of approval, web and job",
                ".approval",
            ),
            (
                "(self.before == 'Weight') == has(self.weight)",
                "weight is required with before: Weight and applies only to it",
                ".weight",
            ),
            (
                "!has(self.onError) || has(self.timeout)",
                "onError applies only to a gate with a timeout: set timeout, or remove onError",
                ".onError",
            ),
            (
                "!has(self.timeout) || duration(self.timeout) >= duration('1s')",
                "timeout must be at least 1s",
                ".timeout",
            ),
            (
                "!has(self.job) || !has(self.timeout) || duration(self.timeout) >= duration('10s')",
                "timeout must be at least 10s with job, which has to start within it",
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
    job: JobGate | None = Field(None, description="The gate waits for a Job that succeeds.")
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
