"""Flagger with its kubernetes provider (blue/green): one Canary per key, its Deployment before."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping

import yaml

from bench.cluster.client import Body
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders import builds
from bench.contenders.canarium import established
from bench.contenders.contender import Request, Spawned
from bench.contenders.rollouts import template

_GROUP = "/apis/flagger.app/v1beta1"


class Flagger:
    """Interval 5 s, one iteration, no metrics to check."""

    name = "flagger"
    agents = frozenset({"flagger"})
    collection = f"{_GROUP}/canaries"
    children = frozenset({"deployments", "services"})

    def __init__(self) -> None:
        self._process = Spawned("flagger")

    async def install(self, cluster: Cluster) -> None:
        where = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        text = (builds.module("flagger") / "artifacts/flagger/crd.yaml").read_text()
        for body in yaml.safe_load_all(text):
            if body:
                await cluster.client.post(where, body)
        await established(cluster, self.collection)

    async def start(self, cluster: Cluster) -> None:
        self._process.start(
            [
                *(builds.find("flagger"), "-kubeconfig", cluster.kubeconfig),
                *("-mesh-provider", "kubernetes", "-log-level", "error", "-port", "0"),
                *("-metrics-server", "http://127.0.0.1:9", "-kubeconfig-qps", "2000"),
                *("-kubeconfig-burst", "4000", "-threadiness", "10"),
            ],
            cluster.sandbox.folder,
        )
        await asyncio.sleep(5)
        if self._process.pid is None:
            raise RuntimeError(self._process.log.read_text()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._process.stop(how)

    def pids(self) -> dict[str, int]:
        return self._process.pids()

    def before(self, key: Key) -> list[Request]:
        namespace, name = key
        body = {
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, 1),
            },
        }
        return [(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)]

    def created(self, key: Key) -> Request:
        namespace, name = key
        body = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "service": {"port": 80},
                "analysis": {"interval": "5s", "threshold": 1, "iterations": 1},
            },
        }
        return f"{_GROUP}/namespaces/{namespace}/canaries", body

    def changed(self, key: Key, version: int) -> Request:
        path = f"/apis/apps/v1/namespaces/{key[0]}/deployments/{key[1]}"
        return path, {"spec": {"template": template(key[1], version)}}

    def live(self, body: Body, version: int) -> bool:
        phase = body.get("status", {}).get("phase")
        return bool(phase == ("Initialized" if version == 1 else "Succeeded"))

    async def gauges(self) -> Mapping[str, float]:
        return {}
