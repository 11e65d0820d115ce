"""The facts of this machine, and the Debian packages that a native node needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from sandbox import binaries, paths
from sandbox.choice import Facts, NoMode
from sandbox.kind import program
from sandbox.options import Options
from sandbox.progress import Progress

# Each package with a file that only it brings; a name without a slash is looked for on PATH.
_PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iproute2": "ip",
    "nftables": "nft",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mmdebstrap": "mmdebstrap",
    "busybox-static": "busybox",
    "openssl": "openssl",
}
_ELSEWHERE = {"containernetworking-plugins": "/opt/cni/bin/ptp"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def look(options: Options) -> Facts:
    """What this machine offers to a sandbox with `options`."""
    linux = sys.platform == "linux"
    root = linux and os.geteuid() == 0
    built = all(binaries.place(name).exists() for name in ("kube-apiserver", "kubelet", "etcd"))
    return Facts(
        named_cluster=options.kubeconfig is not None or options.context is not None,
        docker=docker_answers(),
        kind=shutil.which(program()) is not None,
        linux=linux,
        root=root,
        namespaces=root
        and _succeeds("unshare", "--mount", "--net", "--pid", "--fork", "true")
        and os.access("/sys/fs/cgroup", os.W_OK),
        missing=missing() if root else (),
        can_install=shutil.which("apt-get") is not None,
        built=built,
        released=not built and linux and binaries.downloadable("kube-apiserver"),
    )


def docker_answers() -> bool:
    """Returns whether a Docker daemon answers the docker on PATH."""
    return _succeeds("docker", "info", "--format", "{{.ServerVersion}}")


def missing() -> tuple[str, ...]:
    """The Debian packages that a native node needs and that are not here."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"

    def there(package: str, witness: str) -> bool:
        if "/" not in witness:
            return shutil.which(witness, path=path) is not None
        return Path(witness).exists() or Path(_ELSEWHERE[package]).exists()

    return tuple(sorted(name for name, seen in _PACKAGES.items() if not there(name, seen)))


def ensure(packages: Mapping[str, str], options: Options, progress: Progress) -> None:
    """Debian packages, each with the command that it brings, for what is started on demand.

    Installs them if `options` allow it; else raises NoMode, which states what to run.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"
    lacking = [name for name, command in packages.items() if not shutil.which(command, path=path)]
    if lacking and not options.install:
        raise NoMode(f"run: apt-get install -y --no-install-recommends {' '.join(lacking)}")
    if lacking:
        install(lacking, progress)


def install(packages: Sequence[str], progress: Progress) -> None:
    """Installs Debian packages without starting the services that they bring. Raises NoMode."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    add = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with ExitStack() as after:
        # Sandboxes that start at the same time lack the same: the second finds it installed.
        after.enter_context(paths.locked(paths.states() / ".install.lock"))
        after.enter_context(progress.step(f"installing {' '.join(packages)}", long=True))
        policy = Path("/usr/sbin/policy-rc.d")
        if not policy.exists():
            # Debian asks this script before it starts a service: 101 means no.
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
            after.callback(policy.unlink)
        for command in (["apt-get", "update", "-q"], add):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise NoMode(f"{' '.join(command)}\n{done.stderr[-2000:]}")


def _succeeds(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=15, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
