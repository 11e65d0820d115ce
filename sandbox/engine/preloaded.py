"""The images of kind's control plane, from the binaries of the sandbox."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sandbox import binaries, images
from sandbox.engine.engine import run
from sandbox.images import Image, Layer
from sandbox.images.layers import Entry, write_entries
from sandbox.images.rootfs import debian
from sandbox.progress import Progress

#: Each image with where its binary is.
_BINARIES = {
    "kube-apiserver": "/usr/local/bin/kube-apiserver",
    "kube-controller-manager": "/usr/local/bin/kube-controller-manager",
    "kube-scheduler": "/usr/local/bin/kube-scheduler",
    "kube-proxy": "/usr/local/bin/kube-proxy",
    "etcd": "/usr/local/bin/etcd",
    "coredns": "/coredns",
}
_PROXY_PACKAGES = ("conntrack", "iptables", "kmod")


def tags(kubeadm: Path, version: str) -> list[str]:
    """The images that a cluster of this kubeadm runs, such as registry.k8s.io/pause:3.10."""
    return run([str(kubeadm), "config", "images", "list", "--kubernetes-version", version]).split()


def name(tag: str) -> str:
    """The last part of an image's name, without its version."""
    return tag.rpartition("/")[2].partition(":")[0]


def write(path: Path, wanted: Sequence[str], progress: Progress) -> Path:
    """Writes an archive of the images `wanted`; their layers are next to it. Returns `path`.

    The binaries are the sandbox's, also where a tag names another version of etcd or CoreDNS.
    Raises as `binaries.find` does, LayerFailed, and KeyError for an image that is unknown here.
    """
    return images.write_archive(path, [_image(tag, path.parent, progress) for tag in wanted])


def _image(tag: str, folder: Path, progress: Progress) -> Image:
    program = name(tag)
    if program == "pause":
        return images.pause(tag)
    at = _BINARIES[program]
    entries = [Entry("/etc", 0o755), Entry("/tmp", 0o1777)]
    entries.append(Entry(at, 0o755, binaries.find(program, progress)))
    if program == "kube-proxy":
        entries += _iptables()
    layers = [_layer(folder / f"{program}.tar", entries)]
    if program == "kube-proxy":
        layers.insert(0, debian(_PROXY_PACKAGES, variant="extract"))
    return Image(tag, layers, entrypoint=[at] if program == "coredns" else ())


def _iptables() -> list[Entry]:
    """Links that Debian's alternatives would make, which an unpacked package does not have."""
    programs = [f"{p}{s}" for p in ("iptables", "ip6tables") for s in ("", "-save", "-restore")]
    target = "/usr/sbin/xtables-nft-multi"
    return [Entry(f"/usr/local/bin/{program}", 0o777, link=target) for program in programs]


def _layer(path: Path, entries: list[Entry]) -> Layer:
    # Not in the cache, since it would only hold a second copy of each binary.
    write_entries(path, entries)
    with path.open("rb") as written:
        return Layer(path, hashlib.file_digest(written, "sha256").hexdigest())
