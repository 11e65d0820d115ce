"""Starting Argo CD beside a sandbox, and asking it as its users do."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox import binaries, clients, machine
from sandbox.api import Api, until
from sandbox.argocd import objects
from sandbox.argocd.commands import Commands, Ports
from sandbox.backends import NotOffered
from sandbox.cluster import NotUp, Sandbox
from sandbox.credentials import Credentials
from sandbox.options import Mode
from sandbox.parts import Part, write_whole
from sandbox.pki import Authority
from sandbox.ports import free_ports
from sandbox.progress import Progress

_OBJECTS = f"/apis/argoproj.io/v1alpha1/namespaces/{objects.NAMESPACE}"


@dataclass(frozen=True)
class ArgoCD:
    """An Argo CD that runs; `up` makes one. It ends with its sandbox."""

    sandbox: Sandbox
    commands: Commands

    @classmethod
    def up(
        cls,
        sandbox: Sandbox,
        config: Mapping[str, str] | None = None,
        *,
        resync: int = 180,
        progress: Progress | None = None,
    ) -> ArgoCD:
        """Starts what does not run; `config` is the data of argocd-cm.

        `resync` is the period in seconds of comparisons of applications. Raises
        BuildFailed, PartFailed, NoMode, NotOffered.
        """
        if sandbox.mode in (Mode.EXTERNAL, Mode.KIND):
            raise NotOffered(f"{sandbox.mode}: install Argo CD there by its own manual")
        progress = progress or Progress(quiet=sandbox.options.quiet)
        binary = binaries.find("argocd", progress)
        machine.ensure({"redis-server": "redis-server", "git": "git"}, sandbox.options, progress)
        instance = cls(sandbox, _commands(sandbox, binary))
        instance._install(config or {})
        instance._start(resync)
        return instance

    @classmethod
    def attach(cls, sandbox: Sandbox) -> ArgoCD:
        """The Argo CD that was started beside `sandbox`, running or not. Raises NotUp."""
        if not (sandbox.folder / "argocd" / "ports.json").exists():
            raise NotUp("no Argo CD here; `python -m sandbox argocd up` starts it")
        return cls(sandbox, _commands(sandbox, binaries.find("argocd")))

    def down(self) -> None:
        """Ends its processes; its objects stay in the cluster, and `up` takes them up again."""
        for part in reversed(self.parts()):
            part.stop()

    @property
    def url(self) -> str:
        """URL of its pages and API on this machine, without a login."""
        return f"http://127.0.0.1:{self.commands.ports.server}"

    def cli(self, *words: str) -> str:
        """What `argocd` prints; CalledProcessError carries its complaint in `stderr`."""
        command = [str(word) for word in self.commands.cli(words)]
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout

    def may(self, *question: str) -> bool:
        """The answer of `argocd admin settings rbac can …`."""
        command = [str(word) for word in self.commands.settings(question)]
        answer = subprocess.run(command, text=True, capture_output=True, check=False)
        if answer.stdout.strip() not in ("Yes", "No"):
            raise ValueError(f"{command}: {answer.stdout}{answer.stderr}")
        return answer.stdout.strip() == "Yes"

    def applications(self) -> list[dict[str, Any]]:
        """All Applications, as they are now. Raises OSError."""
        listed = self.api.get(f"{_OBJECTS}/applications")
        return list(listed["items"]) if listed else []

    def refresh(self, name: str) -> None:
        """Has an application compared with its source at once, as a web hook would."""
        kind = "application.argoproj.io"
        note = "argocd.argoproj.io/refresh=normal"
        self.sandbox.kubectl("-n", "argocd", "annotate", "--overwrite", kind, name, note)

    @property
    def api(self) -> Api:
        return Api(self.sandbox.kubeconfig)

    def parts(self) -> list[Part]:
        """redis, repo-server, controller and server."""
        names = ("redis", "repo-server", "application-controller", "argocd-server")
        return [self.sandbox.part(name) for name in names]

    def _install(self, config: Mapping[str, str]) -> None:
        """The definitions and settings; what is there already is brought up to date."""
        crds = binaries.source("argocd") / "manifests" / "crds"
        self._apply("-k", str(crds))
        self._wait_for_definitions()
        folder = self.commands.folder
        key = folder / "server.key"
        if not key.exists():
            write_whole(key, secrets.token_hex(16))
            key.chmod(0o600)
        settings = objects.settings(config, key.read_text())
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": settings})
        # The namespace first: a list is not applied in order of need.
        self._apply("-f", "-", stdin=json.dumps(settings[0]))
        self._apply("-f", "-", stdin=text)

    def _apply(self, *words: str, stdin: str | None = None) -> None:
        flags = ("--server-side", "--force-conflicts", "--field-manager", "sandbox")
        self.sandbox.kubectl("apply", *flags, *words, stdin=stdin)

    def _wait_for_definitions(self) -> None:
        def served() -> bool:
            kinds = ("applications", "appprojects", "applicationsets")
            return all(self.api.get(f"{_OBJECTS}/{kind}") is not None for kind in kinds)

        until(served, self.sandbox.part("apiserver"), "Argo CD's kinds")

    def _start(self, resync: int) -> None:
        redis, repo, controller, server = self.parts()
        commands, ports = self.commands, self.commands.ports
        redis.start(commands.redis(shutil.which("redis-server") or "redis-server"))
        repo.start(commands.repo_server())
        controller.start(commands.controller(resync))
        server.start(commands.server())
        for part, port in (
            (repo, ports.repo_metrics),
            (controller, ports.controller_metrics),
            (server, ports.server),
        ):
            until(lambda port=port: _answers(port), part, "healthy")  # type: ignore[misc]


def _commands(sandbox: Sandbox, binary: Path) -> Commands:
    folder = sandbox.folder / "argocd"
    for place in ("tls", "ssh", "gpg", "gnupg", "plugins", "tmp", "cli"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    tools = [_scripts(folder / "bin"), clients.find("helm").parent]
    return Commands(binary, folder, _kubeconfig(sandbox), _ports(folder), tools)


def _scripts(folder: Path) -> Path:
    """Creates a folder with the script that the repo-server runs for every commit."""
    folder.mkdir(exist_ok=True)
    script = folder / "git-verify-wrapper.sh"
    shutil.copyfile(binaries.source("argocd") / "hack" / script.name, script)
    script.chmod(0o755)
    return folder


def _kubeconfig(sandbox: Sandbox) -> Path:
    """Returns a kubeconfig for a separate user, so that the audit log shows Argo CD's requests."""
    admin = json.loads(sandbox.kubeconfig.read_text())
    path = sandbox.folder / "argocd" / "kubeconfig"
    server = admin["clusters"][0]["cluster"]["server"]
    authority = Authority(sandbox.folder / "pki").certificate
    return Credentials(sandbox.folder).kubeconfig("argocd", path, server, authority)


def _ports(folder: Path) -> Ports:
    path = folder / "ports.json"
    if not path.exists():
        names = Ports.__dataclass_fields__
        ports = Ports(**dict(zip(names, free_ports(len(names)), strict=True)))
        write_whole(path, json.dumps(asdict(ports)))
    return Ports(**json.loads(path.read_text()))


def _answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
        return bool(answer.status == 200)
