"""What stands for the gateway in the cluster, and how its parts are started. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.nodefiles import NODE_ADDRESS

NAMESPACE, NAME, CLASS = "gateway", "public", "contour"
#: Listener of the Gateway → its port; Contour has Envoy listen 8,000 above it.
LISTENERS = {"http": 80, "closed": 81}
XDS_PORT, STATS_PORT = 8001, 8002
_ABOVE = 8000

#: Gateway API's kinds of the standard channel.
KINDS = tuple(
    f"{name}.gateway.networking.k8s.io"
    for name in ("gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants")
)
#: Kinds of the experimental channel, which Contour would wait for.
_WITHOUT = ("tcproutes", "tlsroutes", "backendtlspolicies")

Words = list[str | Path]


def data_port(listener: str) -> int:
    """The port of the node on which Envoy serves a listener."""
    return LISTENERS[listener] + _ABOVE


def gateway(name: str, controller: str, **more: Any) -> list[dict[str, Any]]:
    """A GatewayClass `name`, and a Gateway of it with a listener for all namespaces and one for its
    own only."""
    http: dict[str, Any] = {
        "protocol": "HTTP",
        "port": LISTENERS["http"],
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    closed = {"protocol": "HTTP", "port": LISTENERS["closed"]}
    api = "gateway.networking.k8s.io/v1"
    return [
        {
            "apiVersion": api,
            "kind": "GatewayClass",
            "metadata": {"name": name},
            "spec": {"controllerName": controller, **more},
        },
        {
            "apiVersion": api,
            "kind": "Gateway",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "gatewayClassName": name,
                "listeners": [{"name": "http", **http}, {"name": "closed", **closed}],
            },
        },
    ]


def parent(listener: str = "http") -> dict[str, str]:
    """A parentRef to the Gateway; the listener `closed` takes no route of other namespaces."""
    return {"namespace": NAMESPACE, "name": NAME, "sectionName": listener}


def manifests() -> list[dict[str, Any]]:
    """Contour's Gateway, and a Service to it.

    Envoy is a process of the node and not a pod, so the Service's endpoints are written here.
    """
    ports: list[dict[str, Any]] = [
        {"name": name, "port": data_port(name), "protocol": "TCP"} for name in LISTENERS
    ]
    place = {"name": "envoy", "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *gateway(CLASS, "projectcontour.io/gateway-controller"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"ports": [{**port, "port": LISTENERS[port["name"]]} for port in ports]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**place, "labels": {"kubernetes.io/service-name": "envoy"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
            "ports": ports,
        },
    ]


def contour_config() -> dict[str, Any]:
    """Returns contour.yaml with the one Gateway that it manages."""
    return {"gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": NAME}}}


def contour(binary: Path, kubeconfig: Path, config: Path) -> Words:
    """Returns the flags of a single Contour, without certificates and leader election."""
    return [
        binary, "serve", "--kubeconfig", kubeconfig, "-c", config,
        "--xds-address", "127.0.0.1", "--xds-port", str(XDS_PORT), "--insecure",
        "--disable-leader-election", "--http-address", "127.0.0.1",
        "--health-address", "127.0.0.1", "--stats-address", NODE_ADDRESS,
        "--stats-port", str(STATS_PORT), "--envoy-service-http-address", NODE_ADDRESS,
        "--envoy-service-http-port", str(data_port("http")),
        "--ingress-status-address", NODE_ADDRESS,
        *(f"--disable-feature={name}" for name in _WITHOUT),
    ]  # fmt: skip


def bootstrap(binary: Path, target: Path) -> Words:
    """Writes Envoy's first configuration: where Contour is."""
    return [
        binary, "bootstrap", target, "--xds-address", "127.0.0.1", "--xds-port", str(XDS_PORT),
        # By a short path of the sandbox's own: a unix socket's may have 107 bytes at most.
        "--admin-address", "/run/envoy-admin.sock",
    ]  # fmt: skip


def envoy(binary: Path, config: Path) -> Words:
    """Envoy with two workers."""
    return [
        binary, "-c", config, "--service-cluster", NAMESPACE, "--service-node", "envoy",
        "--concurrency", "2", "--log-level", "warn", "--disable-hot-restart",
    ]  # fmt: skip
