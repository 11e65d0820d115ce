"""Where a model's pods run and what they are given: `spec.pod` of a `ModelDeployment`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canarium.api.base import NAMED, OpenObject, Part

Name = Annotated[str, Field(max_length=253)]


class Toleration(Part):
    """A taint that the pods tolerate."""

    key: Name | None = Field(None, description="Key of the taint; absent with Exists: every one.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Default Equal.")
    value: Name | None = Field(None, description="Value of the taint, with Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; absent: every one."
    )
    toleration_seconds: int | None = Field(
        None, ge=0, le=86_400, description="With NoExecute: how long it is tolerated."
    )


class Spread(Part):
    """How the pods of one revision are spread; the selector of its pods is added by itself."""

    topology_key: str = Field(
        max_length=317,
        description="Label of nodes whose values are the places, such as "
        "topology.kubernetes.io/zone.",
    )
    max_skew: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="By how many pods two places may differ; default 1.",
    )
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] | None = Field(
        None, description="Default ScheduleAnyway."
    )


class Volume(Part):
    """A volume and where the server sees it."""

    name: str = Field(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the volume.",
    )
    mount_path: str = Field(max_length=1024, pattern=r"^/", description="Where the server sees it.")
    read_only: bool | None = Field(None, description="Default false.")
    source: OpenObject = Field(
        description="What it is, as in a pod's volume without the name: for example "
        "{configMap: {name: labels}} or {persistentVolumeClaim: {claimName: cache}}.",
    )


class PullSecret(Part):
    """A Secret with the credentials of a registry."""

    name: Name = Field(description="Name of the Secret.")


class Pod(Part):
    """Where the pods run and what they are given. A change makes a new revision."""

    node_selector: dict[str, Name] | None = Field(
        None, max_length=64, description="Labels that a node must have."
    )
    tolerations: list[Toleration] | None = Field(
        None, max_length=64, description="Taints that the pods tolerate."
    )
    affinity: OpenObject | None = Field(None, description="As in a pod.")
    topology_spread: list[Spread] | None = Field(
        None, max_length=8, description="How the pods of a revision are spread over nodes."
    )
    priority_class_name: Name | None = Field(
        None, description="A PriorityClass: who goes when there is no room for all."
    )
    runtime_class_name: Name | None = Field(
        None, description="A RuntimeClass, such as nvidia where GPUs need one."
    )
    service_account_name: Name | None = Field(
        None,
        description="Identity of the pods. Absent: the namespace's default one, with no token "
        "in the pod.",
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
        description="Volumes of the server, besides the model's own.",
        json_schema_extra=NAMED,
    )
    run_as_user: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="User id of the server; needed where the image names none or root, since "
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
        description="How long a pod may take to end its last requests; default 35, of which the "
        "first 5 are for the endpoints to change.",
    )
