"""The sandbox as tests and the demo use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox import clients, machine, paths
from sandbox.api import Api
from sandbox.backends import Backend, NotOffered, backend
from sandbox.choice import choose, duration
from sandbox.forwarding import Forward, NoWay
from sandbox.images.archive import Image, identities, write_archive
from sandbox.options import Mode, Options, default_name
from sandbox.parts import Part, write_whole
from sandbox.process import Process
from sandbox.progress import Progress


class NotUp(RuntimeError):
    """There is no sandbox of that name."""


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that was started, in this process or another; `up` and `attach` make one."""

    options: Options
    mode: Mode
    backend: Backend

    @classmethod
    def up(cls, options: Options | None = None) -> Sandbox:
        """Starts a sandbox, or what is not running of it; fast when all is.

        Raises NoMode, BuildFailed, PartFailed, NoClient and LayerFailed, whose texts state what to
        do.
        """
        wanted = options or Options()
        progress = Progress(quiet=wanted.quiet)
        sweep(progress)
        with _alone(wanted.name):
            began = time.monotonic()
            mode, reason = _mode(wanted, progress)
            if mode is not Mode.EXTERNAL:
                clients.find("kubectl")
            folder = paths.folder(wanted.name)
            first = _read(folder) is None
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "sandbox.json", json.dumps(_record(wanted, mode, reason)))
            sandbox = cls(wanted, mode, backend(mode, folder, wanted, progress))
            try:
                sandbox.backend.up()
            except Exception:
                if first and not sandbox.parts():
                    # Nothing was started: the next attempt chooses afresh.
                    shutil.rmtree(folder)
                raise
            progress.say(f"{wanted.name} ({mode}) is up: {time.monotonic() - began:.1f} s")
            return sandbox

    @classmethod
    def attach(cls, name: str | None = None) -> Sandbox:
        """The sandbox `name` that is up, or was. Raises NotUp."""
        name = name or default_name()
        record = _read(paths.folder(name))
        if record is None:
            raise NotUp(f"no sandbox {name!r}; `python -m sandbox up` starts one")
        options, mode = _options(record), Mode(record["mode"])
        return cls(options, mode, backend(mode, paths.folder(name), options, Progress()))

    def down(self) -> None:
        """Ends and removes the sandbox; only the caches stay."""
        with _alone(self.options.name):
            self.backend.down()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def folder(self) -> Path:
        """Logs, keys and data of the sandbox."""
        return paths.folder(self.options.name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for use on the host."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON event of the API server per line, where `audit` is on and the server is ours."""
        return self.folder / "audit.log"

    def part(self, name: str) -> Part:
        """A process such as `apiserver` or `etcd`: stop, kill, restart, pause, resume."""
        return Part(self.folder, name)

    def parts(self) -> list[Part]:
        """The processes of the sandbox in the order of their start."""
        return self.backend.parts()

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints; CalledProcessError carries its complaint in `stderr`."""
        return self._client("kubectl", words, stdin)

    def get(self, path: str) -> Any:
        """The object at a path of the API, or None: for what is asked again and again, since a
        kubectl each time would take the processor that the cluster needs. Raises OSError."""
        if self.mode in (Mode.KIND, Mode.EXTERNAL) and not self._api.has_credentials:
            try:
                return json.loads(self.kubectl("get", "--raw", path))
            except subprocess.CalledProcessError as error:
                if "NotFound" in error.stderr:
                    return None
                raise
        return self._api.get(path)

    @cached_property
    def _api(self) -> Api:
        return Api(self.kubeconfig)

    def helm(self, *words: str, stdin: str | None = None) -> str:
        """What helm prints; CalledProcessError carries its complaint in `stderr`."""
        return self._client("helm", words, stdin)

    def load_images(self, archive: Path) -> None:
        """Makes the images of an archive available to pods, unless they are. Raises NotOffered."""
        self._load(identities(archive), lambda: archive)

    def load(self, images: Sequence[Image]) -> None:
        """Makes images available to pods, at no cost when they are. Raises NotOffered."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, "images.tar")
            known = {image.tag: image.identity for image in images}
            self._load(known, lambda: write_archive(path, images))

    def forward(self, target: str) -> Forward:
        """A port of 127.0.0.1 that leads to `host:port` inside, until it is closed.

        The host is an address of a pod or a Service, in a native sandbox also of the node. In the
        others the target may be NAMESPACE/service/NAME:PORT, too, and leads to one pod of it.
        Raises NoWay, NotOffered, PartFailed.
        """
        return self.backend.forward(target)

    def exec(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a host's command inside the sandbox's network, with its DNS; raises NotOffered."""
        return self._run([*self.backend.entering(node=False), *command], stdin)

    def node_exec(
        self, *command: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as a process of the node, such as `ctr` or `ps`; raises NotOffered."""
        return self._run([*self.backend.entering(node=True), *command], stdin)

    def _load(self, wanted: dict[str, str], archive: Callable[[], Path]) -> None:
        kept = self.folder / "images.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        if not wanted.items() <= known.items():
            self.backend.load(archive())
            write_whole(kept, json.dumps({**known, **wanted}))

    def _client(self, name: str, words: tuple[str, ...], stdin: str | None) -> str:
        command = [str(clients.find(name)), "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.run(
            command, input=stdin, text=True, capture_output=True, check=True
        ).stdout

    def _run(self, command: list[str], stdin: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)


def sandboxes() -> list[Sandbox]:
    """All sandboxes that have state on this machine."""
    attached = []
    for path in sorted(paths.states().glob("*/sandbox.json")):
        # Another process may take it down between our two looks.
        with suppress(NotUp):
            attached.append(Sandbox.attach(path.parent.name))
    return attached


def sweep(progress: Progress) -> None:
    """Deletes the sandboxes whose owner has ended, such as a test run that was killed."""
    for path in paths.states().glob("*/sandbox.json"):
        owner = (_read(path.parent) or {}).get("owner")
        if owner and not Process(**owner).alive:
            progress.say(f"taking down {path.parent.name}, whose owner has ended")
            # An external cluster may be deleted by now, and with it what is to be deleted.
            with suppress(NotUp, NoWay):
                Sandbox.attach(path.parent.name).down()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    with paths.locked(paths.folder(name).with_name(f".{name}.lock")):
        yield


def _mode(wanted: Options, progress: Progress) -> tuple[Mode, str]:
    """The mode that a sandbox has already, else the one to give it."""
    record = _read(paths.folder(wanted.name))
    if record is not None:
        mode = Mode(record["mode"])
        if wanted.mode not in (None, mode):
            raise NotOffered(f"{wanted.name} is up as {mode}: take it down first")
        return mode, record["reason"]
    facts = machine.look(wanted)
    choice = choose(facts, wanted.mode, install=wanted.install)
    takes = duration(choice.mode, facts)
    progress.say(f"{choice.mode}: {choice.reason}; starting it takes {takes}")
    if choice.install:
        machine.install(choice.install, progress)
    return choice.mode, choice.reason


def _record(options: Options, mode: Mode, reason: str) -> dict[str, Any]:
    owner = asdict(Process.of(options.owner)) if options.owner else None
    kept = {**asdict(options), "mode": str(mode)}
    kept["kubeconfig"] = os.path.abspath(options.kubeconfig) if options.kubeconfig else None
    return {"mode": str(mode), "reason": reason, "owner": owner, "options": kept}


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((folder / "sandbox.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record


def _options(record: dict[str, Any]) -> Options:
    kept = record["options"]
    named = Path(kept["kubeconfig"]) if kept["kubeconfig"] else None
    loads = tuple(kept.get("loads", ()))
    return Options(**{**kept, "mode": Mode(kept["mode"]), "kubeconfig": named, "loads": loads})
