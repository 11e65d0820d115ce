"""Which Events belong to a model, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.view.events import event, events, is_of


def about(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"involvedObject": {"kind": kind, "name": name}, "reason": "Why", **more}


@pytest.mark.parametrize(
    ("kind", "name", "mine"),
    [
        ("ModelDeployment", "fraud", True),
        ("Service", "fraud", True),
        ("Deployment", "fraud-bbbb2222", True),
        ("ReplicaSet", "fraud-bbbb2222-5d9f", True),
        ("Pod", "fraud-bbbb2222-5d9f-x7k2p", True),
        ("Pod", "fraud", False),
        ("ModelDeployment", "fraud-bbbb2222-x", False),
        ("Deployment", "fraud-eu", False),
        ("Pod", "fraud-eu-bbbb2222-5d9f-x7k2p", False),
        ("Deployment", "fraud-bbbb22223", False),
        ("Deployment", "other-bbbb2222", False),
    ],
)
def test_event_belongs_to_the_model_by_name_and_revision(kind: str, name: str, mine: bool) -> None:
    assert is_of(about(kind, name), "fraud", {"bbbb2222"}) is mine


def test_events_are_in_the_order_in_which_they_were_last_seen() -> None:
    listed = events(
        [
            about("Pod", "c", lastTimestamp="2026-11-28T14:00:03Z", count=3),
            about("Pod", "a", eventTime="2026-11-28T14:00:01.000000Z"),
            about("Pod", "b", series={"lastObservedTime": "2026-11-28T14:00:02Z", "count": 7}),
            about("Pod", "d", metadata={"creationTimestamp": "2026-11-28T14:00:04Z"}),
        ]
    )
    assert [x.object for x in listed] == ["pod/a", "pod/b", "pod/c", "pod/d"]
    assert [x.count for x in listed] == [1, 7, 3, 1]


@pytest.mark.parametrize("odd", [{}, {"involvedObject": 1}, {"series": [], "message": None}])
def test_odd_event_is_not_an_error(odd: dict[str, Any]) -> None:
    assert event(odd).type == "Normal"
    assert not is_of(odd, "fraud", {"bbbb2222"})
