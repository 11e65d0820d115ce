"""Operators, notifiers and models on a real API server, and what a watch shows of the models."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench.attack import pods
from bench.notifications.sinks import Entry, Sink
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client

MODEL = "fraud"
_ROOT = Path(__file__).parents[2]
_STEPS = [{"weight": 25}, {"weight": 50}]
#: Weight at which a bad version fails.
HELD = 25
Status = dict[str, Any]


class Stalled(RuntimeError):
    """Something did not happen in time; the text describes it."""


def manifest(version: int, *, held: bool) -> dict[str, Any]:
    """A model of three pods, whose rollout has no pauses, or is `held` at its first step."""
    steps = [{"weight": HELD, "pause": "Manual"}] if held else _STEPS
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": MODEL},
        "spec": {
            "model": {"version": str(version)},
            "runtime": {"image": f"model:{version}", "readiness": {"path": "/ready"}},
            "scaling": {"replicas": 3},
            "rollout": {"steps": steps, "bakeTime": "0s"},
        },
    }


@dataclass
class Watched:
    """The model of each namespace as a watch shows it, and every transition that its status had."""

    client: Client
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: dict[str, list[Entry]] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            with contextlib.suppress(ApiError, aiohttp.ClientError):
                listed = await self.client.list(resources.MODELS)
                for model in listed["items"]:
                    await self._note(model)
                since = listed["metadata"]["resourceVersion"]
                async for event in self.client.watch(resources.MODELS, None, resourceVersion=since):
                    if event["type"] in ("ADDED", "MODIFIED"):
                        await self._note(event["object"])

    async def _note(self, model: dict[str, Any]) -> None:
        namespace = model["metadata"]["namespace"]
        known = self.recorded.setdefault(namespace, [])
        for one in model.get("status", {}).get("transitions", ()):
            if not known or one["time"] > known[-1][0]:
                known.append((one["time"], one["type"]))
        async with self._changed:
            self.models[namespace] = model
            self._changed.notify_all()

    async def until(
        self, namespace: str, there: Callable[[Status], bool], patience: float = 60.0
    ) -> float:
        """Waits for a status of the present spec; returns when it was seen. Raises Stalled."""

        def holds() -> bool:
            model = self.models.get(namespace, {})
            status = model.get("status", {})
            current = status.get("observedGeneration") == model.get("metadata", {}).get(
                "generation"
            )
            return bool(status) and current and there(status)

        try:
            async with asyncio.timeout(patience), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            status = self.models.get(namespace, {}).get("status", {})
            raise Stalled(f"{namespace}: not seen in {patience:g} s: {status}") from None
        return time.monotonic()


@dataclass(frozen=True)
class Bench:
    """The API server's client, its kubeconfig, and a folder for logs and settings."""

    client: Client
    kubeconfig: Path
    folder: Path

    async def namespace(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.client.apply(resources.NAMESPACES, None, name, body, force=True)

    async def apply(self, namespace: str, version: int, *, held: bool = False) -> float:
        """Applies a version; returns when that began."""
        began = time.monotonic()
        body = manifest(version, held=held)
        await self.client.apply(resources.MODELS, namespace, MODEL, body, force=True)
        return began

    async def fail(self, namespace: str, version: int) -> float:
        """Lets the server of the candidate exit; the seconds until no traffic reaches it."""
        label = f"canarium.dev/model={MODEL}"
        listed = await self.client.list(resources.PODS, namespace, labelSelector=label)
        image = f"model:{version}"
        (pod, *_) = (p for p in listed["items"] if p["spec"]["containers"][0]["image"] == image)
        await pods.crash(self.client, pod)
        began = time.monotonic()
        while time.monotonic() < began + 30:
            service = await self.client.get(resources.SERVICES, namespace, MODEL)
            if service["spec"]["selector"].get("canarium.dev/color"):
                return time.monotonic() - began
            await asyncio.sleep(0.01)
        raise Stalled(f"{namespace}: the traffic was not off within 30 s")

    @contextlib.asynccontextmanager
    async def operator(self, *namespaces: str, recording: bool) -> AsyncIterator[None]:
        """Runs an operator for some namespaces; `recording`: with notifications enabled."""
        words = ["run", f"--lease-namespace={namespaces[0]}"]
        words += ["--record-transitions"] if recording else []
        words += [f"--namespace={name}" for name in namespaces]
        async with self._process(f"operator-{namespaces[0]}", "leading", *words):
            yield

    @contextlib.asynccontextmanager
    async def notifier(self, namespace: str, sink: Sink) -> AsyncIterator[None]:
        """Runs a notifier for the models of one namespace."""
        config = self.folder / f"{namespace}.yaml"
        receiver = {"name": "ci", "cloudEvents": {"url": f"http://127.0.0.1:{sink.port}/"}}
        config.write_text(yaml.safe_dump({"cluster": "bench", "sinks": [receiver]}))
        words = ["notify", f"--config={config}", f"--namespace={namespace}"]
        words.append(f"--lease-namespace={namespace}")
        async with self._process(f"notifier-{namespace}", "delivering to", *words):
            yield

    @contextlib.asynccontextmanager
    async def _process(self, name: str, ready: str, *words: str) -> AsyncIterator[None]:
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "canarium", *words),
                f"--kubeconfig={self.kubeconfig}",
                stdout=output,
                stderr=output,
                cwd=_ROOT,
            )
        try:
            end = time.monotonic() + 60
            while ready not in log.read_text():
                if process.returncode is not None or time.monotonic() > end:
                    raise Stalled(f"{name} does not run: {log.read_text()[-2000:]}")
                await asyncio.sleep(0.1)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
