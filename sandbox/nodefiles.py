"""The configuration of a native node: container runtime, pod network, kubelet, DNS. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox import flags

NODE_ADDRESS = "10.10.0.1"
RUNTIME_SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "canarium.dev/sandbox/pause:1"


def containerd(folder: Path, snapshotter: str, plugins: Path) -> str:
    """containerd's config.toml. `snapshotter` is overlayfs, or native on top of an overlay."""
    return f"""version = 2
root = "{folder}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "{RUNTIME_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{folder}/cni"
"""


def pod_network(pods: str = flags.PODS) -> dict[str, Any]:
    """Returns the CNI configuration for addresses out of `pods`: every pod has a separate link.

    With a shared bridge, answers between two of its pods would bypass the Service's address
    translation wherever the kernel does not send bridged packets through it.
    """
    link = {
        "type": "ptp",
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [link, ports]}


def kubelet(folder: Path, cgroup: str, crash_backoff: str | None) -> dict[str, Any]:
    """The kubelet's configuration. `crash_backoff` is the longest wait between restarts ("10s")."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "authentication": {"x509": {"clientCAFile": str(folder / "pki" / "ca.crt")}},
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{RUNTIME_SOCKET}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [flags.DNS_SERVICE],
        "resolvConf": str(folder / "empty"),
        "podLogsDir": str(folder / "pod-logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%"},
        "maxPods": 110,
        "oomScoreAdj": 0,
    }
    if crash_backoff:
        config["crashLoopBackOff"] = {"maxContainerRestartPeriod": crash_backoff}
    return config


def corefile(folder: Path) -> str:
    """CoreDNS' configuration: the cluster's names and no others, as there is nowhere to ask."""
    return f"""cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {NODE_ADDRESS}
    ready {NODE_ADDRESS}:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {folder}/coredns.kubeconfig sandbox
        pods insecure
        ttl 1
    }}
    errors
}}
.:53 {{
    bind {NODE_ADDRESS}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def dns_objects() -> list[tuple[str, dict[str, Any]]]:
    """The Service kube-dns and its endpoints, each with the collection that it belongs to.

    CoreDNS is a process of the node and not a pod, so nothing else would fill the endpoints.
    """
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    service = {
        "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"clusterIP": flags.DNS_SERVICE, "ports": ports},
    }
    endpoints = {
        "metadata": {"name": "kube-dns", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return [
        ("/api/v1/namespaces/kube-system/services", service),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", endpoints),
    ]
