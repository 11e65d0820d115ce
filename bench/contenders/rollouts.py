"""Argo Rollouts: one Rollout per key, weight 20, five seconds, all; its Service made before."""

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
from sandbox.ports import free_ports

_GROUP = "/apis/argoproj.io/v1alpha1"


class Rollouts:
    """At its own QPS of 40, or `raised` to 2,000."""

    agents = frozenset({"rollouts-controller"})
    collection = f"{_GROUP}/rollouts"
    children = frozenset({"replicasets"})

    def __init__(self, *, raised: bool) -> None:
        self.name = "rollouts (raised QPS)" if raised else "rollouts (defaults)"
        self._limits = ("--qps", "2000", "--burst", "4000") if raised else ()
        self._process = Spawned("rollouts")

    async def install(self, cluster: Cluster) -> None:
        where = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for path in sorted(
            (builds.module("rollouts-controller") / "manifests/crds").glob("*-crd.yaml")
        ):
            await cluster.client.post(where, yaml.safe_load(path.read_text()))
        await established(cluster, self.collection)
        await cluster.client.post("/api/v1/namespaces", {"metadata": {"name": "argo-rollouts"}})

    async def start(self, cluster: Cluster) -> None:
        health, metrics = free_ports(2)
        self._process.start(
            [
                *(builds.find("rollouts-controller"), "--kubeconfig", cluster.kubeconfig),
                *("--healthzPort", str(health), "--metricsPort", str(metrics)),
                *("--loglevel", "warn", "--instance-id", ""),
                *self._limits,
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
        return [service(key)]

    def created(self, key: Key) -> Request:
        namespace, name = key
        steps = [{"setWeight": 20}, {"pause": {"duration": "5s"}}, {"setWeight": 100}]
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, 1),
                "strategy": {"canary": {"steps": steps}},
            },
        }
        return f"{_GROUP}/namespaces/{namespace}/rollouts", body

    def changed(self, key: Key, version: int) -> Request:
        path = f"{_GROUP}/namespaces/{key[0]}/rollouts/{key[1]}"
        return path, {"spec": {"template": template(key[1], version)}}

    def live(self, body: Body, version: int) -> bool:
        status = body.get("status", {})
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        return (
            image.endswith(f":{version}")
            and str(status.get("observedGeneration")) == str(body["metadata"]["generation"])
            and status.get("phase") == "Healthy"
            and bool(status.get("stableRS"))
            and status.get("stableRS") == status.get("currentPodHash")
        )

    async def gauges(self) -> Mapping[str, float]:
        return {}


def template(name: str, version: int) -> Body:
    """The pods of one version."""
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "server", "image": f"example.org/model:{version}"}]},
    }


def service(key: Key) -> Request:
    """A Service over all pods of `key`."""
    namespace, name = key
    body = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]},
    }
    return f"/api/v1/namespaces/{namespace}/services", body
