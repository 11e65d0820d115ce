"""The models of good and hostile namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.attack.server import ADDRESS

Manifest = dict[str, Any]
HELD = [{"weight": 50, "pause": "Manual"}]


def model(name: str, version: str, port: int, **spec: Any) -> Manifest:
    """A model of one pod, whose candidate stands at weight 50 until something fails."""
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"version": version},
            "runtime": {
                "image": f"model:{version}",
                "port": port,
                "readiness": {"path": "/ready"},
                **spec.pop("runtime", {}),
            },
            "scaling": {"replicas": 1},
            "rollout": {"steps": HELD, "bakeTime": "1s", **spec.pop("rollout", {})},
            **spec,
        },
    }


def smoke_tested(port: int) -> Iterator[Manifest]:
    """First versions whose smoke tests never end; each is tried again every few seconds."""
    expectations: list[tuple[str, Manifest]] = [
        ("/word", {"schema": {"type": "string", "pattern": "^(a+)+$"}}),
        ("/objects", {"schema": {"uniqueItems": True}}),
        ("/numbers", {"json": [{"path": "$[?count($..*)>1]"}]}),
        ("/lists", {"json": [{"path": "$..*"}]}),
        ("/word", {"schema": {"$ref": "#"}}),
    ]
    for number, (path, expect) in enumerate(expectations):
        tests = [{"path": path, "expect": expect, "timeout": "30s"}]
        yield model(f"smoke-tested-{number}", "1", port, rollout={"smokeTests": tests})


def endless(port: int, grpc: int) -> Iterator[Manifest]:
    """First versions whose gRPC health answer does not end, asked for again and again."""
    for number in range(3):
        tests = [{"grpc": {"port": grpc}, "warmup": 10, "timeout": "30s"}]
        yield model(f"endless-{number}", "1", port, rollout={"smokeTests": tests})


def crowd(number: int, version: str, port: int) -> Manifest:
    """One of many models of a namespace that fail at the same moment."""
    return model(f"crowd-{number}", version, port)


def analyzed(port: int, version: str) -> Manifest:
    """A rollout whose checks are as expensive as they get, every second."""
    address = f"http://{ADDRESS}:{port}"
    labels = {"l": "(x|x)*[yz]"}
    checks: list[Manifest] = [
        {"series": {"name": "requests_total", "kind": "Counter"}},
        {"series": {"name": "slow_total", "kind": "Counter", "labels": labels}},
        {"web": {"url": f"{address}/lists", "path": "$..*"}},
        {"web": {"url": f"{address}/long", "path": "$[0]"}},
        {"web": {"url": f"{address}/numbers", "path": "$[?count($..*)>1]"}},
        {"prometheus": {"url": f"{address}/silent", "query": "up", "timeout": "30s"}},
        {"prometheus": {"url": f"{address}/forged", "query": "up"}},
        {"prometheus": {"url": f"{address}/long", "query": "up"}},
    ]
    named = [{"name": f"c{n}", "max": "1", **check} for n, check in enumerate(checks)]
    analysis = {"interval": "1s", "checks": named}
    metrics = {"path": "/page" if version == "1" else "/counters"}
    manifest = model("judged", version, port, rollout={"analysis": analysis})
    manifest["spec"]["runtime"]["metrics"] = metrics
    return manifest


def annotated(port: int) -> Manifest:
    """A model with as many annotations as the API server takes."""
    manifest = model("annotated", "1", port)
    notes = {f"canarium.dev/typo-{n}": "1" for n in range(8_000)}
    manifest["metadata"]["annotations"] = notes
    return manifest


def good(name: str, version: str, port: int) -> Manifest:
    """A model whose candidate is judged by its own counters, every second."""
    labels: Manifest = {}
    checks = [
        {"name": "bad", "max": "0", "series": {"name": "bad_total", "kind": "Counter", **labels}}
    ]
    manifest = model(
        name, version, port, rollout={"analysis": {"interval": "1s", "checks": checks}}
    )
    manifest["spec"]["runtime"]["metrics"] = {"path": f"/good/{name}-{version}"}
    return manifest
