"""What single pods of a revision show: a failed fetch, other bytes, something that never starts."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.reasons import FailureReason, ObstacleReason
from canarium.api.server import FETCH_CONTAINER
from canarium.core.facts.pods import UNSCHEDULABLE_TEXT, Pod
from canarium.core.health.cause import Cause
from canarium.core.health.containers import (
    exited,
    fetch_failure,
    misconfigured,
    not_created,
    not_pulled,
)

_LACKS: dict[str, str] = {
    FailureReason.IMAGE_PULL_FAILED: "its image cannot be pulled",
    FailureReason.CONFIG_ERROR: "a ConfigMap, Secret or other container configuration is missing "
    "or invalid",
}
_NO_SOURCE = "the Secret, ConfigMap or PersistentVolumeClaim of a volume does not exist"


def unfetched(pods: Iterable[Pod]) -> Cause | None:
    """Returns the first pod whose model could not be fetched, and why."""
    for pod in pods:
        for container in pod.containers:
            failure = fetch_failure(container) if container.name == FETCH_CONTAINER else None
            if failure and container.init and not pod.terminating:
                return Cause(*failure, pod.name, container.name)
    return None


def fetching(pods: Iterable[Pod]) -> str | None:
    """Returns the first unready pod, if it is downloading its model."""
    late = next((pod for pod in pods if not pod.ready and not pod.terminating), None)
    runs = late and any(c.init and c.name == FETCH_CONTAINER and c.started for c in late.containers)
    return late.name if late and runs else None


def changed(pods: Iterable[Pod], artifact: str | None) -> Cause | None:
    """Returns the first pod whose digest differs from the `artifact` of its revision's record.

    Pods are pinned to the digest of the first one, but a pod that started before the pin was
    written may find other content at the URI.
    """
    for pod in pods:
        if artifact and pod.artifact and pod.artifact != artifact and not pod.terminating:
            text = f"the pod fetched {pod.artifact}, but this revision serves {artifact}: the "
            return Cause(
                FailureReason.ARTIFACT_CHANGED,
                f"{text}content at its URI changed",
                pod.name,
                FETCH_CONTAINER,
            )
    return None


def unstarted(pods: Iterable[Pod]) -> Cause | None:
    """Returns the first pod that could never start, and why: no node, image, configuration
    or source of a volume.

    The text does not change while the cause is the same.
    """
    for pod in pods:
        if pod.terminating or pod.disrupted or any(exited(c) for c in pod.containers):
            continue
        if pod.unschedulable_since is not None:
            return Cause(FailureReason.UNSCHEDULABLE, UNSCHEDULABLE_TEXT, pod.name)
        if pod.scheduling_gated:
            return Cause(ObstacleReason.SCHEDULING_GATED, "the pod has a scheduling gate", pod.name)
        if pod.trouble is not None and pod.trouble.missing and not pod.ready:
            return Cause(FailureReason.CONFIG_ERROR, _NO_SOURCE, pod.name)
        for c in pod.containers:
            fault = not_pulled(c) or misconfigured(c) or not_created(c)
            if fault:
                return Cause(fault[0], _LACKS[fault[0]], pod.name, c.name)
    return None
