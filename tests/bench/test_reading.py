"""What the bench reads, counts and judges; its timings are not tested."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import phases
from bench.cluster.audit import AuditLog, Rotated, parse, tally
from bench.cluster.guard import NoSandbox, not_simulated, simulated
from bench.cluster.machine import Ticks, disturbance
from bench.floors.floor import Floor
from bench.measure import Measured, MeasurementMissing
from bench.micro.__main__ import compared
from bench.phases.breaking import times
from bench.run import Results
from bench.stats import spread

_ROOT = Path(__file__).parents[2]


def test_spread_consists_of_measured_values() -> None:
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.count, found.p50, found.p99, found.most) == (5, 3.0, 5.0, 5.0)
    assert spread(float(i) for i in range(1, 1001)).p99 == 990.0
    assert math.isnan(spread([]).p50)


def event(
    verb: str, resource: str, agent: str = "canarium/0.1", query: str = "", **about: str
) -> str:
    return json.dumps(
        {
            "stage": "ResponseComplete",
            "verb": verb,
            "userAgent": agent,
            "requestURI": f"/api/v1/x{query}",
            "objectRef": {"resource": resource, "namespace": "n", "name": "m", **about},
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.250000Z",
            "stageTimestamp": "2026-01-01T00:00:00.750000Z",
        }
    )


def test_calls_are_counted_by_agent_from_the_mark_on_without_the_lease(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(event("create", "services") + "\n")
    log = AuditLog(path)
    log.mark()
    with path.open("a") as out:
        for line in (
            event("patch", "deployments", subresource="scale"),
            event("update", "leases"),
            event("create", "services", agent="somebody/1"),
            event("get", "pods"),
        ):
            out.write(line + "\n")
        out.write(event("create", "services")[:40])
    calls = log.calls()
    found = tally(calls, frozenset({"canarium"}))
    assert found == {("patch", "deployments/scale"): 1, ("get", "pods"): 1}
    assert calls[0].answered - calls[0].received == pytest.approx(0.5)


def test_log_that_was_rotated_is_an_error_and_not_no_calls(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(event("create", "services") + "\n")
    log = AuditLog(path)
    log.mark()
    path.rename(tmp_path / "audit-old.log")
    path.write_text(event("create", "pods") + "\n" + event("create", "pods") + "\n")
    with pytest.raises(Rotated, match="was rotated"):
        log.calls()


def test_models_without_a_decision_in_the_log_are_an_error_and_not_a_dash() -> None:
    parsed = [
        parse(json.loads(event("patch", "pods", agent="bench-driver/1", subresource="status"))),
        parse(json.loads(event("patch", "services"))),
    ]
    calls = [call for call in parsed if call]
    assert times(calls, {("n", "m"): "m"})[0].keys() == {("n", "m")}
    with pytest.raises(MeasurementMissing, match="no decision of 1 models"):
        times(calls[:1], {("n", "m"): "m"})
    with pytest.raises(MeasurementMissing, match="no signal of 1 models"):
        times(calls[1:], {("n", "m"): "m"})


def test_unknown_phase_is_named() -> None:
    assert phases("create,idle") == ("create", "idle")
    with pytest.raises(argparse.ArgumentTypeError, match="'ilde' is none of floor, create"):
        phases("ilde")


def test_dry_run_is_counted_but_not_as_a_write() -> None:
    call = parse(json.loads(event("create", "pods", query="?dryRun=All")))
    assert call is not None
    assert (call.verb, call.writes) == ("dry-run create", False)


def test_request_without_an_object_is_not_counted() -> None:
    assert parse({"stage": "ResponseComplete", "verb": "get"}) is None
    assert parse({"stage": "ResponseStarted", "objectRef": {"resource": "pods"}}) is None


def test_events_are_counted_separately_from_other_writes() -> None:
    measured = Measured("canarium", "update", 1)
    measured.calls.update({("create", "events"): 2, ("patch", "services"): 3, ("list", "pods"): 1})
    assert (measured.writes, measured.events, measured.reads) == (3, 2, 1)


@pytest.mark.parametrize(
    ("stolen", "busy", "own", "disturbed"),
    [(0, 50, 48, False), (5, 50, 50, True), (0, 80, 50, True)],
)
def test_run_beside_others_is_marked(stolen: int, busy: int, own: int, disturbed: bool) -> None:
    before, after = Ticks(0, 0, 0), Ticks(busy, stolen, 100)
    assert disturbance(before, after, own).disturbed is disturbed


def test_cluster_that_no_sandbox_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{}")
    with pytest.raises(NoSandbox, match="was not written by a sandbox of yours"):
        simulated(path)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--check-kubeconfig", str(path)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "was not written by a sandbox of yours" in done.stderr


def test_nodes_without_kwoks_label_are_named() -> None:
    nodes = [
        {"metadata": {"name": "a", "labels": {"type": "kwok"}}},
        {"metadata": {"name": "b", "labels": {}}},
    ]
    assert not_simulated(nodes) == ["b"]


def test_micro_benchmarks_are_compared_pair_by_pair() -> None:
    ratios = compared({"a": [2.0, 4.0, 9.0], "new": [1.0]}, {"a": [1.0, 2.0, 3.0]})
    assert ratios == {"a": 2.0}


def budget_of(results: Results, what: str) -> bool | None:
    from bench.budgets import budgets

    return next(line.passed for line in budgets(results, [1000]) if line.what.startswith(what))


def created(wall: float, children: float, writes: int) -> Measured:
    measured = Measured("canarium", "create", 1000, wall=wall)
    measured.figures["children wall s"] = children
    measured.calls["create", "services"] = writes
    return measured


#: Of 8 and of 16 connections.
FLOORS = [Floor(8, 40.0, 45.0, 60.0, 8.0), Floor(16, 30.0, 35.0, 50.0, 9.0)]


def test_budgets_are_judged_against_the_floor_of_the_same_run() -> None:
    good = Results({1000: FLOORS}, [created(44.0, 38.0, 5000)])
    assert budget_of(good, "all Ready") is True
    assert budget_of(good, "all children") is True
    assert budget_of(good, "writes per object at creation") is True
    bad = Results({1000: FLOORS}, [created(46.0, 40.0, 5001)])
    assert budget_of(bad, "all Ready") is False
    assert budget_of(bad, "all children") is False
    assert budget_of(bad, "writes per object at creation") is False


def test_rival_is_a_budget_of_a_thousand_objects_and_a_figure_of_fewer() -> None:
    from bench.budgets import budgets

    for n, passed in ((200, None), (1000, False)):
        ours = Measured("canarium", "update", n, wall=7.0)
        theirs = Measured("rollouts (raised QPS)", "update", n, wall=10.0)
        lines = budgets(Results({}, [ours, theirs]), [n])
        row = next(line for line in lines if line.what.startswith("all promoted"))
        assert (row.figure, row.passed) == ("0.7 ×", passed)


def test_budget_that_was_not_measured_is_neither_met_nor_missed() -> None:
    assert budget_of(Results(), "all promoted") is None
