"""The `ModelDeployment` as pydantic models: the CRD's schema and the reference come from here.

The operator reads a resource twice: as these models, for decisions, and as the raw object, for
identity (R1), since a model's dump would change whenever a default does. Nothing here has a
default inside a list item, because GitOps tools see such defaults as drift.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canarium.api.analysis import Analysis
from canarium.api.base import Duration, OpenObject, Part, Replicas
from canarium.api.gateway import Gateway
from canarium.api.istio import Istio
from canarium.api.pod import Pod
from canarium.api.server import Server
from canarium.api.smoke_tests import SmokeTest
from canarium.api.uri import uri_rules


class Credentials(Part):
    """What a model is fetched with."""

    secret_name: str = Field(
        max_length=253,
        min_length=1,
        description="A Secret of the model's namespace; its keys are those of the store, such as "
        "AWS_ACCESS_KEY_ID. Only the fetcher sees it, never the server.",
    )


Pattern = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^/]")]


class Model(Part):
    """What is served."""

    uri: str | None = Field(
        None,
        max_length=2048,
        description="Where the model lives: one file, an archive, or everything below a path. "
        "s3://bucket/path, gs://bucket/path, az://container/path, hf://owner/model@revision, "
        "http(s)://host/path, pvc://claim/path, oci://registry/repository:tag, or file:///path "
        "inside the server's image. A slash at the end changes nothing. "
        "Absent when the image carries the model where its runtime looks for it.",
        json_schema_extra={"x-kubernetes-validations": uri_rules()},
    )
    digest: str | None = Field(
        None,
        max_length=71,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="What the model must be: its content digest, or the SHA-256 of the one file "
        "at the URI. Absent: what the first pod of a version fetches is pinned for all others.",
    )
    endpoint: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
        description="Where the store answers, when it is not its usual address: an S3-compatible "
        "store, a mirror of the hub, or the http:// address of a registry without TLS.",
    )
    credentials: Credentials | None = Field(
        None, description="What the model is fetched with. Absent: the pod's service account."
    )
    allow_patterns: list[Pattern] | None = Field(
        None,
        max_length=64,
        description="Fetch only the files whose path below the URI matches one of these shell "
        'patterns, such as "*.safetensors" or "tokenizer/"; * matches slashes too. Absent: all. '
        "For hf, s3, gs, az, http and https; an archive is one file.",
    )
    ignore_patterns: list[Pattern] | None = Field(
        None,
        max_length=64,
        description='Do not fetch the files that match one of these patterns, such as "*.bin"; '
        "wins over allowPatterns.",
    )
    unpack: bool | None = Field(
        None, description="Whether an archive at the URI is unpacked; default true."
    )
    format: str | None = Field(
        None,
        max_length=63,
        description="The model's format, such as sklearn. Picks a runtime when "
        "spec.runtime names neither a runtime nor an image.",
    )
    format_version: str | None = Field(
        None,
        max_length=63,
        description="Version of the format, such as 1.7 of sklearn; narrows the choice of a "
        "runtime by format.",
    )
    version: str | None = Field(
        None, max_length=128, description="Your own word for this version; shown everywhere."
    )
    lineage: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=32,
        description="Where the model comes from (commit, run id …). Kept on the record; "
        "changing it makes no new revision.",
    )


class Runtime(Server):
    """The server: a runtime by name, a container of one's own, or one over the other."""

    name: str | None = Field(
        None,
        max_length=63,
        description="A ModelRuntime of this namespace, a ClusterModelRuntime, or a built-in "
        "runtime, looked for in this order.",
    )
    parameters: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=64,
        description="Values for the runtime's templates, as parameters.NAME; which there are is "
        "the runtime's to say.",
    )


class Resources(Part):
    """Requests and limits of the server's container."""

    requests: OpenObject | None = Field(
        None, description="What the scheduler sets aside, such as {cpu: 500m, memory: 1Gi}."
    )
    limits: OpenObject | None = Field(
        None, description="What the server may use at most, such as {nvidia.com/gpu: 1}."
    )


