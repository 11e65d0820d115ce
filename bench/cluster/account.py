"""A ServiceAccount that may do everything: what an administrator sends is never refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bench.cluster.fresh import Cluster

_GROUP = "rbac.authorization.k8s.io"


async def account(fresh: Cluster) -> Path:
    """Creates the account; its kubeconfig."""
    account = {"metadata": {"name": "bench", "namespace": "default"}}
    await fresh.client.post("/api/v1/namespaces/default/serviceaccounts", account)
    binding = {
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
    }
    await fresh.client.post(f"/apis/{_GROUP}/v1/clusterrolebindings", binding)
    where = "/api/v1/namespaces/default/serviceaccounts/bench/token"
    token = (await fresh.client.post(where, {"spec": {}}))["status"]["token"]
    config = json.loads(await asyncio.to_thread(fresh.sandbox.kubeconfig.read_text))
    config["users"][0]["user"] = {"token": token}
    path = fresh.sandbox.folder / "bench.kubeconfig"
    await asyncio.to_thread(path.write_text, json.dumps(config))
    return path
