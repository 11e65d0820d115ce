"""Paths of the API server."""

from __future__ import annotations

from urllib.parse import quote

from canarium import GROUP

_GROUP = f"/apis/{GROUP}/v1alpha1"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
#: Kinds that a model page shows, each with the path of its list in a namespace.
CHILDREN = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Pod": "/api/v1/namespaces/{}/pods",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Service": "/api/v1/namespaces/{}/services",
    "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions",
}
#: Kinds of routes, each with the path of its list in a namespace.
ROUTES = {
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "GRPCRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/grpcroutes",
    "VirtualService": "/apis/networking.istio.io/v1/namespaces/{}/virtualservices",
}
NAMESPACES = "/api/v1/namespaces"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CLUSTER_RUNTIMES = f"{_GROUP}/clustermodelruntimes"
RUNTIMES = f"{_GROUP}/modelruntimes"


def models(namespace: str = "") -> str:
    """Returns the path of the models of a namespace, or of all."""
    where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{_GROUP}{where}/modeldeployments"


def model(namespace: str, name: str) -> str:
    """Returns the path of a model."""
    return f"{models(namespace)}/{quote(name, safe='')}"


def children(kind: str, namespace: str) -> str:
    """Returns the path of the objects of a kind of `CHILDREN` in a namespace."""
    return CHILDREN[kind].format(quote(namespace, safe=""))


def route(kind: str, namespace: str, name: str) -> str:
    """Returns the path of a route of a kind of `ROUTES`."""
    return f"{ROUTES[kind].format(quote(namespace, safe=''))}/{quote(name, safe='')}"


def events(namespace: str) -> str:
    """Returns the path of the Events of a namespace."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/events"


def log(namespace: str, pod: str) -> str:
    """Returns the path of the log of a pod."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"


def runtimes(namespace: str) -> str:
    """Returns the path of the ModelRuntimes of a namespace."""
    return f"{_GROUP}/namespaces/{quote(namespace, safe='')}/modelruntimes"


def records(namespace: str = "") -> str:
    """Returns the path of the ControllerRevisions of a namespace, or of all."""
    if namespace:
        return children("ControllerRevision", namespace)
    return "/apis/apps/v1/controllerrevisions"
