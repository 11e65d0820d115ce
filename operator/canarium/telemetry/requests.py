"""Which verb and resource of the Kubernetes API a request is, from its method and path. Pure."""

from __future__ import annotations

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def of_request(method: str, path: str, *, watch: bool = False) -> tuple[str, str]:
    """`("patch", "deployments/scale")`; a path that belongs to no resource is `other`."""
    parts = path.strip("/").split("/")
    head = {"api": 2, "apis": 3}.get(parts[0])
    if head is None or len(parts) <= head:
        return method.lower(), "other"
    rest = parts[head:]
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource = "/".join(rest[::2])
    if method == "GET":
        verb = "watch" if watch else "get" if len(rest) > 1 else "list"
    else:
        verb = _VERBS.get(method, method.lower())
    return verb, resource
