"""The simulated cluster, whole: the API server, Kubernetes' controllers, and the user."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from canarium import API_VERSION, GROUP, KIND
from canarium.core.facts.revision import digest_v1, identity_v1, resolved_facts, short_name
from canarium.kube import resources
from canarium.render import labels
from simulation.clock import Clock, VirtualLoop
from simulation.controllers import (
    Autoscalers,
    Deployments,
    Endpoints,
    Garbage,
    NodeLifecycle,
    selected,
)
from simulation.fields import Object, clone
from simulation.gate_jobs import GateJobs
from simulation.gateways import Gateways
from simulation.kubelet import Kubelet, has_ended, is_ready
from simulation.server import PERSON, Key, Server, Write, controller

NAMESPACE, NAME = "ns", "m"
KEY: Key = (NAMESPACE, NAME)


class World:
    """One namespace with one model in it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = Clock(loop)
        self.server = Server(self.clock)
        self.kubelet = Kubelet(self.server, self.clock)
        self.endpoints = Endpoints(self.server, self.clock)
        self.autoscalers = Autoscalers(self.server)
        self.gateways = Gateways(self.server, self.clock)
        self.jobs = GateJobs(self.server, self.clock)
        self._parts = (
            Garbage(self.server),
            self.autoscalers,
            Deployments(self.server),
            NodeLifecycle(self.server, self.clock, self.kubelet),
            self.kubelet,
            self.endpoints,
            self.gateways,
            self.jobs,
        )
        self._moved = asyncio.Event()
        self.server.observers.append(self._wake)

    def _wake(self, write: Write) -> None:
        self._moved.set()

    def settle(self) -> float:
        """Lets the controllers work until none has anything to do; seconds until one may have."""
        for _ in range(100):
            version = self.server.version
            due = min(part.step() for part in self._parts)
            if self.server.version == version:
                return due
        raise AssertionError("Kubernetes' own controllers never settle")

    async def live(self) -> None:
        """Follows time and every write, until cancelled."""
        while True:
            self._moved.clear()
            due = self.settle()
            self._moved.clear()
            try:
                await asyncio.wait_for(
                    self._moved.wait(), None if due is math.inf else max(due, 0.001)
                )
            except TimeoutError:
                continue

    def nudge(self) -> None:
        """Wakes it for a change other than a write, such as the behaviour of a version."""
        self._moved.set()

    # --- the user ---------------------------------------------------------------------------

    def apply(self, spec: dict[str, Any]) -> None:
        """The user applies a spec: the parent is made, or its spec replaced."""
        found = self.server.find(resources.MODELS, KEY)
        if found is None:
            meta = {"namespace": NAMESPACE, "name": NAME}
            body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec}
            self.server.create(resources.MODELS, body, PERSON)
        elif found["spec"] != spec:
            self.server.replace(resources.MODELS, KEY, {**found, "spec": clone(spec)}, PERSON)

    def command(self, name: str, value: str | None) -> None:
        """The user sets or removes the annotation of a command."""
        patch = {"metadata": {"annotations": {f"{GROUP}/{name}": value}}}
        self.server.merge(resources.MODELS, KEY, patch, PERSON)

    # --- looking ----------------------------------------------------------------------------

    def model(self) -> Object:
        return self.server.get(resources.MODELS, KEY)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.model().get("status") or {}
        return found

    def asks_for(self, revision: str) -> bool:
        """Whether the spec has the identity of a revision; what its alias stands for aside."""
        wanted = digest_v1(identity_v1(self.model()["spec"]))
        records = self.server.all(resources.RECORDS)
        return any(
            digest_of_spec(record) in (wanted, short_name(wanted))
            for record in records
            if revision_of(record) == revision
        )

    def service(self) -> Object | None:
        return self.server.find(resources.SERVICES, KEY)

    def pods(self, revision: str | None = None) -> list[Object]:
        """Those that a ReplicaSet controls and that have not ended."""
        every = self.server.all(resources.PODS, labels.REVISION)
        found = [pod for pod in every if controller(pod) and not has_ended(pod)]
        return [p for p in found if revision is None or revision_of(p) == revision]

    def released_pods(self) -> list[Object]:
        """Those that no ReplicaSet controls."""
        return [pod for pod in self.server.all(resources.PODS) if controller(pod) is None]

    def ready_pods(self) -> list[Object]:
        """Those that can answer, with released ones that a Service selects or still lists."""
        found = self.pods()
        if self.released_pods():
            services = self.server.all(resources.SERVICES)
            names = {_name(pod) for service in services for pod in selected(self.server, service)}
            slices = self.server.all(resources.ENDPOINT_SLICES)
            names |= {e["targetRef"]["name"] for one in slices for e in one.get("endpoints", ())}
            found += [pod for pod in self.released_pods() if _name(pod) in names]
        return [pod for pod in found if is_ready(pod)]

    def ready(self, revision: str) -> int:
        return sum(revision_of(pod) == revision for pod in self.ready_pods())

    def selected_ready(self) -> dict[str, int]:
        """Ready pods by revision that the callers' Service selects, endpoints' lag aside."""
        service, found = self.service(), dict[str, int]()
        for pod in selected(self.server, service) if service else ():
            if is_ready(pod):
                found[revision_of(pod)] = found.get(revision_of(pod), 0) + 1
        return found

    def endpoint_names(self) -> set[str]:
        """Pods that callers are sent to now."""
        found = self.server.find(resources.ENDPOINT_SLICES, (NAMESPACE, f"{NAME}-slice"))
        return {
            e["targetRef"]["name"]
            for e in (found or {}).get("endpoints", ())
            if e["conditions"]["ready"]
        }


def digest_of_spec(record: Object) -> str:
    """Digest of a record's identity without what an alias stood for; a restored record may have
    lost its identity, and its digest is its name then."""
    data = record["data"]
    digest: str = resolved_facts(data["algorithm"], data["identity"])[1] or data["digest"]
    return digest


def _name(obj: Object) -> str:
    name: str = obj["metadata"]["name"]
    return name


def revision_of(obj: Object) -> str:
    revision: str = obj["metadata"].get("labels", {}).get(labels.REVISION, "")
    return revision
