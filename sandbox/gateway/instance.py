"""Starting Contour and Envoy in a native sandbox."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sandbox import binaries
from sandbox.api import Api, until
from sandbox.backends import NotOffered
from sandbox.cluster import Sandbox
from sandbox.gateway import envoy, objects
from sandbox.nodefiles import NODE_ADDRESS
from sandbox.options import Mode
from sandbox.parts import Part, write_whole
from sandbox.progress import Progress

GATEWAY = (
    f"/apis/gateway.networking.k8s.io/v1/namespaces/{objects.NAMESPACE}/gateways/{objects.NAME}"
)


@dataclass(frozen=True)
class Gateway:
    """A Gateway that takes routes of all namespaces; `up` makes one. It ends with its sandbox.

    In the cluster it is `http://envoy.gateway.svc`; on the node, `target`.
    """

    sandbox: Sandbox

    @classmethod
    def up(cls, sandbox: Sandbox, *, progress: Progress | None = None) -> Gateway:
        """Starts what does not run; Gateway API is served and the Gateway programmed at the end.

        Raises BuildFailed, PartFailed, NotOffered.
        """
        if sandbox.mode is not Mode.NATIVE:
            raise NotOffered(f"{sandbox.mode}: the gateway runs on a native node")
        progress = progress or Progress(quiet=sandbox.options.quiet)
        words = binaries.find("contour", progress), envoy.find(progress)
        gateway = cls(sandbox)
        if not (gateway.contour.alive and gateway.envoy.alive):
            gateway._install()
            gateway._start(*words)
        gateway.await_ready()
        return gateway

    @property
    def controller(self) -> Part:
        """Contour, by the name that it has with every gateway."""
        return self.contour

    @property
    def contour(self) -> Part:
        """The controller that configures Envoy; while it is stopped, changes have no effect."""
        return self.sandbox.part("contour")

    @property
    def envoy(self) -> Part:
        """What carries the requests."""
        return self.sandbox.part("envoy")

    @property
    def target(self) -> str:
        """Where Envoy takes requests, for `Sandbox.forward`."""
        return f"{NODE_ADDRESS}:{objects.data_port('http')}"

    parent = staticmethod(objects.parent)
    #: Response to a few requests while a weight changes to 0; None: none fails.
    loses: ClassVar[str | None] = None

    def await_ready(self) -> None:
        """Waits until the Gateway is programmed and Envoy has it from Contour."""
        api = Api(self.sandbox.kubeconfig)
        until(lambda: programmed(api.get(GATEWAY)), self.contour, "its Gateway programmed")
        with self.sandbox.forward(f"{NODE_ADDRESS}:{objects.STATS_PORT}") as way:
            until(lambda: _answers(f"{way.url}/ready"), self.envoy, "ready")

    def _install(self) -> None:
        """Gateway API's definitions and Contour's own, and the Gateway."""
        kinds = binaries.module("contour", "sigs.k8s.io/gateway-api") / "config/crd/standard"
        own = binaries.source("contour") / "examples/contour/01-crds.yaml"
        files = [*sorted(kinds.glob("gateway.networking.*.yaml")), own]
        self._apply(*(word for path in files for word in ("-f", str(path))))
        Api(self.sandbox.kubeconfig).await_definitions(
            *objects.KINDS, "httpproxies.projectcontour.io"
        )
        manifests = {"apiVersion": "v1", "kind": "List", "items": objects.manifests()}
        self._apply("-f", "-", stdin=json.dumps(manifests))

    def _apply(self, *words: str, stdin: str | None = None) -> None:
        flags = ("--server-side", "--force-conflicts", "--field-manager", "sandbox")
        self.sandbox.kubectl("apply", *flags, *words, stdin=stdin)

    def _start(self, contour: Path, proxy: Path) -> None:
        folder = self.sandbox.folder
        config, first = folder / "contour.yaml", folder / "envoy.json"
        write_whole(config, json.dumps(objects.contour_config()))
        subprocess.run(objects.bootstrap(contour, first), check=True, capture_output=True)
        entering = self.sandbox.backend.entering(node=True)
        kubeconfig = folder / "contour.kubeconfig"
        self.contour.start(objects.contour(contour, kubeconfig, config), entering=entering)
        self.envoy.start(objects.envoy(proxy, first), entering=entering)


def programmed(gateway: Any) -> bool:
    """Returns whether a Gateway reports that its data plane serves it."""
    conditions = gateway["status"].get("conditions", []) if gateway and "status" in gateway else []
    return any(c["type"] == "Programmed" and c["status"] == "True" for c in conditions)


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
