"""`checks` and the pictures in it."""

from __future__ import annotations

import json
import re
from typing import Any

from canarium_cli.output.sparkline import gauge, sparkline
from cli.standin import Standin
from cli.test_following import PATH

MODELS = "modeldeployments.canarium.dev"


def model(checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": "risk", "generation": 1},
        "spec": {},
        "status": {
            "phase": "Progressing",
            "weight": 10,
            "candidate": {"revision": "bbbb2222"},
            "analysis": {"revision": "bbbb2222", "checks": checks},
        },
    }


LATENCY = {
    "name": "latency",
    "verdict": "Fail",
    "reason": "AboveMaximum",
    "message": "0.3 > 0.2",
    "value": 0.3,
    "threshold": 0.2,
    "stable": 0.1,
    "samples": 120,
    "time": "2026-11-28T14:00:00Z",
}


def test_each_check_is_beside_its_bound(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model([LATENCY]))
    done = kubectl.run("checks", "fraud")
    assert (done.code, done.err) == (0, "")
    cells = done.out.splitlines()[2].split()
    assert cells[:5] == ["latency", "✖", "Fail", "0.3", "0.2"]
    assert "████████|████" in done.out
    assert "AboveMaximum: 0.3 > 0.2" in done.out
    assert len(kubectl.calls) == 1, "a status is all that is needed"


EVALUATIONS = [
    {"time": f"2026-11-28T13:59:{second:02}.000Z", "verdict": verdict, "value": value,
     "threshold": 0.2, "stable": 0.1, "samples": 40 + second}
    for second, verdict, value in ((0, "Insufficient", None), (15, "Pass", 0.1), (30, "Fail", 0.3))
]  # fmt: skip


def test_history_has_the_evaluations_of_the_status(kubectl: Standin) -> None:
    check = {**LATENCY, "time": "2026-11-28T13:59:30.000Z", "evaluations": EVALUATIONS}
    kubectl.answers("get", MODELS, out=model([check]))
    done = kubectl.run("checks", "fraud", "-o", "wide")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert " ▃█ " in lines[2]
    assert [line.split()[0] for line in lines[5:]] == [x["time"] for x in EVALUATIONS]
    assert lines[6].split()[1:] == ["latency", "✔", "Pass", "0.1", "0.2", "0.1", "55"]
    found = json.loads(kubectl.run("checks", "fraud", "-o", "json").out)
    assert [x["verdict"] for x in found[0]["evaluations"]] == ["Insufficient", "Pass", "Fail"]


def test_watch_shows_how_a_value_moved(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, "fraud", out=model([{**LATENCY, "value": 0.1}]))
    changes = [
        {"type": "MODIFIED", "object": model([{**LATENCY, "value": value, "time": time}])}
        for value, time in ((0.2, "2026-11-28T14:00:15Z"), (0.4, "2026-11-28T14:00:30Z"))
    ]
    # The API server sends an event a line.
    events = "".join(json.dumps(one) + "\n" for one in changes)
    kubectl.answers("get", f"--raw={PATH}&watch=true&resourceVersion=7", out=events)
    listed = {"metadata": {"resourceVersion": "7"}, "kind": "List", "items": [model([])]}
    kubectl.answers("get", f"--raw={PATH}", out=listed)
    process = kubectl.start("checks", "fraud", "--watch")
    assert process.stdout
    try:
        # Changes that arrive together are drawn once, with the newest value.
        history = ""
        while not history.endswith("█"):
            cells = re.split(r" {3,}", process.stdout.readline())
            history = cells[5] if cells[0] == "latency" else ""
    finally:
        process.terminate()
        process.communicate()
    assert history in ("▃▅█", "▃█", "▅█", "█")


def test_model_without_verdicts_is_explained(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model([]))
    done = kubectl.run("checks", "fraud")
    assert (done.code, done.out) == (0, "")
    assert "its first window is not over" in done.err


def test_gauge_marks_the_bound_and_grows_with_the_value() -> None:
    assert gauge(0.0, 3.0, 9) == "░░░░░░|░░░"
    assert gauge(3.0, 3.0, 9) == "██████|░░░"
    assert gauge(30.0, 3.0, 10) == "█|█████████"
    assert gauge(None, 3.0) == gauge(1.0, None) == gauge(1.0, 0.0) == ""


def test_sparkline_keeps_the_newest_values_and_leaves_gaps() -> None:
    assert sparkline([0.0, 1.0, None, 2.0], 4.0) == "▁▃ ▅"
    assert sparkline([1.0, 2.0, 3.0], None, width=2) == "▆█"
    assert sparkline([], 1.0) == ""
    assert sparkline([0.0, 0.0], 0.0) == "▁▁"
