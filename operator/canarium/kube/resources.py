"""API paths of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind by group ("" is core), version and plural."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Returns the URL path of the collection, one object, or its subresource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)

    def part(self, subresource: str | None) -> str:
        """Returns the name of the resource, or of a subresource, as roles and metrics have it."""
        return f"{self.plural}/{subresource}" if subresource else self.plural


def namespace_of(path: str) -> str:
    """Returns the namespace in the path of a request; "" for an object of the cluster."""
    return path.partition("/namespaces/")[2].partition("/")[0]


DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
RECORDS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GRPC_ROUTES = Resource("gateway.networking.k8s.io", "v1", "grpcroutes", "GRPCRoute")
GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
GATEWAY_CLASSES = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass")
VIRTUAL_SERVICES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
RUNTIMES = Resource("canarium.dev", "v1alpha1", "modelruntimes", "ModelRuntime")
CLUSTER_RUNTIMES = Resource(
    "canarium.dev", "v1alpha1", "clustermodelruntimes", "ClusterModelRuntime"
)
CHECK_TEMPLATES = Resource("canarium.dev", "v1alpha1", "checktemplates", "CheckTemplate")
CLUSTER_CHECK_TEMPLATES = Resource(
    "canarium.dev", "v1alpha1", "clusterchecktemplates", "ClusterCheckTemplate"
)
MODEL_GATES = Resource("canarium.dev", "v1alpha1", "modelgates", "ModelGate")
MODELS = Resource("canarium.dev", "v1alpha1", "modeldeployments", "ModelDeployment")
