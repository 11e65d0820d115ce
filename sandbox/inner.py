"""The first process inside a native sandbox's namespaces. Run as a script; standard library only.

It has pid 1 there: when it ends, the kernel ends everything else in the sandbox, and with the last
process its mounts and its network go too. So a killed run leaves nothing that must be found again.

Usage: inner.py FOLDER ADDRESS/LENGTH NAMESERVER PATH…   (PATHs stay visible under what is covered)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

# Fixed paths that containerd, CNI and the kubelet write to; each sandbox gets its own.
_COVERED = ("/run", "/var/lib", "/var/log")
# What the kubelet would otherwise set for the whole machine and never restore.
_TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def main(folder: Path, address: str, nameserver: str, kept: list[str]) -> None:
    """Sets up the namespaces, creates the file `ready`, and reaps orphans indefinitely."""
    _mounts(kept)
    _resolver(nameserver)
    _network(address)
    (folder / "ready").write_text("")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigwait({signal.SIGCHLD})


def _mounts(kept: list[str]) -> None:
    # A slave still sees the host's unmounts (a disk must not stay busy because of us); shared
    # again, so that a pod's mounts reach the container runtime.
    _run("mount", "--make-rslave", "/")
    _run("mount", "--make-rshared", "/")
    for path in _COVERED:
        inside = [name for name in kept if Path(name).is_relative_to(path) and Path(name).exists()]
        opened = {name: os.open(name, os.O_PATH) for name in inside}
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "sandbox", path)
        for name, handle in opened.items():
            Path(name).mkdir(parents=True, exist_ok=True)
            _run("mount", "--bind", f"/proc/{os.getpid()}/fd/{handle}", name)
            os.close(handle)
    for name, value in _TUNABLES.items():
        stand_in = Path("/run/sandbox") / name
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.write_text(f"{value}\n")
        if Path("/proc/sys", name).exists():
            _run("mount", "--bind", str(stand_in), f"/proc/sys/{name}")


def _resolver(nameserver: str) -> None:
    """Lets programs that enter the sandbox resolve the names of its Services."""
    content = Path("/run/sandbox/resolv.conf")
    content.write_text(f"nameserver {nameserver}\nsearch svc.cluster.local cluster.local\n")
    target = Path(os.path.realpath("/etc/resolv.conf"))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _run("mount", "--bind", str(content), str(target))


def _network(address: str) -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node0", "type", "bridge")
    _run("ip", "address", "add", address, "dev", "node0")
    _run("ip", "link", "set", "node0", "up")
    # Kubernetes' parts ask for a default route to find their own address; it leads nowhere.
    _run("ip", "route", "add", "default", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
