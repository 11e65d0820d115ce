"""How tools judge a resource by its conditions, as kstatus of sigs.k8s.io/cli-utils does.

Flux, kpt and others use that library. For a kind that it does not know: being deleted, then a
generation that was not observed, then Reconciling and Stalled, then Ready.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from canarium.kube import resources
from canarium.kube.http import Client

IN_PROGRESS, FAILED, CURRENT, TERMINATING = "InProgress", "Failed", "Current", "Terminating"


def judged(model: dict[str, Any]) -> str:
    """The kstatus of an object."""
    meta, status = model["metadata"], model.get("status") or {}
    if meta.get("deletionTimestamp"):
        return TERMINATING
    observed = status.get("observedGeneration")
    if observed is not None and observed != meta["generation"]:
        return IN_PROGRESS
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    if conditions.get("Reconciling") == "True":
        return IN_PROGRESS
    if conditions.get("Stalled") == "True":
        return FAILED
    if "Ready" in conditions:
        return CURRENT if conditions["Ready"] == "True" else IN_PROGRESS
    # An object without conditions counts as done.
    return CURRENT


@contextlib.asynccontextmanager
async def recorded(client: Client, namespace: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Every version of the models of a namespace from now on, as a watch reports them."""
    seen: list[dict[str, Any]] = []
    listed = await client.list(resources.MODELS, namespace)
    version = listed["metadata"]["resourceVersion"]

    async def watch() -> None:
        async for event in client.watch(resources.MODELS, namespace, resourceVersion=version):
            if event["type"] in ("ADDED", "MODIFIED"):
                seen.append(event["object"])

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
