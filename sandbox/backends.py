"""The kinds of sandbox behind one set of verbs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox import clients, forwarding
from sandbox.controlplane import ControlPlane
from sandbox.kind import Kind
from sandbox.native import Native
from sandbox.options import Mode, Options
from sandbox.parts import Part, of
from sandbox.progress import Progress
from sandbox.relay.pod import Relay
from sandbox.simulated import Simulated


class NotOffered(RuntimeError):
    """This kind of sandbox cannot do what was asked."""


class Backend(Protocol):
    """What a kind of sandbox can do; what one cannot raises NotOffered."""

    def up(self) -> None: ...
    def down(self) -> None: ...
    def parts(self) -> list[Part]: ...
    def load(self, archive: Path) -> None: ...
    def forward(self, target: str) -> forwarding.Forward: ...
    def entering(self, *, node: bool) -> list[str]: ...


def backend(mode: Mode, folder: Path, options: Options, progress: Progress) -> Backend:
    """The sandbox of kind `mode` whose state is in `folder`."""
    audit, extra = options.audit, options.extra
    if mode is Mode.NATIVE:
        return _Native(Native(folder, audit, options.crash_backoff, extra, progress))
    if mode is Mode.KIND:
        return _Kind(folder, Kind(folder, progress))
    if mode is Mode.EXTERNAL:
        return _External(folder, options.kubeconfig, options.context, options.loads)
    if mode is Mode.SIMULATED:
        return _Processes(folder, Simulated(folder, options.nodes, audit, extra, progress))
    plane = ControlPlane(
        folder, options.controllers, options.scheduler, audit, extra=extra, progress=progress
    )
    return _Processes(folder, plane)


@dataclass(frozen=True)
class _Native:
    native: Native

    def up(self) -> None:
        self.native.up()

    def down(self) -> None:
        self.native.down()

    def parts(self) -> list[Part]:
        return of(self.native.folder)

    def load(self, archive: Path) -> None:
        self.native.load(archive)

    def forward(self, target: str) -> forwarding.Forward:
        return self.native.forward(target)

    def entering(self, *, node: bool) -> list[str]:
        return self.native.namespaces.visiting("mount", "net", *(("pid",) if node else ()))


class _UpDown(Protocol):
    def up(self) -> None: ...
    def down(self) -> None: ...


@dataclass(frozen=True)
class _Processes:
    """Parts that are processes of the host, without a node that runs anything."""

    folder: Path
    inner: _UpDown

    def up(self) -> None:
        self.inner.up()

    def down(self) -> None:
        self.inner.down()

    def parts(self) -> list[Part]:
        return of(self.folder)

    def load(self, archive: Path) -> None:
        raise NotOffered("no container runs here, so there is nowhere to load images to")

    def forward(self, target: str) -> forwarding.Forward:
        raise NotOffered(f"{target}: no traffic flows in this kind of sandbox")

    def entering(self, *, node: bool) -> list[str]:
        raise NotOffered("there is no node to enter")


@dataclass(frozen=True)
class _Foreign:
    """A cluster whose network the host does not belong to."""

    folder: Path

    @property
    def kubectl(self) -> list[str]:
        return [str(clients.find("kubectl")), "--kubeconfig", str(self.folder / "kubeconfig")]

    @property
    def relay(self) -> Relay:
        return Relay(self.folder, self.kubectl, self.load)

    def parts(self) -> list[Part]:
        return of(self.folder)

    def load(self, archive: Path) -> None:
        raise NotImplementedError

    def forward(self, target: str) -> forwarding.Forward:
        place, _, port = target.rpartition(":")
        namespace, _, thing = place.partition("/")
        if not thing:
            return self.relay.forward(target)
        return forwarding.by_kubectl(self.kubectl, namespace, thing, int(port))


@dataclass(frozen=True)
class _Kind(_Foreign):
    kind: Kind

    def up(self) -> None:
        self.kind.up()

    def down(self) -> None:
        self.relay.part.kill()
        self.kind.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, archive: Path) -> None:
        self.kind.load(archive)

    def entering(self, *, node: bool) -> list[str]:
        return ["docker", "exec", "-i", self.kind.node]


@dataclass(frozen=True)
class _External(_Foreign):
    kubeconfig: Path | None
    context: str | None
    loads: Sequence[str]

    def up(self) -> None:
        """Keeps a copy of the one context that is meant, and sees that its cluster answers."""
        words = [str(clients.find("kubectl"))]
        words += ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        words += ["--context", self.context] if self.context else []
        _checked([*words, "get", "--raw", "/readyz"])
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / "kubeconfig"
        kept.touch(mode=0o600)
        kept.write_text(_checked([*words, "config", "view", "--minify", "--flatten"]))

    def down(self) -> None:
        """Forgets the cluster; what runs in it stays, except for the relay."""
        try:
            self.relay.down()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, archive: Path) -> None:
        if not self.loads:
            raise NotOffered("push images to a registry that your cluster pulls from")
        _checked([*self.loads, str(archive)])

    def entering(self, *, node: bool) -> list[str]:
        raise NotOffered("the nodes of an existing cluster are not entered")


def _checked(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotOffered(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout
