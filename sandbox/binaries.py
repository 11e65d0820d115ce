"""Kubernetes' own binaries: downloaded as released or built from the Go modules beside this file.

Either happens once, then they are cached. The cache key is a version and the content of a module's
`go.mod` and `go.sum`, so a new version is a new folder and an old one keeps working.
`KUBEBUILDER_ASSETS` takes precedence where it is set; `sandbox.releases` decides between the two.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox import golang, paths, releases
from sandbox.progress import Progress

_MODULES = Path(__file__).parent / "go"


@dataclass(frozen=True, slots=True)
class Tool:
    """A binary: the folder (below `root`, else our own modules) of the module that it is built in,
    that module's path, its package.
    """

    folder: str
    module: str
    package: str
    root: Path | None = None


def _kubernetes(name: str) -> Tool:
    return Tool("kubernetes", "k8s.io/kubernetes", f"k8s.io/kubernetes/cmd/{name}")


TOOLS = {
    "etcd": Tool("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": _kubernetes("kube-apiserver"),
    "kube-controller-manager": _kubernetes("kube-controller-manager"),
    "kube-scheduler": _kubernetes("kube-scheduler"),
    "kubelet": _kubernetes("kubelet"),
    "kube-proxy": _kubernetes("kube-proxy"),
    # A module apart: the key of what is cached is the whole go.mod.
    "kubeadm": Tool("kubeadm", "k8s.io/kubernetes", "k8s.io/kubernetes/cmd/kubeadm"),
    "kind": Tool("kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind"),
    "coredns": Tool("coredns", "github.com/coredns/coredns", "github.com/coredns/coredns"),
    "contour": Tool(
        "contour",
        "github.com/projectcontour/contour",
        "github.com/projectcontour/contour/cmd/contour",
    ),
    # Its command, and the chart beside it.
    "envoy-gateway": Tool(
        "envoy-gateway",
        "github.com/envoyproxy/gateway",
        "github.com/envoyproxy/gateway/cmd/envoy-gateway",
    ),
    "argocd": Tool(
        "argocd", "github.com/argoproj/argo-cd/v3", "github.com/argoproj/argo-cd/v3/cmd"
    ),
    # A registry in itself: `crane registry serve`.
    "crane": Tool(
        "crane",
        "github.com/google/go-containerregistry",
        "github.com/google/go-containerregistry/cmd/crane",
    ),
    # Only its source is wanted, for the definitions of ServiceMonitor and its like.
    "prometheus-operator": Tool(
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator/example/prometheus-operator-crd",
    ),
    # Only its source is wanted, for the definition of a Workflow.
    "argo-workflows": Tool(
        "argo-workflows",
        "github.com/argoproj/argo-workflows/v4",
        "github.com/argoproj/argo-workflows/v4/cmd/argo",
    ),
    "kube-state-metrics": Tool(
        "kube-state-metrics", "k8s.io/kube-state-metrics/v2", "k8s.io/kube-state-metrics/v2"
    ),
    "kwok": Tool("kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "helm-unittest": Tool(
        "helm-unittest",
        "github.com/helm-unittest/helm-unittest",
        "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
    ),
}


class BuildFailed(RuntimeError):
    """A binary could not be built; the text ends with the compiler's last lines."""


def find(name: str, progress: Progress | None = None) -> Path:
    """The binary `name`, downloaded or built when it is not there yet.

    Raises BuildFailed and DownloadFailed, and ValueError for a wrong environment variable.
    """
    if not _there(name).exists():
        _obtain([name], progress or Progress())
    return _there(name)


def downloadable(name: str) -> bool:
    """Returns whether `find` would download the binary `name`, as opposed to build it."""
    release = releases.find(name, version(TOOLS[name]))
    return releases.downloadable(release, _settings(), _hosts(paths.cache()))


def ensure(names: Iterable[str], progress: Progress) -> None:
    """Obtains those of `names` that are missing, two modules at a time. Raises as `find` does."""
    modules: dict[str, list[str]] = {}
    for name in names:
        modules.setdefault(TOOLS[name].folder, []).append(name)
    # The compiler uses all processors, but not while it links, nor while modules are downloaded.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for obtained in [pool.submit(_obtain, each, progress) for each in modules.values()]:
            obtained.result()


