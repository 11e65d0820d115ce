"""A real control plane: etcd, API server, controller manager and scheduler. Needs no root."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox import binaries, clients, flags, pki
from sandbox.api import Api, until
from sandbox.credentials import Credentials
from sandbox.flags import Listening
from sandbox.parts import Part, PartFailed, of, write_whole
from sandbox.ports import free_ports
from sandbox.progress import Progress

_NAMES = (
    "kubernetes.default.svc.cluster.local",
    "kubernetes.default.svc",
    "kubernetes.default",
    "kubernetes",
    "localhost",
)
# What runs beside the API server, some of it on demand only.
_USERS = (
    "controller-manager", "scheduler", "kubelet", "proxy", "coredns", "kwok", "contour",
    "prometheus",
)  # fmt: skip


@dataclass
class ControlPlane:
    """A control plane with all its state below `folder`; `up` may be called again at any time.

    `audit` is the level of the log `<folder>/audit.log` (Metadata, Request, RequestResponse), or
    None for no log. `extra` has more command line words per part. `listening` and `entering` are
    for a control plane in a network namespace; without them it is on the host's loopback.
    """

    folder: Path
    controllers: bool = True
    scheduler: bool = False
    audit: str | None = "Metadata"
    node: str = "node"
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    listening: Listening | None = None
    entering: Sequence[str] = ()
    progress: Progress = field(default_factory=Progress)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for use on the host."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON event of the API server per line, where `audit` is on."""
        return self.folder / "audit.log"

    @property
    def api(self) -> Api:
        return Api(self.kubeconfig)

    def part(self, name: str) -> Part:
        """One of etcd, apiserver, controller-manager, scheduler."""
        return Part(self.folder, name)

    def binaries(self) -> list[str]:
        """The binaries that `up` needs."""
        names = ["etcd", "kube-apiserver"]
        if self.controllers:
            names.append("kube-controller-manager")
        return [*names, "kube-scheduler"] if self.scheduler else names

    def up(self) -> None:
        """Starts what is not running and waits until it is ready.

        Raises PartFailed, BuildFailed.
        """
        binaries.ensure(self.binaries(), self.progress)
        for attempt in range(3):
            self.prepare()
            try:
                self.start()
                return
            except PartFailed as failure:
                # A free port may be taken between our look and the part's start.
                if "address already in use" not in str(failure) or self.listening or attempt == 2:
                    raise
                self.stop_all()
                (self.folder / "ports.json").unlink()

    def down(self) -> None:
        """Ends what was started and removes the folder."""
        self.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop_all(self) -> None:
        """Ends the parts at once, the last started first; the data stays.

        Gracefully takes ten seconds, in which the API server waits for its watches to go.
        """
        for part in reversed(of(self.folder)):
            part.kill()

    def start_apiserver(self) -> None:
        """Starts the API server after it was stopped or killed, and waits until it is ready."""
        if not self.part("apiserver").alive:
            self.part("apiserver").restart()
        self.await_api()

    def stop(self, name: str) -> None:
        """Ends the part `name` as its owner would."""
        self.part(name).stop()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and gives what it prints; CalledProcessError carries its complaint."""
        command = [str(clients.find("kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments]
        try:
            return subprocess.run(
                command, input=stdin, text=True, capture_output=True, check=True
            ).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def prepare(self, api_port: int | None = None) -> Listening:
        """Makes keys, tokens and kubeconfig files, where they are missing; where parts listen.

        `api_port` is the host's port that leads to the API server, when it is not its own.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        at = self.listening or self._free_ports()
        authority = pki.Authority(self.folder / "pki")
        authority.make()
        addresses = sorted({at.loopback, at.api_service, at.address})
        authority.serving("apiserver", addresses, _NAMES)
        authority.client("kubelet-client", "/O=system:masters/CN=kubelet-client")
        authority.client("front-proxy-client", "/CN=front-proxy-client")
        authority.signing_key("service-accounts")
        credentials = Credentials(self.folder)
        credentials.make(self.node)
        for part in _USERS:
            path = self.folder / f"{part}.kubeconfig"
            credentials.kubeconfig(part, path, at.api_url, authority.certificate)
        server = f"https://{at.api_host}:{api_port or at.api}"
        credentials.kubeconfig("admin", self.kubeconfig, server, authority.certificate)
        if self.audit:
            rule = {"level": self.audit, "omitStages": ["RequestReceived"]}
            policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}
            write_whole(self.folder / "audit.json", json.dumps(policy))
        return at

    def start(self) -> None:
        """Starts what does not run, and waits until the API server is ready."""
        self.launch()
        self.finish()

    def launch(self) -> None:
        """Starts etcd and the API server, and waits for neither."""
        at = self.listening or self._free_ports()
        self._start("etcd", flags.etcd(binaries.find("etcd"), self.folder, at))
        server = binaries.find("kube-apiserver")
        self._start("apiserver", flags.apiserver(server, self.folder, at, bool(self.audit)))

    def finish(self) -> None:
        """Waits until the API server is ready, and starts what needs it."""
        at = self.listening or self._free_ports()
        self.await_api()
        if self.controllers:
            manager = binaries.find("kube-controller-manager")
            self._start("controller-manager", flags.controller_manager(manager, self.folder, at))
        if self.scheduler:
            scheduler = binaries.find("kube-scheduler")
            self._start("scheduler", flags.scheduler(scheduler, self.folder, at))

    def await_api(self) -> None:
        """Waits until the API server is ready. Raises PartFailed."""
        api, etcd = self.api, self.part("etcd")

        def ready() -> bool:
            if not etcd.alive:
                raise etcd.failure("ended")
            return api.ready()

        until(ready, self.part("apiserver"), "ready", every=0.03)

    def _start(self, name: str, command: flags.Words) -> None:
        self.part(name).start([*command, *self.extra.get(name, ())], entering=self.entering)

    def _free_ports(self) -> Listening:
        path = self.folder / "ports.json"
        if not path.exists():
            ports = free_ports(5)
            names = ("api", "etcd", "peer", "manager", "scheduler")
            at = Listening("127.0.0.1", **dict(zip(names, ports, strict=True)))
            write_whole(path, json.dumps(asdict(at)))
        return Listening(**json.loads(path.read_text()))
