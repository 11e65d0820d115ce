"""The command lines of Argo CD's parts: one binary under many names. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.argocd.objects import NAMESPACE

Words = list[str | Path]


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of 127.0.0.1."""

    redis: int
    repo: int
    repo_metrics: int
    controller_metrics: int
    server: int
    server_metrics: int


@dataclass(frozen=True)
class Commands:
    """How each part is started. `tools` are folders with git and helm."""

    binary: Path
    folder: Path
    kubeconfig: Path
    ports: Ports
    tools: Sequence[Path] = field(default=())

    def redis(self, binary: str) -> Words:
        return [
            binary, "--bind", "127.0.0.1", "--port", str(self.ports.redis), "--save", "",
            "--appendonly", "no", "--dir", self.folder,
        ]  # fmt: skip

    def repo_server(self) -> Words:
        """Renders manifests; reads a branch again after three seconds, not three minutes."""
        return [
            *self._named("argocd-repo-server"), "--address", "127.0.0.1", "--disable-tls",
            "--client-ca-path", "", "--port", str(self.ports.repo), "--metrics-address",
            "127.0.0.1", "--metrics-port", str(self.ports.repo_metrics), *self._redis(),
            "--revision-cache-expiration", "3s",
        ]  # fmt: skip

    def controller(self, resync: int) -> Words:
        """Compares and syncs; `resync` is the period of comparisons in seconds."""
        return [
            *self._named("argocd-application-controller"), *self._client(), *self._redis(),
            "--repo-server", f"127.0.0.1:{self.ports.repo}", "--repo-server-plaintext",
            "--metrics-port", str(self.ports.controller_metrics),
            "--app-resync", str(resync), "--app-resync-jitter", "0",
        ]  # fmt: skip

    def server(self) -> Words:
        """Serves the CLI on this machine's loopback."""
        return [
            *self._named("argocd-server"), *self._client(), *self._redis(),
            "--repo-server", f"127.0.0.1:{self.ports.repo}", "--repo-server-plaintext",
            "--insecure", "--disable-auth", "--address", "127.0.0.1",
            "--port", str(self.ports.server), "--metrics-port", str(self.ports.server_metrics),
        ]  # fmt: skip

    def cli(self, words: Sequence[str]) -> Words:
        """One command of a user."""
        server = f"127.0.0.1:{self.ports.server}"
        home = self.folder / "cli"
        return [
            *self._named("argocd"), *words, "--server", server, "--plaintext",
            "--config", home / "config",
        ]  # fmt: skip

    def settings(self, words: Sequence[str]) -> Words:
        """A question to `argocd admin settings`, which needs no server."""
        return [*self._named("argocd"), "admin", "settings", *words]

    def environment(self) -> dict[str, str]:
        """What all parts find in their environment."""
        data = {
            "ARGOCD_TLS_DATA_PATH": "tls",
            "ARGOCD_SSH_DATA_PATH": "ssh",
            "ARGOCD_GPG_DATA_PATH": "gpg",
            "ARGOCD_GNUPGHOME": "gnupg",
            "ARGOCD_PLUGINSOCKFILEPATH": "plugins",
            "TMPDIR": "tmp",
        }
        return {
            **{name: str(self.folder / place) for name, place in data.items()},
            # The destination "in-cluster" is then what the kubeconfig names.
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "KUBECONFIG": str(self.kubeconfig),
        }

    def _named(self, name: str) -> Words:
        path = ":".join([*(str(folder) for folder in self.tools), "/usr/bin", "/bin"])
        given = {**self.environment(), "ARGOCD_BINARY_NAME": name, "PATH": path}
        return ["env", *(f"{key}={value}" for key, value in given.items()), self.binary]

    def _client(self) -> Words:
        return ["--kubeconfig", self.kubeconfig, "--namespace", NAMESPACE]

    def _redis(self) -> Words:
        return ["--redis", f"127.0.0.1:{self.ports.redis}"]
