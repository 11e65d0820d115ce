"""Scenarios with the same end for every fault of their operator: a rollout, and a rollback.

Each has its own namespace and operator, so that many can run in parallel.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from canarium.kube import resources
from canarium.kube.http import Client
from integration.conftest import Cluster, Operator
from integration.killable_operator import KillableOperator
from sandbox.controlplane import ControlPlane

_serial = itertools.count()
#: The server of such a version ends with code 0.
BAD = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
End = dict[str, Any]
#: What is done to the cluster while the second version is on its way.
Injection = Callable[[], Awaitable[None]]


class Scenario:
    """One namespace with a model in it, and the operator that manages it."""

    def __init__(self, plane: ControlPlane, client: Client) -> None:
        self.plane = plane
        self.namespace = f"scenario-{next(_serial)}"
        self.log = plane.folder.parent / f"{self.namespace}.log"
        unused: Any = None
        quiet = Operator(plane.kubeconfig, self.log)
        self.cluster = Cluster(plane, client, unused, quiet, self.namespace)
        self.operator: KillableOperator | None = None
        #: Writes that had been made before the second version was applied.
        self.before = 0

    async def begin(
        self, *flags: str, kubeconfig: Path | None = None, die_at: int = 0, own: bool = True
    ) -> None:
        """Creates the namespace and, unless another operator manages it, starts one."""
        await asyncio.to_thread(self.plane.kubectl, "create", "namespace", self.namespace)
        if own:
            flags = ("--namespace", self.namespace, *flags)
            kubeconfig = kubeconfig or self.plane.kubeconfig
            self.operator = KillableOperator(kubeconfig, self.log, *flags, die_at=die_at)

    async def end(self) -> None:
        """Takes the model and the operator away."""
        await self.cluster.client.delete(resources.MODELS, self.namespace, "fraud")
        if self.operator:
            await asyncio.to_thread(self.operator.stop)

    async def apply(self, version: str, **spec: Any) -> None:
        await asyncio.to_thread(self.cluster.apply, version, **spec)

    async def until(self, waiting: Awaitable[Any]) -> Any:
        """Waits, and keeps the operator alive meanwhile."""
        task = asyncio.ensure_future(waiting)
        try:
            while not task.done():
                if self.operator:
                    self.operator.look()
                await asyncio.wait([task], timeout=0.1)
        finally:
            task.cancel()
        return task.result()

    async def phase(self, phase: str, version: str) -> Any:
        return await self.until(self.cluster.phase(phase, version, seconds=120))

    async def weight(self, least: int) -> Any:
        return await self.until(
            self.cluster.until(lambda s: (s.get("weight") or 0) >= least, seconds=90)
        )

    async def left(self) -> End:
        """What is left in the cluster, less what no two scenarios have in common."""
        await asyncio.sleep(0.3)
        deployments = await self.cluster.children(resources.DEPLOYMENTS)
        # The previous version is deleted once no endpoint refers to its pods, maybe a moment later.
        for _ in range(200):
            if len(deployments) == 1:
                break
            await asyncio.sleep(0.1)
            deployments = await self.cluster.children(resources.DEPLOYMENTS)
        status = (await self.cluster.model())["status"]
        (service,) = await self.cluster.children(resources.SERVICES)
        records = await self.cluster.children(resources.RECORDS)
        times = ("canarium.dev/promoted-at", "canarium.dev/traffic-since")
        notes = {k: v for k, v in service["metadata"]["annotations"].items() if k not in times}
        return {
            "status": (status["phase"], status["version"], without_names(status["message"])),
            "rejectedWrites": status.get("rejectedWrites"),
            # A generation counts every write of the spec: no client has changed what serves.
            "deployments": {
                d["metadata"]["name"]: (d["metadata"]["generation"], d["spec"]) for d in deployments
            },
            "service": (service["spec"]["selector"], notes),
            "records": {r["metadata"]["name"]: r["data"]["template"] for r in records},
        }


def without_names(message: str) -> str:
    """A message without what no two scenarios have in common: times, and which pod it was."""
    message = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", message)
    return re.sub(r"pod[/ ][-a-z0-9]+", "pod/NAME", message)


def touched(plane: ControlPlane) -> dict[str, set[tuple[str, str, str]]]:
    """By namespace, what operators did to Deployments, however often: verb, name, subresource."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for line in (plane.folder / "audit.log").read_text().splitlines():
        entry = json.loads(line)
        what = entry.get("objectRef", {})
        written = entry["verb"] not in ("get", "list", "watch")
        if what.get("resource") != "deployments" or not written:
            continue
        if entry.get("userAgent", "").startswith("canarium/"):
            name = what.get("name") or "(new)"
            write = (entry["verb"], name, what.get("subresource", ""))
            found.setdefault(what["namespace"], set()).add(write)
    return found


def created(plane: ControlPlane, namespace: str) -> dict[tuple[str, str], int]:
    """Which children the operators created so far, by kind and name, and how often. Counted before
    the model is deleted: what the garbage collector takes first may be created once more."""
    found: dict[tuple[str, str], int] = {}
    for line in (plane.folder / "audit.log").read_text().splitlines():
        entry = json.loads(line)
        what, code = entry.get("objectRef", {}), entry.get("responseStatus", {}).get("code")
        ours = entry.get("userAgent", "").startswith("canarium/")
        aside = what.get("resource") in ("events", "leases", "pods") or what.get("subresource")
        # An apply that finds nothing creates.
        if not ours or aside or what.get("namespace") != namespace or code != 201:
            continue
        child = (what["resource"], what.get("name", ""))
        found[child] = found.get(child, 0) + 1
    return found


async def nothing() -> None:
    """Injects no fault."""


async def rollout(scenario: Scenario, inject: Injection = nothing) -> End:
    """Version 1, then version 2 by its steps; the fault starts once it has its first weight."""
    await scenario.apply("1")
    await scenario.phase("Ready", "1")
    await scenario.apply("2")
    if inject is not nothing:
        await scenario.weight(25)
        await inject()
    await scenario.phase("Ready", "2")
    return await scenario.left()


async def rollback(scenario: Scenario, inject: Injection = nothing) -> End:
    """Version 1, then a version that cannot serve; the fault starts as soon as it is applied."""
    await scenario.apply("1")
    await scenario.phase("Ready", "1")
    if scenario.operator:
        scenario.before = int(scenario.operator.made.value)
    await scenario.apply("2", podTemplate=BAD)
    await inject()
    await scenario.phase("RolledBack", "1")
    return await scenario.left()
