"""A Docker daemon in separate namespaces, out of Debian packages that are only unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox import cgroups, machine, paths
from sandbox.api import until
from sandbox.options import Options
from sandbox.parts import Part
from sandbox.process import Process
from sandbox.progress import Progress

_PACKAGES = ("docker.io", "tini")
#: Those that Docker starts, each with its command: the native node needs the same.
_INSTALLED = {"containerd": "containerd", "runc": "runc", "iptables": "iptables"}
_PROGRAMS = {
    "docker": "usr/bin/docker",
    "dockerd": "usr/sbin/dockerd",
    "docker-proxy": "usr/sbin/docker-proxy",
    "docker-init": "usr/bin/tini-static",
}
_RUNC = Path(__file__).with_name("runc.sh")
_CAP_SYS_RESOURCE = 24
# The path of a socket may have 107 bytes at most, and shims have theirs in a fixed folder of /run,
# which is covered.
_SOCKET = "unix:///run/docker.sock"
_FIRST = """\
mount -t tmpfs -o mode=755 engine /run
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
exec docker-init -s -- dockerd "$@"
"""


class EngineFailed(RuntimeError):
    """The engine cannot run here, or a command of it failed; the text states why."""


class NoEngine(EngineFailed):
    """No engine can run on this machine; the text states why, and the remedy if there is one."""


@dataclass(frozen=True)
class Engine:
    """A Docker daemon with all its state in `folder`; it lives as long as its first process.

    Its network has no route to the outside.
    """

    folder: Path = field(default_factory=lambda: paths.states() / ".engine")
    progress: Progress = field(default_factory=Progress)

    @property
    def part(self) -> Part:
        return Part(self.folder, "engine")

    @property
    def programs(self) -> Path:
        """A folder for PATH: docker, what it starts, and links that others add."""
        return self.folder / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands that use the engine."""
        return {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "DOCKER_HOST": _SOCKET,
        }

    def check(self) -> None:
        """Raises NoEngine if the daemon does not run and cannot run here."""
        if not self.part.alive and (reason := refusal(self.folder)):
            raise NoEngine(f"no Docker engine can be started here: {reason}")

    def up(self, owner: int | None = None) -> None:
        """Starts the daemon unless it runs. `owner` is the pid of the process whose end makes it
        superfluous. Raises EngineFailed, NoEngine, NoMode, PartFailed."""
        if self.part.alive:
            return
        self.check()
        self.folder.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            self._owner.write_text(json.dumps(asdict(Process.of(owner))))
        self._unpack()
        cgroups.make(self.cgroup)
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL"]
        with self.progress.step("starting a Docker engine"):
            self.part.start(
                [*self._env(), "sh", "-ec", _FIRST, "sh", *self._options()],
                entering=[*unshare, "--mount-proc"],
            )
            until(self._answers, self.part, "an answer of the Docker daemon", patience=60)

    def down(self) -> None:
        """Ends the daemon and every container, and deletes their files and control groups."""
        self.part.kill()
        cgroups.thaw(self.cgroup)
        left = cgroups.remove(self.cgroup)
        shutil.rmtree(self.folder, ignore_errors=True)
        if left or self.folder.exists():
            raise EngineFailed(f"could not be removed: {self.folder}, {left}")

    def sweep(self) -> None:
        """Ends an engine whose owner has ended without doing so, such as a run that was killed: its
        clusters would have the names of the next run's. Raises EngineFailed."""
        if self._owner.exists() and not Process(**json.loads(self._owner.read_text())).alive:
            self.progress.say("taking down a Docker engine whose owner has ended")
            self.down()

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` beside the containers: kind's ports are on the loopback
        of this network, and what runs ends with the engine."""
        process = self.part.process
        if process is None or not process.alive:
            raise EngineFailed("the engine does not run")
        enter = ["nsenter", "--target", str(process.pid), "--net", "--mount", "--pid", "--"]
        # A change of mounts would reset the working directory.
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', os.getcwd(), *command]

    def docker(self, *words: str, stdin: Path | None = None) -> str:
        """Runs a command of docker; its output. Raises EngineFailed."""
        with (stdin or Path(os.devnull)).open("rb") as content:
            done = subprocess.run(
                self.inside(["docker", *words]), stdin=content, env=self.environment,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode:
            raise EngineFailed(f"docker {' '.join(words)}\n{(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def _env(self) -> list[str]:
        """The start of a command line of a program out of the unpacked packages."""
        libraries = (self.folder / "packages").rglob("*.so.*")
        folders = ":".join(sorted({str(library.parent) for library in libraries}))
        return ["env", f"PATH={self.environment['PATH']}", f"LD_LIBRARY_PATH={folders}"]

    @property
    def _owner(self) -> Path:
        return self.folder / "owner.json"

    @property
    def cgroup(self) -> str:
        """The root of the control groups of the daemon's containers."""
        # Users' folders differ, and the groups are the whole machine's.
        return f"canarium-engine-{hashlib.sha256(bytes(self.folder)).hexdigest()[:6]}"

    def _answers(self) -> bool:
        try:
            self.docker("version")
        except EngineFailed:
            return False
        return True

    def _options(self) -> list[str]:
        options = {
            "data-root": self.folder / "data",
            "exec-root": "/run/engine",
            "pidfile": "/run/dockerd.pid",
            "host": _SOCKET,
            "storage-driver": "overlay2",
            "cgroup-parent": f"/{self.cgroup}",
            "default-cgroupns-mode": "private",
            "oom-score-adjust": "0",
        }
        if lacks_resource_capability():
            options |= {"add-runtime": f"without={_RUNC}", "default-runtime": "without"}
        return [f"--{name}={value}" for name, value in options.items()]

    def _unpack(self) -> None:
        self.programs.mkdir(exist_ok=True)
        machine.ensure(_INSTALLED, Options(), self.progress)
        with self.progress.step("unpacking Docker from Debian's packages"):
            for package in download(_PACKAGES, self.folder / "archives"):
                run(["dpkg-deb", "-x", str(package), str(self.folder / "packages")])
        for name, path in _PROGRAMS.items():
            link(self.folder / "packages" / path, self.programs / name)


def refusal(folder: Path, root: Path = Path("/sys/fs/cgroup")) -> str | None:
    """Returns why no engine with its state in `folder` can run on this machine, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs root on Linux"
    if shutil.which("apt-get") is None:
        return "it is taken from Debian's packages, and there is no apt-get"
    if (root / "cgroup.controllers").exists():
        return "it was never run on control groups version 2; start Docker instead"
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    kind = subprocess.check_output(["stat", "-f", "-c", "%T", existing], text=True).strip()
    if kind == "overlayfs":
        return f"{existing} is on an overlay, which cannot be stacked; set XDG_STATE_HOME"
    return None


def lacks_resource_capability(status: str | None = None) -> bool:
    """Returns whether CAP_SYS_RESOURCE is outside the bounding set, as in a container.

    Docker and containerd want it for every privileged container, and fail without.
    """
    text = status or Path("/proc/self/status").read_text()
    [bounding] = [line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:")]
    return not int(bounding, 16) >> _CAP_SYS_RESOURCE & 1


def download(packages: Sequence[str], folder: Path) -> list[Path]:
    """Downloads Debian packages with what they need and this machine lacks, and installs nothing.

    Raises EngineFailed.
    """
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "install", "--download-only", "--reinstall", "--no-install-recommends"]
    run([*command, "-q", "-y", "-o", f"Dir::Cache::archives={folder}", *packages])
    return sorted(folder.glob("*.deb"))


def link(target: Path, at: Path) -> None:
    """Makes `at` a symbolic link to `target`, replacing one that is there."""
    at.unlink(missing_ok=True)
    at.symlink_to(target)


def run(
    command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Runs a command; its output. Raises EngineFailed with the end of what it printed."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineFailed(f"{' '.join(command)}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