def module_folder(tool: Tool) -> Path:
    """Where the Go module of `tool` is."""
    return (tool.root or _MODULES) / tool.folder


def place(name: str) -> Path:
    """Where the cached binary `name` is or will be."""
    tool = TOOLS[name]
    module = module_folder(tool)
    content = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()
    key = f"{name}-{version(tool)}-{hashlib.sha256(content).hexdigest()[:8]}"
    return paths.cache() / "bin" / key / name


def version(tool: Tool) -> str:
    """The version of a tool as its go.mod requires it, such as v1.36.3."""
    return _required(tool, tool.module)


def _required(tool: Tool, path: str) -> str:
    text = (module_folder(tool) / "go.mod").read_text()
    match = re.search(rf"^\s*{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if match is None:
        raise BuildFailed(f"{tool.folder}/go.mod does not require {path}")
    return match[1]


def source(name: str, progress: Progress | None = None) -> Path:
    """The folder of a tool's own source, for manifests that belong to it. Raises BuildFailed."""
    return module(name, TOOLS[name].module, progress)


def module(name: str, path: str, progress: Progress | None = None) -> Path:
    """The folder of a module that the tool `name` is built with. Raises BuildFailed."""
    tool = TOOLS[name]
    go = golang.go(module_folder(tool), progress or Progress())
    download = subprocess.run(
        [go, "mod", "download", "-json", f"{path}@{_required(tool, path)}"],
        cwd=module_folder(tool),
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if download.returncode:
        raise BuildFailed(f"{path}: {download.stderr[-2000:]}")
    return Path(json.loads(download.stdout)["Dir"])


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _obtain(names: Sequence[str], progress: Progress) -> None:
    """Obtains those of `names`, all of one module, that are missing."""
    with ExitStack() as stack:
        for name in sorted(names):
            # Two sandboxes that start at once must not build the same thing twice.
            stack.enter_context(paths.locked(place(name).parent.with_suffix(".lock")))
        missing = [name for name in names if not _there(name).exists()]
        if built := [name for name in missing if not _downloaded(name, progress)]:
            _build(built, progress)


def _there(name: str) -> Path:
    """Where the binary `name` is or will be: in KUBEBUILDER_ASSETS, else in the cache."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).exists():
        return Path(assets) / name
    return place(name)


def _downloaded(name: str, progress: Progress) -> bool:
    release = releases.find(name, version(TOOLS[name]))
    hosts = _hosts(paths.cache())
    return release is not None and releases.install(
        release, place(name), _settings(), hosts, progress
    )


def _settings() -> releases.Settings:
    return releases.Settings.of(os.environ)


@cache
def _hosts(cache_folder: Path) -> releases.Hosts:
    return releases.Hosts(cache_folder / "unreachable")


def _build(names: Sequence[str], progress: Progress) -> None:
    """Builds binaries of one module by one command, which compiles what they share once."""
    tool = TOOLS[names[0]]
    go = golang.go(module_folder(tool), progress)
    log = place(names[0]).parent / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        progress.step(f"building {', '.join(names)} {version(tool)} (once)", long=True),
        tempfile.TemporaryDirectory(dir=paths.cache(), prefix="build-") as folder,
        log.open("w") as out,
    ):
        command = [go, "build", "-ldflags", _link_flags(tool), "-o", folder]
        result = subprocess.run(
            [*command, *(TOOLS[name].package for name in names)],
            cwd=module_folder(tool),
            env=_environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if result.returncode:
            raise BuildFailed(f"{', '.join(names)}: see {log}\n{log.read_text()[-2000:]}")
        for name in names:
            path = place(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / _program(TOOLS[name].package)).replace(path)


def _program(package: str) -> str:
    """The compiler's name of a program: the last part of its package, unless that is a version."""
    *_, before, last = package.split("/")
    return before if re.fullmatch(r"v\d+", last) else last


def _link_flags(tool: Tool) -> str:
    if tool.module != "k8s.io/kubernetes":
        return "-s -w"
    # Without these a binary reports v0.0.0-master, and kubectl and charts depend on the version.
    full = version(tool)
    major, minor, _ = full.removeprefix("v").split(".", 2)
    stamps = (("gitVersion", full), ("gitMajor", major), ("gitMinor", minor))
    package = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {package}.{field}={value}" for field, value in stamps)])
