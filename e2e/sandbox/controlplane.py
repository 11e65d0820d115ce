"""A real control plane on loopback: etcd, API server and controller manager. Needs no root."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from sandbox import binaries, process
from sandbox.process import Process

_PATIENCE = 60.0


class NotUp(RuntimeError):
    """The control plane did not come up; the text ends with the failing part's log."""


@dataclass
class ControlPlane:
    """A control plane with all its state below `folder`; `up` may be called again at any time."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def up(self) -> None:
        """Starts what is not running and waits until it answers. Raises NotUp, BuildFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.kubeconfig.exists():
            self._prepare()
        self._start_etcd()
        self.start_apiserver()
        if not self._alive("controller-manager"):
            self._start("controller-manager", self._controller_manager())

    def down(self) -> None:
        """Ends what was started and removes the folder."""
        for name in ("controller-manager", "apiserver", "etcd"):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, name: str) -> None:
        known = self.process(name)
        if known:
            known.stop()

    def process(self, name: str) -> Process | None:
        return process.recall(self.folder / f"{name}.pid")

    def start_apiserver(self) -> None:
        if not self._alive("apiserver"):
            self._start("apiserver", self._apiserver())
        self._await_ready()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and gives what it prints; CalledProcessError carries its complaint."""
        return subprocess.run(
            [str(binaries.find("kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            check=True,
        ).stdout

    def _prepare(self) -> None:
        token = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
        subprocess.run(
            ["openssl", "genrsa", "-out", self.folder / "sa.key", "2048"],
            check=True,
            capture_output=True,
        )
        ports = {name: _free_port() for name in ("api", "etcd", "peer", "manager")}
        (self.folder / "ports.json").write_text(json.dumps(ports))
        cluster = {
            "server": f"https://127.0.0.1:{ports['api']}",
            "certificate-authority": str(self.folder / "certs" / "apiserver.crt"),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin"}}],
            "current-context": "sandbox",
        }
        self.kubeconfig.write_text(json.dumps(config, indent=1))

    def _port(self, name: str) -> int:
        port: int = json.loads((self.folder / "ports.json").read_text())[name]
        return port

    def _alive(self, name: str) -> bool:
        known = self.process(name)
        return known is not None and known.alive

    def _start(self, name: str, command: list[str | Path]) -> None:
        started = process.start(command, self.folder / f"{name}.log")
        process.remember(started, self.folder / f"{name}.pid")

    def _start_etcd(self) -> None:
        if self._alive("etcd"):
            return
        client = f"http://127.0.0.1:{self._port('etcd')}"
        peer = f"http://127.0.0.1:{self._port('peer')}"
        self._start(
            "etcd",
            [
                binaries.find("etcd"),
                "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", f"default={peer}", "--log-level", "error",
            ],
        )  # fmt: skip

    def _apiserver(self) -> list[str | Path]:
        key = self.folder / "sa.key"
        return [
            binaries.find("kube-apiserver"),
            "--etcd-servers", f"http://127.0.0.1:{self._port('etcd')}",
            "--bind-address", "127.0.0.1", "--secure-port", str(self._port("api")),
            "--cert-dir", self.folder / "certs",
            "--token-auth-file", self.folder / "tokens.csv",
            "--authorization-mode", "Node,RBAC",
            "--service-account-key-file", key, "--service-account-signing-key-file", key,
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-cluster-ip-range", "10.96.0.0/16", "--allow-privileged",
            "--audit-log-path", self.folder / "audit.log",
            "--audit-policy-file", self._audit_policy(),
        ]  # fmt: skip

    def _audit_policy(self) -> Path:
        path = self.folder / "audit.yaml"
        path.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
        return path

    def _controller_manager(self) -> list[str | Path]:
        return [
            binaries.find("kube-controller-manager"),
            "--kubeconfig", self.kubeconfig, "--use-service-account-credentials",
            "--service-account-private-key-file", self.folder / "sa.key",
            "--leader-elect=false", "--controllers=*,-nodeipam",
            "--secure-port", str(self._port("manager")),
            "--cert-dir", self.folder / "manager-certs",
        ]  # fmt: skip

    def _await_ready(self) -> None:
        url = f"https://127.0.0.1:{self._port('api')}/readyz"
        token = (self.folder / "tokens.csv").read_text().split(",")[0]
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        # Readiness only: the certificate is made by the very server that is waited for.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if not self._alive("apiserver"):
                break
            try:
                with urllib.request.urlopen(request, context=context, timeout=2):
                    return
            except OSError:
                time.sleep(0.05)
        raise NotUp((self.folder / "apiserver.log").read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
