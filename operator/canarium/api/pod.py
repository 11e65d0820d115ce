"""Scheduling, identity and volumes of a model's pods: `spec.pod` of a `ModelDeployment`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canarium.api.base import NAMED, OpenObject, Part

Name = Annotated[str, Field(max_length=253)]


class Toleration(Part):
    """A taint that the pods tolerate."""

    key: Name | None = Field(
        None,
        description="Key of the taint. With operator Exists, leave it out to match every taint.",
    )
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="Operator of the toleration. Default: Equal."
    )
    value: Name | None = Field(None, description="Value of the taint, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. Default: every effect."
    )
    toleration_seconds: int | None = Field(
        None,
        ge=0,
        le=86_400,
        description="For effect NoExecute: how long the taint is tolerated, in seconds.",
    )


class Spread(Part):
    """How the pods of one revision are spread. The selector of its pods is added automatically."""

    topology_key: str = Field(
        max_length=317,
        description="Node label whose values are the topology domains, such as "
        "topology.kubernetes.io/zone.",
    )
    max_skew: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Maximum difference in the number of pods between two domains. Default: 1.",
    )
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] | None = Field(
        None,
        description="What to do if the constraint cannot be satisfied. Default: ScheduleAnyway.",
    )


class Volume(Part):
    """A volume and where it is mounted in the server."""

    name: str = Field(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the volume.",
    )
    mount_path: str = Field(
        max_length=1024, pattern=r"^/", description="Path of the mount in the server."
    )
    read_only: bool | None = Field(
        None, description="Whether the mount is read-only. Default: false."
    )
    source: OpenObject = Field(
        description="Source of the volume, as in a pod's volume without the name: for example "
        "{configMap: {name: labels}} or {persistentVolumeClaim: {claimName: cache}}.",
    )


class PullSecret(Part):
    """A Secret with the credentials of a registry."""

    name: Name = Field(description="Name of the Secret.")


class ResourceClaim(Part):
    """A claim of dynamic resource allocation (DRA), of each pod or shared by all."""

    name: str = Field(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the claim, for spec.resources.claims.",
    )
    resource_claim_template_name: Name | None = Field(
        None,
        description="Name of a ResourceClaimTemplate. Each pod gets its own devices.",
    )
    resource_claim_name: Name | None = Field(
        None,
        description="Name of a ResourceClaim. All pods share its devices, those of stable and "
        "candidate included, so they run where the devices are.",
    )


class PodSettings(Part):
    """Scheduling, identity and volumes of the pods. A change creates a new revision."""

    node_selector: dict[str, Name] | None = Field(
        None, max_length=64, description="Labels that a node must have."
    )
    tolerations: list[Toleration] | None = Field(
        None, max_length=64, description="Taints that the pods tolerate."
    )
    affinity: OpenObject | None = Field(None, description="Affinity as in a pod.")
    topology_spread: list[Spread] | None = Field(
        None,
        max_length=8,
        description="How the pods of a revision are spread over nodes. Default: over zones, then "
        "nodes, as a preference (ScheduleAnyway). An empty list leaves it to the scheduler.",
    )
    priority_class_name: Name | None = Field(
        None,
        description="Name of a PriorityClass, which decides which pods are preempted when "
        "resources are scarce.",
    )
    runtime_class_name: Name | None = Field(
        None, description="Name of a RuntimeClass, such as nvidia if GPUs require one."
    )
    service_account_name: Name | None = Field(
        None,
        description="ServiceAccount of the pods. Default: the namespace's default one, without a "
        "token in the pod.",
    )
    image_pull_secrets: list[PullSecret] | None = Field(
        None,
        max_length=16,
        description="Credentials for the registries of the images.",
        json_schema_extra=NAMED,
    )
    volumes: list[Volume] | None = Field(
        None,
        max_length=32,
        description="Additional volumes of the server.",
        json_schema_extra=NAMED,
    )
    resource_claims: list[ResourceClaim] | None = Field(
        None,
        max_length=32,
        description="Devices of dynamic resource allocation (DRA) that the pods claim. The server "
        "uses those in spec.resources.claims.",
        json_schema_extra=NAMED,
    )
    run_as_user: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="User id of the server. Required if the image sets no user or root, because "
        "pods must not run as root.",
    )
    run_as_group: int | None = Field(
        None, ge=0, le=2**31 - 1, description="Group id of the server."
    )
    fs_group: int | None = Field(
        None, ge=0, le=2**31 - 1, description="Group that owns the volumes."
    )
    termination_grace_period_seconds: int | None = Field(
        None,
        ge=6,
        le=3600,
        description="Seconds that a pod has to finish its last requests. Default: 35, of which "
        "the first 5 are reserved for the endpoints to change.",
    )
