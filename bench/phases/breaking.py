"""Candidates whose servers exit under traffic: how soon is the traffic off them?

The signal is the pod's status as a kubelet would write it; the decision is the operator's write
of the callers' Service, both by the API server's own clock in the audit log.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.cluster.audit import Call
from bench.cluster.fresh import Cluster
from bench.cluster.pods import fail
from bench.cluster.watching import Key, Watching
from bench.contenders.canarium import Canarium
from bench.driver import many
from bench.measure import Measured, MeasurementMissing, Meter, measuring
from bench.stats import spread

_VERSION = 3
_AT_A_TIME = 0.25
#: Seconds from the first failure until no candidate has traffic.
OFF = "all traffic off s"


async def prepare(
    cluster: Cluster, operator: Canarium, keys: list[Key], watching: Watching, patience: float
) -> dict[Key, str]:
    """Brings a candidate to weight 20 and holds it there; the candidates' pods."""

    async def patch(key: Key) -> None:
        path, body = operator.changed(key, _VERSION)
        body["spec"]["rollout"] = {"steps": [{"weight": 20, "pause": "60m"}]}
        await cluster.client.merge(path, body)

    watching.expect(keys, lambda body: body.get("status", {}).get("weight") == 20)
    await many(keys, patch)
    await watching.all_seen(patience)
    listed = await cluster.client.get("/api/v1/pods")
    image = f":{_VERSION}"
    return {
        (pod["metadata"]["namespace"], pod["metadata"]["labels"]["canarium.dev/model"]): pod[
            "metadata"
        ]["name"]
        for pod in listed["items"]
        if pod["spec"]["containers"][0]["image"].endswith(image)
    }


async def one_by_one(
    cluster: Cluster, operator: Canarium, pods: dict[Key, str], watching: Watching, total: int
) -> Measured:
    """The candidates of `pods`, one after the other, among `total` objects."""
    async with measuring(cluster, operator, "break one by one", total) as meter:
        watching.expect(pods, _is_rolled_back)
        for key, pod in pods.items():
            await fail(cluster.client, key, pod, _VERSION)
            await asyncio.sleep(_AT_A_TIME)
        meter.took(max((await watching.all_seen(60)).values()))
    return _with_latencies(meter, pods)


async def all_at_once(
    cluster: Cluster, operator: Canarium, pods: dict[Key, str], watching: Watching, patience: float
) -> Measured:
    """All of them as fast as the API server takes it."""

    async def act(key: Key) -> None:
        await fail(cluster.client, key, pods[key], _VERSION)

    async with measuring(cluster, operator, "break all at once", len(pods)) as meter:
        watching.expect(pods, _is_rolled_back)
        await many(pods, act)
        meter.result.figures["driver s"] = time.time() - meter.began
        meter.took(max((await watching.all_seen(patience)).values()))
        # Later status writes and Events belong to its cost.
        await cluster.quiet(operator.agents, patience=patience)
    return _with_latencies(meter, pods)


def _is_rolled_back(body: dict[str, Any]) -> bool:
    return body.get("status", {}).get("phase") in ("RollingBack", "RolledBack")


def _with_latencies(meter: Meter, pods: dict[Key, str]) -> Measured:
    signals, decisions = times(meter.seen, pods)
    result = meter.result
    result.figures[OFF] = max(call.answered for call in decisions.values()) - meter.began
    result.latencies["decision"] = spread(
        max(0.0, decisions[key].received - at) for key, at in signals.items()
    )
    result.latencies["traffic off"] = spread(
        max(0.0, decisions[key].answered - at) for key, at in signals.items()
    )
    return result


def times(calls: list[Call], pods: dict[Key, str]) -> tuple[dict[Key, float], dict[Key, Call]]:
    """When the signal of each key was stored, and the write of its Service.

    Raises MeasurementMissing when the log lacks either: then nothing was measured.
    """
    key_of = {(key[0], pod): key for key, pod in pods.items()}
    signals: dict[Key, float] = {}
    decisions: dict[Key, Call] = {}
    for call in calls:
        if call.agent == "bench-driver" and call.resource == "pods/status":
            signals[key_of[call.namespace, call.name]] = call.answered
        elif call.agent == "canarium" and call.resource == "services" and call.writes:
            decisions.setdefault((call.namespace, call.name), call)
    for what, moments in (("signal", signals), ("decision", decisions)):
        if missing := sorted(pods.keys() - moments.keys()):
            key, number = missing[0], len(missing)
            raise MeasurementMissing(
                f"the audit log has no {what} of {number} models, such as {key}"
            )
    return signals, decisions
