"""The JSON log of a real operator: one object per line, and one id per reconcile."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from integration.monitoring.conftest import NAMESPACE, Story


def by_reconcile(story: Story) -> dict[str, list[dict[str, Any]]]:
    lines = defaultdict(list)
    for line in story.log:
        if "reconcileID" in line:
            lines[line["reconcileID"]].append(line)
    return dict(lines)


def test_every_line_is_an_object_with_time_level_logger_and_message(story: Story) -> None:
    log = story.log
    assert len(log) > 50
    for line in log:
        assert line.keys() >= {"ts", "level", "logger", "msg"}, line
        assert story.start - 1 < datetime.fromisoformat(line["ts"]).timestamp() < time.time()


def test_lines_of_one_reconcile_share_the_id_the_model_and_the_revision(story: Story) -> None:
    reconciles = by_reconcile(story)
    assert len(reconciles) > 10
    for lines in reconciles.values():
        assert {line["namespace"] for line in lines} == {NAMESPACE}
        assert len({line["name"] for line in lines}) == 1
        assert len({line["revision"] for line in lines if "revision" in line}) <= 1
        # A reconcile ends with one line, and there is one id per reconcile.
        ends = [line for line in lines if " reconciled in " in line["msg"]]
        assert len(ends) <= 1
    assert sum(" reconciled in " in line["msg"] for lines in reconciles.values() for line in lines)


def test_line_about_a_model_names_it_in_fields(story: Story) -> None:
    for line in story.log:
        for name in ("fraud", "broken"):
            if line["msg"].startswith(f"{NAMESPACE}/{name}: "):
                assert (line["namespace"], line["name"]) == (NAMESPACE, name), line


def test_rollback_can_be_followed_by_its_reconcile(story: Story) -> None:
    (event,) = (
        line
        for line in story.log
        if ": RolledBack: " in line["msg"] and line.get("name") == "fraud"
    )
    assert event["level"] == "info"
    assert event["revision"] == story.status["revision"]
    same = by_reconcile(story)[event["reconcileID"]]
    assert any(line is not event for line in same)
