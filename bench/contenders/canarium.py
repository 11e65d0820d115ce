"""The operator of this repository, as `canarium run` beside a simulated cluster."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.cluster.client import Body, Refused
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders.contender import Request, Spawned
from sandbox.ports import free_ports

_ROOT = Path(__file__).parents[2]
_GROUP = "/apis/canarium.dev/v1alpha1"
_GAUGES = {
    "canarium_queue_oldest_seconds": "queue age max s",
    "canarium_event_loop_lag_max_seconds": "loop lag max s",
    "canarium_queue_depth": "queue depth max",
}

#: Seconds between two complete reads of the metrics, as by a Prometheus.
_SCRAPE = 15.0
_RECONCILES = "canarium_reconcile_duration_seconds_count"
#: The samples that judge the phases.
_JUDGED = ("canarium_leader", _RECONCILES, *_GAUGES)

#: Seconds of the step at weight 20.
PAUSE = 5.0

Samples = dict[tuple[str, ...], float]


class Canarium:
    """One ModelDeployment per key: one replica, weight 20 for five seconds, no bake."""

    agents = frozenset({"canarium", "kopf"})
    collection = f"{_GROUP}/modeldeployments"
    children = frozenset({"controllerrevisions", "deployments", "services"})

    def __init__(self, name: str = "canarium", pause: str = f"{PAUSE:g}s",
        profile: bool = False, settings: tuple[str, ...] = (), pod: str = "",
        interpreter: str = "") -> None:  # fmt: skip
        self.name = name
        self.pause = pause
        #: UID of the pod that it runs in; processes of one pod follow each other.
        self._pod = pod
        self._interpreter = interpreter
        self._profile, self._settings = profile, settings
        #: When all metrics were read last.
        self._scraped = time.monotonic()
        self._process = Spawned(name)
        self._port = 0

    async def install(self, cluster: Cluster) -> None:
        for path in sorted((_ROOT / "crds").glob("*.yaml")):
            for body in yaml.safe_load_all(path.read_text()):
                where = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
                await cluster.client.post(where, body)
        await established(cluster, self.collection)

    async def start(self, cluster: Cluster) -> None:
        self.spawn(cluster)
        await self.leading(60)

    def spawn(self, cluster: Cluster) -> None:
        """Starts the process and waits for nothing."""
        (self._port,) = free_ports(1)
        folder = cluster.sandbox.folder
        profiler = ["-m", "cProfile", "-o", f"{folder}/{self.name}.prof"] if self._profile else []
        self._process.start(
            [
                *(
                    self._interpreter or python(),
                    *profiler,
                    "-m",
                    "canarium",
                    "run",
                    "--log-level",
                    "WARNING",
                ),
                *("--kubeconfig", cluster.kubeconfig, "--lease-namespace", "default"),
                *("--metrics-port", str(self._port)),
                *self._settings,
            ],
            folder,
            PYTHONPATH=str(_ROOT / "operator"),
            **({"POD_UID": self._pod} if self._pod else {}),
        )

    async def leading(self, patience: float) -> float:
        """Waits until the process leads; POSIX seconds of the moment. Raises TimeoutError."""
        return await self._until(lambda m: m["canarium_leader",] == 1, patience)

    async def reconciled(self, keys: int, patience: float) -> float:
        """Waits until `keys` were reconciled and none waits; POSIX seconds."""
        return await self._until(
            lambda m: reconciles(m) >= keys and m["canarium_queue_depth",] == 0, patience
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._process.stop(how)

    def pids(self) -> dict[str, int]:
        return self._process.pids()

    def before(self, key: Key) -> list[Request]:
        return []

    def created(self, key: Key) -> Request:
        namespace, name = key
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                **_version(1),
                "scaling": {"replicas": 1},
                "rollout": {"steps": [{"weight": 20, "pause": self.pause}], "bakeTime": "0s"},
            },
        }
        return f"{_GROUP}/namespaces/{namespace}/modeldeployments", body

    def changed(self, key: Key, version: int) -> Request:
        return self.path(key), {"spec": _version(version)}

    def path(self, key: Key) -> str:
        return f"{_GROUP}/namespaces/{key[0]}/modeldeployments/{key[1]}"

    def live(self, body: Body, version: int) -> bool:
        status = body.get("status", {})
        return (
            status.get("observedGeneration") == body["metadata"]["generation"]
            and status.get("version") == str(version)
            and status.get("phase") == "Ready"
            and condition(body, "Ready")
        )

    async def gauges(self) -> Mapping[str, float]:
        complete = time.monotonic() >= self._scraped + _SCRAPE
        try:
            metrics = await self.metrics(() if complete else _JUDGED)
        except (aiohttp.ClientError, OSError):
            return {}
        if complete:
            self._scraped = time.monotonic()
        return {word: metrics[name,] for name, word in _GAUGES.items() if (name,) in metrics}

    async def metrics(self, names: Iterable[str] = _JUDGED) -> Samples:
        """The samples of `names`, or all of them, by name and label values.

        Those of every model cost the operator and the driver time, so they are read only as often
        as a Prometheus would. Raises aiohttp.ClientError.
        """
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"http://127.0.0.1:{self._port}/metrics", params=[("name[]", n) for n in names]
            ) as answer,
        ):
            text = await answer.text()
        return {
            (s.name, *s.labels.values()): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
        }

    async def _until(self, holds: Any, patience: float) -> float:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if holds(await self.metrics()):
                    return time.time()
            except (aiohttp.ClientError, OSError, KeyError):
                if self._process.pid is None:
                    log = self._process.log
                    raise RuntimeError(f"it ended: see {log}\n{log.read_text()[-2000:]}") from None
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{self.name}: not in {patience:.0f} s, see {self._process.log}")


def python() -> str:
    """The interpreter with what the operator's image has. Raises FileNotFoundError."""
    path = _ROOT / ".venv-runtime" / "bin" / "python"
    if not path.exists():
        raise FileNotFoundError(f"{path}: run make bench, which makes it")
    return str(path)


def reconciles(samples: Samples) -> float:
    """Returns the number of reconciles so far, with any result."""
    return sum(value for key, value in samples.items() if key[0] == _RECONCILES)


def condition(body: Body, kind: str) -> bool:
    """Returns whether the condition `kind` of an object is True."""
    conditions = body.get("status", {}).get("conditions") or ()
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


async def established(cluster: Cluster, collection: str) -> None:
    """Waits until the API server serves a new collection."""
    for _ in range(200):
        try:
            await cluster.client.get(collection)
        except Refused as refused:
            if refused.code not in (404, 429):
                raise
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{collection} is not served after 20 s")


def _version(version: int) -> Body:
    image = {"image": f"example.org/model:{version}", "readiness": {"path": "/ready"}}
    return {"model": {"version": str(version)}, "runtime": image}
