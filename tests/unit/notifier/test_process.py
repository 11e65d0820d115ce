"""What the process passes on from its watch to the deliveries (R28)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from canarium.api.status.transition import KEPT
from canarium.kube.cache import Cache
from canarium.kube.clock import Timing
from canarium.notifier.cursors import Cursors
from canarium.notifier.notification import project
from canarium.notifier.process import Notifier, Options
from canarium.notifier.settings import Settings
from unit.notifier.notifications import BEGAN, transition
from unit.notifier.test_cursors import Api

rule = pytest.mark.rule
SINK = {
    "name": "ci",
    "cloudEvents": {"url": "http://receiver"},
    "match": {"types": ["RolledBack"]},
}


def raw(newest: int) -> dict[str, Any]:
    """A model of which the transition of second `newest` is the last one."""
    kept = range(max(1, newest - KEPT + 1), newest + 1)
    listed = [transition(n).model_dump(mode="json", by_alias=True) for n in kept]
    meta = {"namespace": "risk", "name": "m", "uid": "u1", "resourceVersion": str(newest)}
    return {"metadata": meta, "status": {"transitions": listed}}


@rule("R28")
@pytest.mark.parametrize(
    ("first", "later", "lost"),
    [
        (2, range(3, 3 * KEPT), 0),
        (2, [2 + KEPT - 1], 0),
        (2, [2 + KEPT + 5], 1),
        (KEPT + 5, range(KEPT + 6, 3 * KEPT), 1),
    ],
    ids=["watched", "still in the status", "gap in the watch", "gap before the start"],
)
async def test_only_transitions_that_the_process_has_not_seen_count_as_lost(
    tmp_path: Path, first: int, later: list[int], lost: int
) -> None:
    timing = Timing(now=lambda: BEGAN)
    settings = Settings.model_validate({"sinks": [SINK]})
    notifier = Notifier(Options(settings, "ml", tmp_path), timing)
    await notifier._load(Cursors(Api(), "ml", "notifier", timing))  # type: ignore[arg-type]
    cache = Cache(project, notifier._observe)
    for newest in (first, *later):
        cache.observe(raw(newest))
    labels = {"sink": "ci", "reason": "Overflow"}
    found = notifier._metrics.registry.get_sample_value(
        "canarium_notifications_dropped_total", labels
    )
    assert (found or 0.0) == lost
