"""Pauses against the real API server: edits, a status that is wiped, and orders (R12, R16, R18)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from integration.conftest import Cluster

rule = pytest.mark.rule


def steps(*pairs: tuple[int, str]) -> dict[str, Any]:
    return {"steps": [{"weight": w, "pause": p} for w, p in pairs], "bakeTime": "60s"}


async def standing(cluster: Cluster, weight: int, *, edit: dict[str, Any]) -> str:
    """Version 2 stands at the manual pause of `weight`; returns its revision."""
    cluster.apply("1", rollout=edit)
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=edit)
    status = await cluster.until(lambda s: at_manual(s, weight))
    revision: str = status["candidate"]["revision"]
    return revision


def at_manual(status: dict[str, Any], weight: int) -> bool:
    hold, progress = status.get("waitingFor") or {}, status.get("progress") or {}
    return hold.get("reason") == "Manual" and progress.get("weight") == weight


def wipe(cluster: Cluster) -> None:
    patch = json.dumps([{"op": "replace", "path": "/status", "value": {}}])
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "modeldeployment", "fraud",
        "--subresource=status", "--type=json", "-p", patch,
    )  # fmt: skip


def order(cluster: Cluster, command: str, value: str) -> None:
    note = f"canarium.dev/{command}={value}"
    cluster.plane.kubectl("-n", cluster.namespace, "annotate", "modeldeployment", "fraud", note)


async def stays(cluster: Cluster, weight: int, seconds: float = 4.0) -> None:
    """The candidate stands at `weight` from now on, for as long as a wrong release would take."""
    status = await cluster.until(lambda s: at_manual(s, weight))
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        status = (await cluster.model()).get("status") or status
        assert status.get("version") in ("1", None), status["message"]
        await asyncio.sleep(0.2)
    assert at_manual(status, weight), status["message"]


@rule("R12")
async def test_added_step_releases_no_manual_pause(cluster: Cluster) -> None:
    # A1
    revision = await standing(cluster, 50, edit=steps((25, "1s"), (50, "Manual")))
    cluster.apply("2", rollout=steps((25, "1s"), (30, "1s"), (50, "Manual")))
    generation = (await cluster.model())["metadata"]["generation"]
    await cluster.until(lambda s: s.get("observedGeneration") == generation)
    await stays(cluster, 50)
    order(cluster, "promote", f"{revision}/one")
    await cluster.phase("Baking", "2")


@rule("R16", "R18")
async def test_wiped_status_releases_no_manual_pause_and_uses_no_token_twice(
    cluster: Cluster,
) -> None:
    # A4
    revision = await standing(cluster, 10, edit=steps((10, "Manual"), (50, "Manual"), (90, "2s")))
    wipe(cluster)
    await stays(cluster, 10)
    order(cluster, "promote", f"{revision}/one")
    await cluster.until(lambda s: at_manual(s, 50))
    wipe(cluster)  # The annotation with the token still stands.
    await stays(cluster, 50)


@rule("R16", "R18")
async def test_promote_full_acts_when_the_status_is_wiped_right_after_it(
    cluster: Cluster,
) -> None:
    # A6
    revision = await standing(cluster, 10, edit=steps((10, "Manual"), (50, "Manual")))
    order(cluster, "promote-full", f"{revision}/one")
    await cluster.until(lambda s: bool(s.get("commands")))
    wipe(cluster)
    await cluster.phase("Baking", "2")
