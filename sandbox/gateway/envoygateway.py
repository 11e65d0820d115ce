"""Envoy Gateway in a native sandbox: by its own chart, as pods, as its users have it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sandbox import binaries, images
from sandbox.api import Api
from sandbox.backends import NotOffered
from sandbox.cluster import Sandbox
from sandbox.gateway import envoy, objects
from sandbox.gateway.instance import GATEWAY, programmed
from sandbox.options import Mode
from sandbox.parts import PartFailed
from sandbox.progress import Progress

CLASS = "envoy-gateway"
CONTROLLER = "canarium.dev/sandbox/envoy-gateway:1"
_PROXY = "canarium.dev/sandbox/envoy:1"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{objects.NAMESPACE}/deployments/envoy-gateway"
_SERVICE = f"/api/v1/namespaces/{objects.NAMESPACE}/services/envoy"


@dataclass(frozen=True)
class EnvoyGateway:
    """The same Gateway as Contour's, at the same address in the cluster; `up` makes one.

    It brings its own, newer kinds of the Gateway API (experimental channel), so a sandbox has one
    of the two.
    """

    sandbox: Sandbox

    parent = staticmethod(objects.parent)
    #: Response to a few requests while a weight changes to 0: it deletes the backend's cluster
    #: before its Envoy knows that no route leads there.
    loses: ClassVar[str | None] = "500"

    @classmethod
    def up(cls, sandbox: Sandbox, *, progress: Progress | None = None) -> EnvoyGateway:
        """Installs it unless it is there; the Gateway is programmed at the end.

        Raises BuildFailed, NotOffered, PartFailed, CalledProcessError.
        """
        if sandbox.mode is not Mode.NATIVE:
            raise NotOffered(f"{sandbox.mode}: the gateway runs on a native node")
        progress = progress or Progress(quiet=sandbox.options.quiet)
        gateway = cls(sandbox)
        if sandbox.get(_DEPLOYMENT) is None:
            sandbox.load(_images(progress))
            gateway._install()
        gateway.await_ready()
        return gateway

    @property
    def controller(self) -> Controller:
        """The controller that configures Envoy; while it is stopped, changes have no effect."""
        return Controller(self.sandbox)

    @property
    def target(self) -> str:
        """Where Envoy takes requests, for `Sandbox.forward`."""
        service = self.sandbox.get(_SERVICE)
        return f"{service['spec']['clusterIP']}:{objects.LISTENERS['http']}"

    def await_ready(self) -> None:
        """Waits until the Gateway is programmed and Envoy runs. Raises PartFailed."""
        self.controller.await_ready()
        until(lambda: programmed(self.sandbox.get(GATEWAY)), "its Gateway programmed")

    def _install(self) -> None:
        folder = self.sandbox.folder / "envoy-gateway-chart"
        chart(binaries.source("envoy-gateway") / "charts" / "gateway-helm", folder)
        values = self.sandbox.folder / "envoy-gateway.json"
        values.write_text(json.dumps(_values()))
        where = ("--namespace", objects.NAMESPACE, "--create-namespace")
        self.sandbox.helm("install", "eg", str(folder), *where, "-f", str(values))
        Api(self.sandbox.kubeconfig).await_definitions(
            *objects.KINDS, "envoyproxies.gateway.envoyproxy.io"
        )
        listed = {"apiVersion": "v1", "kind": "List", "items": manifests()}
        self.sandbox.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))


@dataclass(frozen=True)
class Controller:
    """Envoy Gateway's own Deployment, with the verbs of a part."""

    sandbox: Sandbox

    def stop(self) -> None:
        """Returns when no process of it is left."""
        self._scale(0)
        chosen = "labelSelector=control-plane%3Denvoy-gateway"
        path = f"/api/v1/namespaces/{objects.NAMESPACE}/pods?{chosen}"
        until(lambda: not self.sandbox.get(path)["items"], "gone")

    def restart(self) -> None:
        self._scale(1)

    def await_ready(self) -> None:
        until(lambda: self._status().get("readyReplicas") == 1, "a ready pod")

    def _scale(self, replicas: int) -> None:
        where = ("-n", objects.NAMESPACE, "deployment/envoy-gateway")
        self.sandbox.kubectl("scale", *where, f"--replicas={replicas}")

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.sandbox.get(_DEPLOYMENT)["status"]
        return status


def until(holds: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Returns when `holds()`. Raises PartFailed."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise PartFailed(f"Envoy Gateway: not {what} after {seconds:g} s")
        time.sleep(0.1)


def _images(progress: Progress) -> list[images.Image]:
    """The controller on busybox, and Envoy on Debian; upstream's paths and users."""
    command = binaries.find("envoy-gateway", progress)
    at, proxy = "/usr/local/bin/envoy-gateway", "/usr/local/bin/envoy"
    return [
        images.Image(
            CONTROLLER,
            [images.busybox(), images.files({at: command})],
            entrypoint=[at],
            user="65532",
        ),
        images.Image(
            _PROXY,
            [images.python_base(), images.files({proxy: envoy.find(progress)})],
            entrypoint=[proxy],
            user="65532",
        ),
    ]


def chart(source: Path, target: Path) -> None:
    """The chart as a release has it: its values are a template in the source."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    text = (target / "values.tmpl.yaml").read_text()
    filled = text.replace("${GatewayImagePullPolicy}", "IfNotPresent")
    (target / "values.yaml").write_text(filled.replace("${GatewayImage}", CONTROLLER))


def _values() -> dict[str, Any]:
    shutdown = {"shutdownManager": {"image": CONTROLLER}}
    often = {"httpGet": {"path": "/readyz", "port": 8081}, "periodSeconds": 1}
    return {
        "deployment": {"envoyGateway": {"readinessProbe": often}},
        "config": {
            "envoyGateway": {"provider": {"type": "Kubernetes", "kubernetes": shutdown}},
        },
        "topologyInjector": {"enabled": False},
        "crds": {"gatewayAPI": {"safeUpgradePolicy": {"enabled": False}}},
    }


def manifests() -> list[dict[str, Any]]:
    """The Gateway, and how its Envoy is to run."""
    own = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "sandbox"}
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    proxy = {
        "type": "Kubernetes",
        "kubernetes": {
            "envoyDeployment": {"container": {"image": _PROXY, "resources": resources}},
            "envoyService": {"name": "envoy", "type": "ClusterIP"},
        },
    }
    return [
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyProxy",
            "metadata": {"name": "sandbox", "namespace": objects.NAMESPACE},
            "spec": {"provider": proxy, "concurrency": 2, "shutdown": {"drainTimeout": "3s"}},
        },
        *objects.gateway(
            CLASS,
            "gateway.envoyproxy.io/gatewayclass-controller",
            parametersRef={**own, "namespace": objects.NAMESPACE},
        ),
    ]
