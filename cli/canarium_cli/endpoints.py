"""The pods of a model that may be sent a request, and the port of their server."""

from __future__ import annotations

from canarium.api.defaults import SERVER_PORT
from canarium.view.objects import Objects, Raw, items, number, part, text

_SERVER = "server"


def is_ready(pod: Raw) -> bool:
    """Returns whether a pod takes requests."""
    conditions = items(part(pod, "status"), "conditions")
    ready = any(text(x, "type") == "Ready" and text(x, "status") == "True" for x in conditions)
    return ready and not text(part(pod, "metadata"), "deletionTimestamp")


def port_of(pod: Raw) -> int:
    """Returns the port of the model server."""
    containers = items(part(pod, "spec"), "containers")
    server = next((x for x in containers if text(x, "name") == _SERVER), next(iter(containers), {}))
    ports = items(server, "ports")
    http = next((x for x in ports if text(x, "name") == "http"), next(iter(ports), {}))
    return number(http, "containerPort") or SERVER_PORT


def ready_endpoints(objects: Objects, service: Raw) -> dict[str, int]:
    """Returns the ready pods that a Service selects, by name, with the port of their server."""
    selector = part(service, "spec", "selector")
    return {
        text(part(pod, "metadata"), "name"): port_of(pod)
        for pod in objects.pods
        if selector
        and selector.items() <= part(pod, "metadata", "labels").items()
        and is_ready(pod)
    }
