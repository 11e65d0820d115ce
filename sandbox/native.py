"""A real node on this machine, as root: containerd, kubelet and kube-proxy in namespaces."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sandbox import binaries, cgroups, flags, forwarding, images, nodefiles, paths
from sandbox.api import until
from sandbox.controlplane import ControlPlane
from sandbox.dns import answers
from sandbox.flags import Listening
from sandbox.namespaces import Namespaces
from sandbox.parts import Part, of, write_whole
from sandbox.ports import free_ports
from sandbox.progress import Progress

_FORWARDER = Path(__file__).parent / "forwarder.py"
_LISTENING = Listening(nodefiles.NODE_ADDRESS, 6443, 2379, 2380, 10257, 10259)
_INSIDE = ("mount", "net", "pid")


@dataclass
class Native:
    """One node with its control plane; all its state is below `folder`."""

    folder: Path
    audit: str | None = "Metadata"
    crash_backoff: str | None = None
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def node(self) -> str:
        """The name of the Node."""
        return f"{self.name}-node"

    @property
    def cgroup(self) -> str:
        """The root of the sandbox's control groups.

        Users' folders differ where names do not, and the groups are the whole machine's.
        """
        return f"canarium-{self.name}-{hashlib.sha256(bytes(self.folder)).hexdigest()[:6]}"

    @property
    def namespaces(self) -> Namespaces:
        return Namespaces(self.folder)

    @property
    def plane(self) -> ControlPlane:
        """The control plane inside; only for use while the namespaces are there."""
        return ControlPlane(
            self.folder,
            scheduler=True,
            audit=self.audit,
            node=self.node,
            extra=self.extra,
            listening=_LISTENING,
            entering=self.namespaces.entering(*_INSIDE),
            progress=self.progress,
        )

    def up(self) -> None:
        """Starts what is not running; Node, DNS and Services work at the end.

        Raises PartFailed, BuildFailed, LayerFailed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ensure_binaries()
        pause = self._pause_archive()
        if not self.namespaces.node.alive:
            # The others died with the namespaces, save the forwarder, which is not in them.
            self._kill_all()
            # The kubelet would spend seconds on each container that it finds only the group of.
            cgroups.remove(self.cgroup)
            self.namespaces.make()
        port = self._forward_api()
        plane = self.plane
        plane.prepare(port)
        cgroups.make(self.cgroup)
        self._write_files()
        runtime = self._start("containerd", self._containerd())
        plane.launch()
        until(lambda: self._imported(pause), runtime, "ready", every=0.1)
        plane.finish()
        self._start("kubelet", self._kubelet())
        self._start("proxy", self._proxy())
        coredns = binaries.find("coredns")
        self._start("coredns", [coredns, "-conf", self.folder / "Corefile"])
        self._await_node()

    def down(self) -> None:
        """Ends everything and removes what is left of it: control groups, and the folder."""
        self._kill_all()
        cgroups.remove(self.cgroup)
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, archive: Path) -> None:
        """Imports the images of an archive into the node. Raises CalledProcessError."""
        words = ("ctr", "-n", "k8s.io", "images", "import", "--snapshotter")
        command = [*self.namespaces.entering(*_INSIDE), *words, _snapshotter(self.folder), "-"]
        with archive.open("rb") as content:
            try:
                subprocess.run(command, stdin=content, capture_output=True, check=True)
            except subprocess.CalledProcessError as error:
                error.add_note(error.stderr.decode(errors="replace"))
                raise

    def forward(self, target: str) -> forwarding.Forward:
        """A port of the host's loopback that leads to `host:port` inside. Raises NoWay."""
        return forwarding.by_socket(self.folder / "forward.sock", target)

    def _ensure_binaries(self) -> None:
        plane = ControlPlane(self.folder, scheduler=True)
        binaries.ensure([*plane.binaries(), "kubelet", "kube-proxy", "coredns"], self.progress)

    def _kill_all(self) -> None:
        # The namespaces' first process takes the rest along, containers included.
        for part in [self.namespaces.node, *of(self.folder)]:
            part.kill()

    def _start(self, name: str, command: Sequence[str | Path]) -> Part:
        part = Part(self.folder, name)
        words = [*command, *self.extra.get(name, ())]
        part.start(words, entering=self.namespaces.entering(*_INSIDE))
        return part

    def _forward_api(self) -> int:
        """The port of the host's loopback that leads to the API server."""
        part, path = Part(self.folder, "forwarder"), self.folder / "ports.json"
        port: int = json.loads(path.read_text())["api"] if path.exists() else free_ports(1)[0]
        if part.alive:
            return port
        if not _free(port):
            port = free_ports(1)[0]
        write_whole(path, json.dumps({"api": port}))
        first = self.namespaces.node.process
        assert first is not None
        control = self.folder / "forward.sock"
        order = f"{port}=127.0.0.1:{_LISTENING.api}"
        part.start([sys.executable, "-I", _FORWARDER, str(first.pid), control, order])
        return port

    def _write_files(self) -> None:
        text = nodefiles.containerd(self.folder, _snapshotter(self.folder), _plugins())
        write_whole(self.folder / "containerd.toml", text)
        (self.folder / "cni").mkdir(exist_ok=True)
        network = json.dumps(nodefiles.pod_network())
        write_whole(self.folder / "cni" / "10-pods.conflist", network)
        kubelet = nodefiles.kubelet(self.folder, self.cgroup, self.crash_backoff)
        write_whole(self.folder / "kubelet.json", json.dumps(kubelet))
        write_whole(self.folder / "empty", "")
        write_whole(self.folder / "Corefile", nodefiles.corefile(self.folder))

    def _containerd(self) -> list[str | Path]:
        return ["containerd", "--config", self.folder / "containerd.toml", "--log-level", "warn"]

    def _kubelet(self) -> list[str | Path]:
        return [
            binaries.find("kubelet"), "--config", self.folder / "kubelet.json",
            "--kubeconfig", self.folder / "kubelet.kubeconfig",
            "--root-dir", self.folder / "kubelet", "--cert-dir", self.folder / "kubelet" / "pki",
            "--node-ip", nodefiles.NODE_ADDRESS, "--hostname-override", self.node,
        ]  # fmt: skip

    def _proxy(self) -> list[str | Path]:
        # The zeros leave the machine's connection tracking as it is.
        return [
            binaries.find("kube-proxy"), "--kubeconfig", self.folder / "proxy.kubeconfig",
            "--proxy-mode", "nftables", "--cluster-cidr", flags.PODS,
            "--hostname-override", self.node, "--metrics-bind-address", "127.0.0.1:10249",
            "--conntrack-max-per-core", "0", "--conntrack-min", "0",
            "--conntrack-tcp-timeout-established", "0", "--conntrack-tcp-timeout-close-wait", "0",
        ]  # fmt: skip

    def _pause_archive(self) -> Path:
        image = images.pause(nodefiles.PAUSE_IMAGE)
        layer = image.layers[0]
        path = paths.cache() / "images" / f"pause-{layer.digest[:16]}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path if path.exists() else images.write_archive(path, [image])

    def _imported(self, archive: Path) -> bool:
        try:
            self.load(archive)
        except subprocess.CalledProcessError:
            return False
        return True

    def _await_node(self) -> None:
        api, kubelet = self.plane.api, Part(self.folder, "kubelet")
        for collection, body in nodefiles.dns_objects():
            api.create(collection, body)

        def node_ready() -> bool:
            node = api.get(f"/api/v1/nodes/{self.node}")
            conditions = node["status"].get("conditions", []) if node else []
            return any(c["type"] == "Ready" and ready_since(c, kubelet.since) for c in conditions)

        def accounts_made() -> bool:
            # Before these are there, no pod can be created or get its volumes.
            account = api.get("/api/v1/namespaces/default/serviceaccounts/default")
            trust = api.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
            return account is not None and trust is not None

        until(node_ready, kubelet, "a Ready node")
        until(accounts_made, Part(self.folder, "controller-manager"), "service accounts")
        with self.forward(f"{flags.DNS_SERVICE}:53") as way:
            name = "kubernetes.default.svc.cluster.local"
            coredns = Part(self.folder, "coredns")
            until(lambda: answers(way.port, name), coredns, "answers")


def ready_since(condition: Mapping[str, str], start: float) -> bool:
    """Returns whether a node is Ready by a report of the kubelet that started at `start`.

    After a crash the API still has the report of the previous kubelet.
    """
    heartbeat = datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp()
    is_ready = condition["type"] == "Ready" and condition["status"] == "True"
    return is_ready and heartbeat >= int(start)


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _plugins() -> Path:
    """Where the CNI plugins are: Debian's place, else upstream's."""
    places = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]
    return next((place for place in places if (place / "ptp").exists()), places[0])


def _snapshotter(folder: Path) -> str:
    """overlayfs, unless the state itself is on an overlay, which cannot be stacked."""
    kind = subprocess.check_output(["stat", "-f", "-c", "%T", folder], text=True).strip()
    return "native" if kind == "overlayfs" else "overlayfs"
