"""Each alert of the chart fires in a real Prometheus.

Three follow from the rollouts of the story. For the others, the operator's and the notifier's own
metrics are served with the figures of a fault.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from canarium.notifier.metrics import NotifierMetrics
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.operator_state import State
from integration.monitoring.conftest import Story, alert_groups
from integration.monitoring.prometheus import Prometheus, free_port, running, until

OF_THE_STORY = {"CanariumModelFailed", "CanariumRollbacks", "CanariumNoLeader"}
FIRING = 'ALERTS{alertstate="firing"}'


def fired(prometheus: Prometheus, at: float | None = None) -> dict[str, list[dict[str, str]]]:
    """Returns the labels of the alerts that fire, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for series in prometheus.instant(FIRING, at):
        found.setdefault(series["metric"]["alertname"], []).append(series["metric"])
    return found


def test_alerts_about_models_name_them(story: Story) -> None:
    found = fired(story.prometheus, story.end)
    assert set(found) == {"CanariumModelFailed", "CanariumRollbacks"}
    (failed,) = found["CanariumModelFailed"]
    assert (failed["namespace"], failed["name"], failed["phase"]) == (
        "monitored",
        "broken",
        "Failed",
    )
    (rolled_back,) = found["CanariumRollbacks"]
    assert (rolled_back["namespace"], rolled_back["name"]) == ("monitored", "fraud")


def test_alert_fires_when_the_last_operator_has_ended(story: Story) -> None:
    """The story ends with its operator."""
    until(lambda: "CanariumNoLeader" in fired(story.prometheus))


def leading(queue_oldest: float, oldest_watch: float) -> OperatorMetrics:
    metrics = OperatorMetrics()
    state = State(
        queue_depth=lambda: 1,
        queue_oldest=lambda: queue_oldest,
        oldest_watch=lambda: oldest_watch,
        leading=lambda: True,
        phases=lambda: (),
        shards=lambda: 1,
    )
    metrics.describe(state)
    return metrics


async def suffering(ports: dict[str, int], folder: Path) -> dict[str, Any]:
    """Serves two operators that lead a shard each, of which one suffers, and a notifier; returns
    the alerts."""
    good, bad, late = leading(0.0, 1.0), leading(60.0, 900.0), NotifierMetrics()
    late.describe(lambda: [("pager", 3, 900.0)])
    jobs = [
        {
            "job_name": name,
            "static_configs": [
                {
                    "targets": [f"127.0.0.1:{port}"],
                    "labels": {"namespace": "canarium", "pod": name},
                }
            ],
        }
        for name, port in ports.items()
    ]
    async with AsyncExitStack() as stack:
        for name, metrics in (("good", good), ("bad", bad), ("notifier", late)):
            served = serve_metrics(metrics.registry, "127.0.0.1", ports[name])
            await stack.enter_async_context(served)
        server = running(folder, free_port(), jobs, alert_groups())
        prometheus = await asyncio.to_thread(server.__enter__)
        try:
            async with asyncio.timeout(60):
                while True:
                    bad.reconciled("failed", 0.1)
                    for _ in range(100):
                        bad.requested("get", "pods", 503)
                    found = await asyncio.to_thread(fired, prometheus)
                    if found.keys() >= expected():
                        return found
                    await asyncio.sleep(0.5)
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)


def expected() -> set[str]:
    rules = [rule for group in alert_groups() for rule in group["rules"]]
    return {rule["alert"] for rule in rules} - OF_THE_STORY


def test_alerts_about_the_operator_fire_for_its_faults(installed: None, tmp_path: Path) -> None:
    ports = {name: free_port() for name in ("good", "bad", "notifier")}
    found = asyncio.run(suffering(ports, tmp_path / "prometheus"))
    assert set(found) == expected()
    assert [alert["pod"] for alert in found["CanariumQueueSlow"]] == ["bad"]
    assert [alert["pod"] for alert in found["CanariumWatchSilent"]] == ["bad"]
    assert [alert["sink"] for alert in found["CanariumNotificationsLate"]] == ["pager"]
