"""The `ModelDeployment` as pydantic models: the CRD's schema and the reference come from here.

The operator reads a resource twice: as these models, for decisions, and as the raw object, for
identity (R1), since a model's dump would change whenever a default does. Nothing here has a
default inside a list item, because GitOps tools see such defaults as drift.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canarium.api.analysis import Analysis
from canarium.api.base import NAMED, Duration, OpenObject, Part, Replicas, ScalingMetric
from canarium.api.disruption_budget import DisruptionBudget
from canarium.api.gates import Gate
from canarium.api.gateway import GatewayRouting
from canarium.api.istio import IstioRouting
from canarium.api.notifications import Notifications
from canarium.api.pod import PodSettings
from canarium.api.server import Server
from canarium.api.smoke_tests import SmokeTest
from canarium.api.uri import uri_rules
from canarium.api.verification import Verify


class CredentialsSecret(Part):
    """Credentials for fetching the model."""

    secret_name: str = Field(
        max_length=253,
        min_length=1,
        description="Name of a Secret in the model's namespace. Its keys depend on the store, "
        "such as AWS_ACCESS_KEY_ID. Only the fetcher can read it, never the server.",
    )


class RegistryCredentials(Part):
    """Credentials for writing to a registry."""

    secret_name: str = Field(
        max_length=253,
        min_length=1,
        description="Name of a Secret in the model's namespace with MLFLOW_TRACKING_TOKEN, or "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. Only the operator reads it, and "
        "no pod gets it.",
    )


class Follow(Part):
    """How the operator follows a reference that moves."""

    interval: Duration | None = Field(
        None,
        description="How often the operator asks the registry what the uri names: 30s to 24h. "
        "Default: 2m. Models of a namespace with the same uri, endpoint and credentials share the "
        "requests.",
    )


class WriteBack(Part):
    """How the outcomes of rollouts are written to the registry."""

    credentials: RegistryCredentials | None = Field(
        None,
        description="Credentials that may write tags. Default: those of spec.model.credentials, "
        "which then have to allow it.",
    )


Pattern = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^/]")]


class Model(Part):
    """The model to serve."""

    uri: str | None = Field(
        None,
        max_length=2048,
        description="Location of the model: a file, an archive, or everything below a path. One "
        "of s3://bucket/path, gs://bucket/path, az://container/path, "
        "hf://owner/model@revision, http(s)://host/path, pvc://claim/path, "
        "oci://registry/repository:tag, mlflow://model/version, mlflow://model@alias, "
        "mlflow://runs/ID/path, or file:///path inside the server's image. A "
        "trailing slash has no effect. Leave it out if the image contains the model "
        "where its runtime expects it.",
        json_schema_extra={"x-kubernetes-validations": uri_rules()},
    )
    digest: str | None = Field(
        None,
        max_length=71,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="Expected content digest of the model, or the SHA-256 of the single file at "
        "the URI. Default: the digest that the first pod of a version fetches is "
        "pinned for all other pods.",
    )
    endpoint: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
        description="Address of the store if it is not the usual one: an S3-compatible store, a "
        "mirror of the hub, or the http:// address of a registry without TLS. Required for mlflow: "
        "the address of the tracking server.",
    )
    credentials: CredentialsSecret | None = Field(
        None,
        description="Credentials for fetching the model. Default: the identity of the pod's"
        " ServiceAccount.",
    )
    verify: Verify | None = Field(
        None,
        description="Verifies the signature of the model (OpenSSF model signing, made with a key "
        "or a certificate) before its server starts. Every file of the model must be signed, "
        "except the signature. Absent: signatures are ignored. Changing it creates a new revision.",
    )
    follow: Follow | None = Field(
        None,
        description="Rolls out what the uri names, whenever that moves, as a change of the spec. "
        "Requires a uri that can move: mlflow://model@alias, a branch or tag of hf://, or a tag of "
        "oci://. Absent: it is resolved only when a revision is created. Changing it creates no "
        "new revision.",
    )
    write_back: WriteBack | None = Field(
        None,
        description="Writes the outcome of each rollout to the registry, as the tag "
        "canarium.dev/CLUSTER.NAMESPACE.NAME of the model version: Promoted, Replaced, RolledBack "
        "or Failed. Requires a uri such as mlflow://model@alias or mlflow://model/version, and a "
        "name of the cluster in the operator's options. Absent: nothing is written. Changing it "
        "creates no new revision.",
    )
    allow_patterns: list[Pattern] | None = Field(
        None,
        max_length=64,
        description="Fetch only files whose path below the URI matches one of these shell "
        'patterns, such as "*.safetensors" or "tokenizer/"; * also matches slashes. '
        "Default: all files. Supported for hf, s3, gs, az, mlflow, http and https; an archive"
        " is one file.",
    )
    ignore_patterns: list[Pattern] | None = Field(
        None,
        max_length=64,
        description='Do not fetch files that match one of these patterns, such as "*.bin". Takes '
        "precedence over allowPatterns.",
    )
    unpack: bool | None = Field(
        None, description="Whether to unpack an archive at the URI. Default: true."
    )
    format: str | None = Field(
        None,
        max_length=63,
        description="Format of the model, such as sklearn. Selects a runtime if spec.runtime "
        "names neither a runtime nor an image.",
    )
    format_version: str | None = Field(
        None,
        max_length=63,
        description="Version of the format, such as 1.7 of sklearn. Narrows the selection of a "
        "runtime by format.",
    )
    version: str | None = Field(
        None,
        max_length=128,
        description="Your name for this version. Shown in status, messages and Events. Default: "
        "the number of a version of a registry (mlflow).",
    )
    lineage: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=32,
        description="Origin of the model (commit, run id …). Stored with the revision; changing "
        "it creates no new revision.",
    )


class Runtime(Server):
    """The server: a runtime by name, a container, or a runtime with overrides."""

    name: str | None = Field(
        None,
        max_length=63,
        description="Name of a ModelRuntime in this namespace, a ClusterModelRuntime, or a built-"
        "in runtime, searched in this order.",
    )
    parameters: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=64,
        description="Values for the templates of the runtime, as parameters.NAME. The runtime "
        "defines which names it uses.",
    )


class UsedClaim(Part):
    """A claim of `spec.pod.resourceClaims` that the server's container uses."""

    name: str = Field(max_length=63, description="Name of the claim in spec.pod.resourceClaims.")
    request: str | None = Field(
        None,
        max_length=63,
        description="Name of a request in the claim. Default: all its requests.",
    )


