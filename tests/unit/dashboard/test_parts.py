"""Rings of values, label selectors, differences, and pictures of odd values."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from canarium.view.tree import Evaluation
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.drawing.checks import plot
from canarium_dashboard.drawing.timeline import timeline
from canarium_dashboard.drawing.weights import weights
from canarium_dashboard.history import CHECKS, EVALUATIONS, History
from canarium_dashboard.lines import line
from canarium_dashboard.pages.model import between, compared
from canarium_dashboard.pages.runtimes import uses
from canarium_dashboard.reads import Reads
from canarium_dashboard.selector import matcher
from canarium_dashboard.serving import marks, periods
from dashboard.standin import TOKEN, StandInApi
from view.samples import SAMPLES, objects


def model(weight: int, uid: str = "u", value: float = 0.5) -> dict[str, Any]:
    check = {"name": "errors", "verdict": "Pass", "value": value, "threshold": 1, "samples": 9}
    candidate = {"revision": "r", "weight": weight, "effectiveWeight": weight}
    status = {"phase": "Progressing", "candidate": candidate, "analysis": {"checks": [check]}}
    return {"metadata": {"uid": uid}, "status": {**status, "weight": weight}}


def test_ring_keeps_changes_only_and_is_bounded() -> None:
    history = History(points=3, models=2)
    history.observe(model(1), 0)
    assert history.points(model(1)) == ()
    history.open(model(1), 1)
    history.observe(model(1), 2)
    assert [p.time for p in history.points(model(1))] == [1]
    for weight in range(10, 60, 10):
        history.observe(model(weight), float(weight))
    assert [p.weight for p in history.points(model(1))] == [30, 40, 50]
    history.open(model(1, "v"), 70)
    history.open(model(1, "w"), 70)
    assert history.points(model(1)) == ()


def test_older_version_that_arrives_late_is_not_remembered() -> None:
    history, older, newer = History(), model(10), model(50)
    older["metadata"]["resourceVersion"] = "99"
    newer["metadata"]["resourceVersion"] = "100"
    history.open(newer, 1)
    history.observe(older, 2)
    assert [p.weight for p in history.points(newer)] == [50]


def with_evaluations(count: int, start: int = 0, checks: int = 1) -> dict[str, Any]:
    """A model whose checks have so many evaluations, the first at second `start`."""
    found = model(1)
    one = found["status"]["analysis"]["checks"][0]
    times = [f"2026-11-28T14:{n // 60:02}:{n % 60:02}.000Z" for n in range(start, start + count)]
    course = [
        {"time": t, "verdict": "Pass", "value": 0.1 * n, "threshold": 1.5, "stable": 0.7 * n,
         "samples": 1000 + n}
        for n, t in enumerate(times)
    ]  # fmt: skip
    found["status"]["analysis"]["checks"] = [
        {**one, "name": f"check-{i}", "evaluations": course} for i in range(checks)
    ]
    return found


def test_evaluations_of_several_statuses_are_merged_and_bounded() -> None:
    history = History()
    history.open(with_evaluations(20), 0)
    history.observe(with_evaluations(20, start=10), 1)
    found = history.evaluations(model(1), "check-0")
    assert [e.time[14:19] for e in found] == [f"00:{n:02}" for n in range(30)]
    for start in range(20, 400, 20):
        history.observe(with_evaluations(20, start=start), 2)
    assert len(history.evaluations(model(1), "check-0")) == EVALUATIONS
    other = with_evaluations(5)
    other["status"]["analysis"]["revision"] = "next"
    history.observe(other, 3)
    assert len(history.evaluations(model(1), "check-0")) == 5


def test_memory_of_a_model_is_what_is_documented() -> None:
    texts = [
        json.dumps(with_evaluations(20, start=n, checks=CHECKS + 4))
        for n in range(0, EVALUATIONS, 20)
    ]
    history = History()
    history.open(model(1), 0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    # Each is made from a separate answer, as in the process.
    for text in texts:
        history.observe(json.loads(text), 1)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert history.evaluations(model(1), f"check-{CHECKS}") == ()
    # Objects from the free lists of earlier tests are not traced, so less may be seen.
    assert 200 < (after - before) / (CHECKS * EVALUATIONS) < 500


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a", {"a": "1"}, True),
        ("!a", {"a": "1"}, False),
        ("a=1", {"a": "1"}, True),
        ("a==1,b!=2", {"a": "1", "b": "3"}, True),
        ("a!=1", {}, True),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a notin (1,2)", {"a": "2"}, False),
        ("a notin (1,2)", {}, True),
        ("team.example/x=y", {"team.example/x": "y"}, True),
    ],
)
def test_selectors_match_as_in_kubectl(text: str, labels: dict[str, str], expected: bool) -> None:
    assert matcher(text)(labels) is expected


@pytest.mark.parametrize("text", ["a b", "a=b=c", "=", "a in 1", "a in (b c)", "a=<x>"])
def test_wrong_selectors_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a label selector"):
        matcher(text)


def test_periods_have_the_versions_that_served() -> None:
    found, now = objects("rolled-back")
    assert [p.version for p in periods(found)][:2] == ["v1", "v2"]
    assert [m.kind for m in marks(found.model)].count("failed") == 2
    assert "v2" in timeline(periods(found), marks(found.model), now)


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_records_do_not_break_the_timeline(name: str) -> None:
    found, now = objects(name)
    for record in found.records:
        record["metadata"]["annotations"] = {"canarium.dev/served": '[{"from": 7}, null, "x"]'}  # type: ignore[index]
    found.model["status"]["history"] = [{"revision": 3}, {}]  # type: ignore[index]
    timeline(periods(found), marks(found.model), now)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e300, float("inf"), float("nan")])
def test_pictures_take_any_number(value: float) -> None:
    history = History()
    history.open(model(1, value=value), 5.0)
    history.observe(model(50, value=1.0), 5.0)
    points = history.points(model(1))
    assert "<svg" in weights(points, 5.0)
    course = [
        Evaluation(f"2026-11-28T14:00:0{n}Z", "Pass", x, 1.0, x) for n, x in enumerate((value, 1.0))
    ]
    assert "<svg" in plot(course, "errors")
    assert plot([], "other") == ""
    assert plot([Evaluation("yesterday", "Pass", value)], "odd") == ""


def test_differences_name_the_fields_of_the_spec_and_of_the_pod() -> None:
    found, now = objects("rolled-back")
    by_name = {r["metadata"]["name"]: r for r in found.records}
    changes = between(found, by_name["fraud-jgpcfw9h"], by_name["fraud-4nb6hnp6"], now)
    assert ("model.version", "v1", "v2") in [(c.field, c.before, c.after) for c in changes]
    assert any(c.field.startswith("pod template") for c in changes)
    assert compared(found, now) is not None


def test_outdated_runtime_is_found_by_the_digest_of_the_record() -> None:
    found, _ = objects("ready")
    used = next(
        u
        for u in uses([line(found.model, 0.0)], found.records, [], [])
        if u.name == "mlserver-sklearn"
    )
    assert used.current + used.outdated == [("demo", "fraud")]
    record = next(
        r
        for r in found.records
        if r["metadata"]["labels"]["canarium.dev/revision"]
        == found.model["status"]["stable"]["revision"]
    )
    record["data"]["runtime"]["digest"] = "older"
    first = uses([line(found.model, 0.0)], found.records, [], [])[0]
    assert (first.name, first.outdated) == ("mlserver-sklearn", [("demo", "fraud")])


@pytest.mark.parametrize("kind", ["HTTPRoute", "VirtualService"])
async def test_route_has_the_current_traffic_record(kind: str) -> None:
    api = StandInApi("step-pause")
    person = Identity("a", "ann", {"Authorization": f"Bearer {TOKEN}"})
    before = periods((await Reads(api).objects(person, "demo", "fraud")).objects)
    assert [p for p in before if p.ended is None]
    service = next(
        x for x in api.items if x["kind"] == "Service" and x["metadata"]["name"] == "fraud"
    )
    api.model["status"]["route"] = {"kind": kind, "name": "fraud"}
    path = paths.route(kind, "demo", "fraud")
    api.routes[path] = {"metadata": dict(service["metadata"])}
    service["metadata"] = {"name": "fraud", "namespace": "demo"}
    assert periods((await Reads(api).objects(person, "demo", "fraud")).objects) == before
    api.denied.add(path)
    found = await Reads(api).objects(person, "demo", "fraud")
    assert kind in found.refused
    assert periods(found.objects) != before, "without the route, the records alone are read"
