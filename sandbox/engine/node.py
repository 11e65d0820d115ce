"""The node image of kind, made without a registry in a container of the engine."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox import binaries, clients, nodefiles
from sandbox.engine import preloaded
from sandbox.engine.engine import Engine, lacks_resource_capability, link
from sandbox.images.rootfs import debian
from sandbox.progress import Progress

_HERE = Path(__file__).parent
_REPOSITORY = "canarium.dev/sandbox/kind-node"
#: What kind's own Dockerfile installs, as far as one node without network storage uses it.
_PACKAGES = (
    "bash", "ca-certificates", "conntrack", "containerd", "containernetworking-plugins", "dbus",
    "ethtool", "iproute2", "iptables", "jq", "kmod", "libseccomp2", "mount", "nftables", "procps",
    "runc", "socat", "systemd", "util-linux",
)  # fmt: skip
#: The addresses that kind gives to the pods of its first node.
_PODS = "10.244.0.0/24"
# As in kind's Dockerfile; systemd asks the variable whether it is in a container.
_CHANGES = (
    'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
    "ENV container=docker",
)
# kind applies these two after the start. The pod network is in the image, and volumes are not
# provisioned.
_NO_NETWORK = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "pod-network", "namespace": "kube-system"},
    "data": {"is": "part of the node image (/etc/cni/net.d)"},
}
_NO_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def node_image(engine: Engine) -> str:
    """The name of the node image, which is made unless the engine has it; puts kind on its PATH.

    Raises EngineFailed, LayerFailed, NoClient, and as `binaries.find` does.
    """
    progress = engine.progress
    link(binaries.find("kind", progress), engine.programs / "kind")
    version = binaries.version(binaries.TOOLS["kubeadm"])
    tag = f"{_REPOSITORY}:{version}"
    if not engine.docker("images", "-q", tag).strip():
        mounts = _prepare(engine.folder / "node", version, progress)
        base = debian(_PACKAGES, variant="minbase").path
        with progress.step("making a node image for kind", long=True):
            _make(engine, tag, base, mounts)
    return tag


def _prepare(folder: Path, version: str, progress: Progress) -> dict[Path, str]:
    """What the container sees, each with its name there."""
    folder.mkdir(parents=True, exist_ok=True)
    kubeadm = binaries.find("kubeadm", progress)
    wanted = preloaded.tags(kubeadm, version)
    network = nodefiles.pod_network(_PODS)
    texts = {
        "version": version,
        "pause": next(tag for tag in wanted if preloaded.name(tag) == "pause"),
        "network.conflist": json.dumps(network),
        "default-cni.yaml": json.dumps(_NO_NETWORK),
        "default-storage.yaml": json.dumps(_NO_STORAGE),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    preloaded.write(folder / "images.tar", wanted, progress)
    return {
        **{folder / name: name for name in (*texts, "images.tar")},
        binaries.source("kind", progress) / "images/base/files": "files",
        kubeadm: "kubeadm",
        binaries.find("kubelet", progress): "kubelet",
        clients.find("kubectl"): "kubectl",
        _HERE / "runc.sh": "runc.sh",
        _HERE / "node.sh": "node.sh",
    }


def _make(engine: Engine, tag: str, base: Path, mounts: dict[Path, str]) -> None:
    engine.docker("import", "-", f"{_REPOSITORY}:base", stdin=base)
    shown = [f"--volume={path.resolve()}:/in/{name}:ro" for path, name in mounts.items()]
    lacking = f"--env=LACKS_RESOURCE={int(lacks_resource_capability())}"
    name = "canarium-node-image"
    command = (f"{_REPOSITORY}:base", "bash", "/in/node.sh")
    try:
        engine.docker("run", f"--name={name}", lacking, *shown, *command)
        engine.docker("commit", *(f"--change={change}" for change in _CHANGES), name, tag)
    finally:
        engine.docker("rm", "--force", name)
