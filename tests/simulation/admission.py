"""What the API server rejects and fills in, as far as an operator can run into it."""

from __future__ import annotations

from pydantic import ValidationError

from canarium.api.model_deployment import Spec
from canarium.api.status import Status
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from simulation.fields import Object


def check(resource: Resource, before: Object | None, after: Object) -> None:
    """Raises ApiError 422 for what the real one calls invalid."""
    if resource is resources.RECORDS and before and before.get("data") != after.get("data"):
        raise _invalid("data: field is immutable")
    if resource is resources.DEPLOYMENTS:
        selector = after["spec"]["selector"]
        if before and before["spec"]["selector"] != selector:
            raise _invalid("spec.selector: field is immutable")
        labels = after["spec"]["template"]["metadata"].get("labels", {})
        if not selector["matchLabels"].items() <= labels.items():
            raise _invalid("spec.template.metadata.labels: `selector` does not match")
        if after["spec"].get("replicas", 1) < 0:
            raise _invalid("spec.replicas: must be greater than or equal to 0")
        for container in after["spec"]["template"]["spec"]["containers"]:
            if not container.get("image"):
                raise _invalid("spec.template.spec.containers[0].image: Required value")
    if resource is resources.MODELS:
        # The CRD's schema is generated from these very models.
        try:
            Spec.model_validate(after["spec"])
            Status.model_validate(after.get("status") or {})
        except ValidationError as error:
            raise _invalid(str(error)) from error
    if resource is resources.AUTOSCALERS:
        low, high = after["spec"].get("minReplicas", 1), after["spec"]["maxReplicas"]
        if not 0 <= low <= high:
            raise _invalid(f"spec.maxReplicas: {high} must not be under minReplicas {low}")
        metrics = after["spec"].get("metrics") or ()
        if low == 0 and all(m.get("type") not in ("Object", "External") for m in metrics):
            raise _invalid("spec.metrics: must specify at least one Object or External metric")


def default(resource: Resource, body: Object) -> None:
    """Fills in what a creation left out."""
    if resource is resources.DEPLOYMENTS:
        body["spec"].setdefault("replicas", 1)


def _invalid(text: str) -> ApiError:
    return ApiError(422, "Invalid", text)
