"""Images that a node cannot pull: of the operator, of the fetcher, and of models."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.view.objects import items, part, text
from canarium_cli.doctor.facts import Facts
from canarium_cli.doctor.finding import Finding, ok, problem

SUBJECT = "images"
_FAULTS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Names every image that some pod waits for."""
    missing: dict[str, str] = {}
    pods = [*facts["operators"], *facts["pods"]]
    for pod in pods:
        status = part(pod, "status")
        for kind in ("initContainerStatuses", "containerStatuses"):
            for container in items(status, kind):
                waiting = part(part(container, "state"), "waiting")
                if text(waiting, "reason") in _FAULTS:
                    name = text(part(pod, "metadata"), "name")
                    where = f"pod/{name}: {text(waiting, 'reason')}"
                    missing.setdefault(text(container, "image"), where)
    for image, where in missing.items():
        advice = "Check the name, the registry and spec.podTemplate's imagePullSecrets"
        yield problem(SUBJECT, f"Image {image} cannot be pulled ({where})", advice)
    if pods and not missing:
        yield ok(SUBJECT, f"No image is missing in {len(pods)} pods")
