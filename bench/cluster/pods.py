"""Pods whose servers exit, as a kubelet reports it."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.cluster.client import Client
from bench.cluster.watching import Key


async def fail(client: Client, key: Key, pod: str, version: int) -> None:
    """Writes the status of a pod whose server has exited, as its kubelet would."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
    status = {
        "conditions": [
            {"type": kind, "status": "False", "lastTransitionTime": now}
            for kind in ("Ready", "ContainersReady")
        ]
        + [{"type": "PodScheduled", "status": "True", "lastTransitionTime": now}],
        "containerStatuses": [
            {
                "name": "server",
                "image": f"example.org/model:{version}",
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "state": {"terminated": ended},
            }
        ],
    }
    path = f"/api/v1/namespaces/{key[0]}/pods/{pod}/status"
    await client.merge(path, {"status": status})