class Resources(Part):
    """Requests, limits and claims of the server's container."""

    requests: OpenObject | None = Field(
        None, description="Resources that the scheduler reserves, such as {cpu: 500m, memory: 1Gi}."
    )
    limits: OpenObject | None = Field(
        None, description="Maximum resources of the server, such as {nvidia.com/gpu: 1}."
    )
    claims: list[UsedClaim] | None = Field(
        None,
        max_length=32,
        description="Devices of dynamic resource allocation (DRA) that the server uses. Each claim "
        "has to be in spec.pod.resourceClaims. Requires Kubernetes 1.34 or newer and a DRA driver.",
        json_schema_extra=NAMED,
    )


class Scaling(Part):
    """A fixed number of replicas, or bounds for a HorizontalPodAutoscaler."""

    replicas: Replicas | None = Field(
        None,
        description="Fixed number of pods. Default: 1. `kubectl scale` sets it. Set it before "
        "pointing your own HorizontalPodAutoscaler at the model.",
    )
    min_replicas: Replicas | None = Field(
        None,
        description="Lower bound of the autoscaler. Default: 1. Requires maxReplicas. 0 lets it "
        "scale to zero; that requires a metric of type Object or External, and Kubernetes 1.37 or "
        "the feature gate HPAScaleToZero.",
    )
    max_replicas: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Upper bound of the autoscaler. Creates a HorizontalPodAutoscaler."
    )
    metrics: list[ScalingMetric] | None = Field(
        None,
        max_length=16,
        description="Metrics as in autoscaling/v2. Default: 80 % of the CPU request.",
    )
    behavior: OpenObject | None = Field(None, description="Scaling behavior as in autoscaling/v2.")


class Traffic(Part):
    """How callers reach the model."""

    router: Literal["Service", "Gateway", "Istio"] | None = Field(
        None,
        description="How traffic is split. Service (default): by ready pods and per connection, "
        "in any cluster. Gateway: exact weights per request, for callers that use a "
        "Gateway of the Gateway API. Istio: the same with a VirtualService. A change "
        "takes effect once no rollout or bake is in progress.",
    )
    port: int | None = Field(None, ge=1, le=65535, description="Port of the Service. Default: 80.")
    distribution: Literal["PreferSameZone"] | None = Field(
        None,
        description="PreferSameZone keeps requests in the zone of the caller as long as a pod "
        "there is ready (the trafficDistribution of the Services). With router Service, it is "
        "suspended while two versions share the traffic, because the callers of one zone would "
        "not reach both. Default: requests are spread over all zones.",
    )
    gateway: GatewayRouting | None = Field(
        None,
        description="Settings of router Gateway: the Gateways, hostnames and paths of the route.",
    )
    istio: IstioRouting | None = Field(
        None, description="Settings of router Istio: the gateways, hosts and paths of the route."
    )


