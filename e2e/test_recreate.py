"""Strategy `Recreate` on real pods: one version at a time, and callers who ask all the time (R22).

An outage is part of the strategy. It has to be one piece, as short as Kubernetes allows, and in the
status; outside of it no request fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from support.account import only_outage
from support.client import Client
from support.model import World

rule = pytest.mark.rule
RECREATE: dict[str, Any] = {
    "scaling": {"replicas": 1},
    "rollout": {"strategy": "Recreate"},
}
#: Seconds from a pod's readiness (reported in whole seconds) until callers reach it: endpoints, and
#: kube-proxy, which batches changes for a second.
REACHED_WITHIN = 4.0


def lag(client: Client, began: float, version: str, pod: dict[str, Any]) -> float:
    """Seconds from a pod's readiness to the first answer of `version` since `began`."""
    (ready,) = (c for c in pod["status"]["conditions"] if c["type"] == "Ready")
    at = datetime.fromisoformat(ready["lastTransitionTime"].replace("Z", "+00:00")).timestamp()
    first = min(a.at for a in list(client.answers) if a.at >= began and a.version == version)
    return first + time.time() - time.monotonic() - at


@rule("R22", "R29")
def test_recreate_has_one_outage_per_version_and_the_status_reports_it(
    world: World, figures: Callable[..., None]
) -> None:
    world.apply("v1", **RECREATE)
    world.phase("Ready", "v1")
    client = world.ask_all_the_time()

    def account(case: str, began: float, old: str, new: str) -> None:
        failed = only_outage((a for a in list(client.answers) if a.at >= began), old, new)
        sent, seconds = sum(client.since(began).values()), 0.0
        if failed:
            seconds = failed[-1].at - failed[0].at
        figures(
            "outages by strategy Recreate",
            case=case,
            sent=sent,
            failed=len(failed),
            seconds=f"{seconds:.1f}",
        )

    began = time.monotonic()
    world.apply("v2", **RECREATE)
    status = world.until(lambda s: condition(s, "Available")["status"] == "False", "the outage")
    assert condition(status, "Available")["reason"] == "Recreating"
    assert "Expect downtime" in status["message"]
    status = world.phase("Ready", "v2")
    second = status["stable"]["revision"]
    (pod,) = world.pods(second)
    time.sleep(REACHED_WITHIN)
    assert lag(client, began, "v2", pod) < REACHED_WITHIN
    account("v2 takes the place of v1", began, "v1", "v2")

    began = time.monotonic()
    world.apply("v3", **RECREATE)
    failed = world.until(lambda s: s.get("failure"), "a failure")["failure"]
    # E4: one GPU. The pods of stable start once those of the failed version have ended.
    end = time.monotonic() + 60
    while not world.pods(second):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [p for p in world.pods(failed["revision"]) if holds_resources(p)] == []
    world.until(lambda s: s["phase"] == "RolledBack" and serves(s), "v2 back")
    (pod,) = world.pods(second)
    time.sleep(REACHED_WITHIN)
    returned = max(a.at for a in list(client.answers) if a.version is None)
    assert lag(client, returned, "v2", pod) < REACHED_WITHIN
    assert set(client.since(began)) == {"v2", None}, "v3 never answered"
    sent, lost = sum(client.since(began).values()), client.since(began)[None]
    figures(
        "outages by strategy Recreate",
        case="v3 cannot be loaded, v2 returns",
        sent=sent,
        failed=lost,
        seconds=f"{lost / 40:.1f}",
    )


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), {"status": ""})


def holds_resources(pod: dict[str, Any]) -> bool:
    """Whether a pod has a claim on its node; one whose containers have all ended has none."""
    return pod["status"]["phase"] not in ("Succeeded", "Failed")


def serves(status: dict[str, Any]) -> bool:
    return bool(condition(status, "Available")["status"] == "True")