class Scaling(Part):
    """A fixed number of replicas, or bounds between which a HorizontalPodAutoscaler moves."""

    replicas: Replicas | None = Field(
        None,
        description="Fixed count; default 1. `kubectl scale` sets it; a HorizontalPodAutoscaler "
        "of your own that targets the model needs it to be set already.",
    )
    min_replicas: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="The autoscaler's lower bound; default 1. Needs maxReplicas."
    )
    max_replicas: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="The autoscaler's upper bound; makes a HorizontalPodAutoscaler."
    )
    metrics: list[OpenObject] | None = Field(
        None, max_length=16, description="As in autoscaling/v2; default 80 % of the CPU request."
    )
    behavior: OpenObject | None = Field(None, description="As in autoscaling/v2.")


class Traffic(Part):
    """How callers reach the model."""

    router: Literal["Service", "Gateway", "Istio"] | None = Field(
        None,
        description="Service (default): the split is by ready pods and by connection, on any "
        "cluster. Gateway: exact weights by request, for callers that come through a Gateway of "
        "the Gateway API. Istio: the same by a VirtualService. A change waits until rollout "
        "and bake are over.",
    )
    port: int | None = Field(None, ge=1, le=65535, description="Port of the Service; default 80.")
    gateway: Gateway | None = Field(
        None, description="The route of router Gateway: where callers come in, and how."
    )
    istio: Istio | None = Field(
        None, description="The route of router Istio: where callers come in, and how."
    )


class Step(Part):
    """A share of the traffic, and how long to hold it."""

    weight: Annotated[int, Field(ge=0, le=100)] = Field(
        description="Percent of the traffic that the candidate gets. 0, with a route: only "
        "requests with its header, and copies of the others where they are mirrored.",
    )
    pause: str | None = Field(
        None,
        max_length=32,
        pattern=r"^(Manual|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$",
        description="How long to hold this weight: a duration such as 5m, or Manual to wait for "
        "the promote command. Absent: go on as soon as the weight is in effect.",
    )


class Rollout(Part):
    """How a new version takes over."""

    strategy: Literal["Canary", "BlueGreen", "Recreate"] | None = Field(
        None,
        description="Canary (default): step by step. BlueGreen: all at once, beside the old "
        "version. Recreate: the old version goes first, for where only one fits.",
    )
    steps: list[Step] | None = Field(
        None,
        max_length=32,
        description="Rising weights of a canary; the last 100 is implicit.",
    )
    smoke_tests: list[SmokeTest] | None = Field(
        None,
        max_length=16,
        description="Requests that the operator sends to each ready pod of a new version. All "
        "have to be answered as expected before it gets any traffic.",
    )
    analysis: Analysis | None = Field(
        None, description="How a version is judged while it has traffic, and in the bake."
    )
    progress_deadline: Duration | None = Field(
        None, description="Time spent waiting for pods before the candidate fails; default 10m."
    )
    unschedulable_deadline: Duration | None = Field(
        None,
        description="How long a pod may find no node, of a version that never had all its pods; "
        "default 5m.",
    )
    bake_time: Duration | None = Field(
        None, description="How long the old version stays warm after promotion; default 10m."
    )
    scale_down_delay: Duration | None = Field(
        None,
        description="With router Gateway: how long pods live on after the gateway has taken their "
        "traffic off, for requests under way; default 30s.",
    )


class Spec(Part):
    """What is wanted."""

    model: Model = Field(description="What is served: where it is, its format and version.")
    runtime: Runtime | None = Field(
        None,
        description="The server: a built-in runtime by name, a container of your own, or one "
        "over the other. Absent: picked by model.format.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits of the server's container."
    )
    pod: Pod | None = Field(None, description="Where the pods run and what they are given.")
    pod_template: OpenObject | None = Field(
        None, description="Escape hatch: metadata and pod spec laid over what is rendered."
    )
    scaling: Scaling | None = Field(
        None, description="How many pods serve. Changing it makes no new revision."
    )
    traffic: Traffic | None = Field(
        None, description="How callers reach the model. Changing it makes no new revision."
    )
    rollout: Rollout | None = Field(
        None,
        description="How a new version takes over, what it must pass, and when it is taken back. "
        "Changing it makes no new revision.",
    )
    paused: bool | None = Field(None, description="Freezes steps and bake, never a rollback.")
    restart_token: str | None = Field(
        None, max_length=128, description="Change it to make a new revision of the same model."
    )
    revision_history_limit: int | None = Field(
        None,
        ge=1,
        le=100,
        description="How many retired revisions are kept to return to; default 10.",
    )