class RolloutStep(Part):
    """A share of the traffic and how long to keep it."""

    weight: Annotated[int, Field(ge=0, le=100)] = Field(
        description="Percentage of the traffic that the candidate receives. With a route, 0 means"
        " only requests with the candidate's header, and mirrored requests if "
        "mirroring is enabled.",
    )
    pause: str | None = Field(
        None,
        max_length=32,
        pattern=r"^(Manual|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$",
        description="How long to keep this weight: a duration such as 5m, or Manual to wait for "
        "the promote command. Default: continue as soon as the weight is effective.",
    )


class Rollout(Part):
    """How a new version is rolled out."""

    strategy: Literal["Canary", "BlueGreen", "Recreate"] | None = Field(
        None,
        description="Canary (default): step by step. BlueGreen: start the new version next to the"
        " old one and switch at once. Recreate: scale the old version down first, for"
        " clusters with room for only one.",
    )
    steps: list[RolloutStep] | None = Field(
        None,
        max_length=32,
        description="Increasing weights of a canary. The final 100 is implicit.",
    )
    smoke_tests: list[SmokeTest] | None = Field(
        None,
        max_length=16,
        description="Requests that the operator sends to each ready pod of a new version. Every "
        "response must be as expected before the version receives traffic.",
    )
    analysis: Analysis | None = Field(
        None, description="How a version is judged while it receives traffic and during the bake."
    )
    gates: list[Gate] | None = Field(
        None,
        max_length=8,
        json_schema_extra=NAMED,
        description="Points at which the rollout waits for a positive result from outside.",
    )
    progress_deadline: Duration | None = Field(
        None,
        description="How long the rollout may wait for pods before the candidate fails. "
        "Pauses do not count. Default: 10m, longer if the runtime has a "
        "startupBudget.",
    )
    unschedulable_deadline: Duration | None = Field(
        None,
        description="How long a pod may stay unschedulable before the candidate fails. Ignored "
        "once the revision has reached full capacity. Default: 5m.",
    )
    bake_time: Duration | None = Field(
        None,
        description="How long the previous version stays warm after a promotion. Default: 10m.",
    )
    scale_down_delay: Duration | None = Field(
        None,
        description="How long pods keep running after their weight was set to 0, for requests in "
        "flight. Applies to routers Gateway and Istio. Default: 30s.",
    )


class Spec(Part):
    """Desired state of the model."""

    model: Model = Field(description="The model to serve: its location, format and version.")
    runtime: Runtime | None = Field(
        None,
        description="The server: a runtime by name, your own container, or a runtime with "
        "overrides. Default: selected by model.format.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits of the server's container."
    )
    pod: PodSettings | None = Field(
        None, description="Scheduling, identity and volumes of the pods."
    )
    pod_template: OpenObject | None = Field(
        None,
        description="Escape hatch: metadata and pod spec that are merged over the rendered "
        "pod template.",
    )
    scaling: Scaling | None = Field(
        None, description="Number of pods. Changing it creates no new revision."
    )
    pod_disruption_budget: DisruptionBudget | None = Field(
        None,
        description="How many pods of a version an eviction may take, as by the drain of a node. "
        "Changing it creates no new revision.",
    )
    traffic: Traffic | None = Field(
        None, description="How callers reach the model. Changing it creates no new revision."
    )
    rollout: Rollout | None = Field(
        None,
        description="How a new version is rolled out, what it must pass, and when it is rolled "
        "back. Changing it creates no new revision.",
    )
    notifications: Notifications | None = Field(
        None,
        description="What the sinks of the notifier report about this model, and in which words. "
        "Changing it creates no new revision.",
    )
    paused: bool | None = Field(None, description="Pauses steps and bake, but never a rollback.")
    restart_token: str | None = Field(
        None,
        max_length=128,
        description="Change this value to create a new revision of the same model.",
    )
    revision_history_limit: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Number of old revisions to keep for a rollback. Default: 10.",
    )
