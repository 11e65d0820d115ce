"""Reasons that lie in the cluster: pods that cannot start, writes that are rejected, an invalid
spec."""

from __future__ import annotations

from canarium.api.reasons.base import Reason

_HOLDS = "Holds the rollout; the progress deadline is paused."
_COUNTS = "Counts the progress deadline."
_KEEPS = "Keeps the promoted version serving and tries again every 30 s."


class ObstacleReason(Reason):
    """Why pods do not start (condition `PodsBlocked`)."""

    POD_CREATION_FAILED = (
        "PodCreationFailed",
        "A quota, a policy, a webhook, a LimitRange or Pod Security rejects the pods.",
        _HOLDS,
        "Free or raise the quota, or change the policy.",
    )
    VOLUME_UNAVAILABLE = (
        "VolumeUnavailable",
        "A volume cannot be attached or mounted, though its Secret or ConfigMap exists.",
        _HOLDS,
        "Check the volume and its driver.",
    )
    VOLUME_SOURCE_MISSING = (
        "VolumeSourceMissing",
        "The Secret or ConfigMap of a volume does not exist.",
        "Fails the version with `ConfigError`.",
        "Create it, then fix the spec or retry.",
    )
    POD_SANDBOX_FAILED = (
        "PodSandboxFailed",
        "The sandbox, network or devices of a pod cannot be set up.",
        _HOLDS,
        "Check the node and its network plugin.",
    )
    IMAGE_UNAVAILABLE = (
        "ImageUnavailable",
        "An image cannot be pulled that another pod of the version runs.",
        _HOLDS,
        "Check the registry.",
    )
    MODEL_UNAVAILABLE = (
        "ModelUnavailable",
        "The model cannot be fetched now, though another pod of the version has it.",
        _HOLDS,
        "Check the model store and the disk of the node.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        "No node has room for a pod.",
        "Counts `rollout.unschedulableDeadline`.",
        "Lower `spec.resources`, or add nodes.",
    )
    SCHEDULING_GATED = (
        "SchedulingGated",
        "A scheduling gate, such as of a queue, keeps a pod from being scheduled.",
        _COUNTS,
        "Check the controller of the gate.",
    )
    SIDECAR_FAILED = (
        "SidecarFailed",
        "A sidecar of the pod exits or cannot start.",
        _COUNTS,
        "Check the sidecar's log.",
    )
    INIT_CONTAINER_FAILED = (
        "InitContainerFailed",
        "An init container of the pod fails.",
        _COUNTS,
        "Check the init container's log.",
    )


class RejectionReason(Reason):
    """Who rejects a write (`status.rejectedWrites`, condition `WritesRejected`)."""

    ADMISSION_DENIED = (
        "AdmissionDenied",
        "An admission webhook or policy rejects the object.",
        _KEEPS,
        "Change the policy, or the spec.",
    )
    CONTESTED = (
        "Contested",
        "Another client keeps changing the same fields.",
        "Restores the fields every 30 s.",
        "Stop that client, or change the spec.",
    )
    FORBIDDEN = (
        "Forbidden",
        "The operator lacks a permission, or Pod Security rejects the object.",
        _KEEPS,
        "Grant the permission.",
    )
    INVALID = (
        "InvalidSpec",
        "The API server rejects the object as invalid.",
        _KEEPS,
        "Fix the field that the message names.",
    )
    NAME_CONFLICT = (
        "NameConflict",
        "An object of the same name exists and is not controlled by this model.",
        "Leaves the object untouched.",
        "Delete the object, or hand it over with `canarium.dev/adopt`.",
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "A ResourceQuota of the namespace is exhausted.",
        _KEEPS,
        "Raise the quota.",
    )
    WEBHOOK_FAILED = (
        "WebhookFailed",
        "The API server could not call an admission webhook.",
        _KEEPS,
        "Repair the webhook, or its `failurePolicy`.",
    )


class SpecReason(Reason):
    """Why a version cannot be made from the spec (phase `Invalid`)."""

    UNKNOWN_RUNTIME = (
        "UnknownRuntime",
        "No runtime has the name in `spec.runtime.name`.",
        _KEEPS,
        "Fix the name, or create the runtime.",
    )
    UNKNOWN_FORMAT = (
        "UnknownFormat",
        "No runtime serves `spec.model.format`.",
        _KEEPS,
        "Name a runtime in `spec.runtime.name`.",
    )
    AMBIGUOUS_FORMAT = (
        "AmbiguousFormat",
        "More than one runtime serves `spec.model.format`.",
        _KEEPS,
        "Name one in `spec.runtime.name`.",
    )
    NO_IMAGE = (
        "NoImage",
        "Neither the runtime nor the spec names the server's image.",
        _KEEPS,
        "Set `spec.runtime.image`.",
    )
    NO_READINESS_PROBE = (
        "NoReadinessProbe",
        "The server has no readiness probe, so it is unknown when the model is loaded.",
        _KEEPS,
        "Set `spec.runtime.readiness`.",
    )
    NO_FETCHER = (
        "NoFetcher",
        "The operator has no image that fetches models.",
        _KEEPS,
        "Set the fetcher's image in the chart.",
    )
    UNUSED_ENDPOINT = (
        "UnusedEndpoint",
        "The credentials name an endpoint that the model's URI does not use.",
        _KEEPS,
        "Remove the endpoint.",
    )
    UNKNOWN_SCHEME = (
        "UnknownScheme",
        "The scheme of `spec.model.uri` is not supported.",
        _KEEPS,
        "Fix the URI.",
    )
    INVALID_URI = (
        "InvalidUri",
        "`spec.model.uri` is not a valid URI for its scheme.",
        _KEEPS,
        "Fix the URI.",
    )
    SOURCE_UNRESOLVED = (
        "SourceUnresolved",
        "The registry has not yet answered what `spec.model.uri` names.",
        _KEEPS,
        "Check that the operator reaches the registry.",
    )
    SOURCE_NOT_FOUND = (
        "SourceNotFound",
        "The registry has no model, or no ready version of it, under the alias, branch or tag in "
        "`spec.model.uri`.",
        _KEEPS,
        "Set the alias, branch or tag in the registry, or fix the URI.",
    )
    SOURCE_ACCESS_DENIED = (
        "SourceAccessDenied",
        "The registry or its token service denies access, or the Secret or ConfigMap that the "
        "operator needs for a request cannot be read or used.",
        _KEEPS,
        "Fix what the message names: the Secret in `spec.model.credentials`, the ConfigMap of "
        "`fetch.ca`, or the operator's right to read Secrets. Or name a digest, a commit or a "
        "version in `spec.model.uri`.",
    )
    SOURCE_UNAVAILABLE = (
        "SourceUnavailable",
        "The operator gets no usable answer from the registry of the model: that in "
        "`spec.model.endpoint`, else the one that `spec.model.uri` implies.",
        _KEEPS,
        "Check the registry, and that the operator reaches it.",
    )
    TEMPLATE_INVALID = (
        "TemplateInvalid",
        "A template of the runtime cannot be rendered.",
        _KEEPS,
        "Fix the runtime.",
    )
    TEMPLATE_TOO_LARGE = (
        "TemplateTooLarge",
        "A template of the runtime is too long, or renders too much.",
        _KEEPS,
        "Shorten the template.",
    )
    TEMPLATE_UNBOUNDED = (
        "TemplateUnbounded",
        "A template of the runtime uses a construct that is not allowed.",
        _KEEPS,
        "Use the filters and tests that the message lists.",
    )
