"""The course of a check that failed: in the status, by `checks`, and on the dashboard's page."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp

from analysis.conftest import Stage
from analysis.test_analysis import calling, with_checks
from integration.cli.program import Program
from integration.dashboard.people import person, served


async def test_course_of_a_failed_check_is_shown_with_real_verdicts(
    stage: Stage, tmp_path: Path
) -> None:
    async with calling(stage):
        stage.apply("slow", **with_checks(failureLimit=1), steps=[{"weight": 50, "pause": "60s"}])
        failure = (await stage.phase("RolledBack"))["failure"]
    program = Program(stage.plane.kubeconfig, stage.namespace)
    found = {c["name"]: c for c in (await program.run("checks", "fraud", "-o", "json")).json}
    course = found["latency"]["evaluations"]
    assert [e["verdict"] for e in course[-2:]] == ["Fail", "Fail"]
    assert course[-1]["value"] == float(failure["observed"])
    for one in course[-2:]:
        assert one["value"] > one["threshold"] > one["stable"] > 0
        assert one["samples"] >= 50
    assert [e["time"] for e in course] == sorted({e["time"] for e in course})
    assert {e["verdict"] for e in found["errors"]["evaluations"][-2:]} == {"Pass"}
    text = (await program.run("checks", "fraud", "-o", "wide")).out
    assert sum(" latency " in line for line in text.splitlines()) == len(course)

    token = person(stage.plane, stage.namespace, "viewer", reads=True, writes=False)
    headers = {"Authorization": f"Bearer {token}"}
    with served(stage.plane, tmp_path) as address:
        url = f"{address}/models/{stage.namespace}/fraud"
        async with aiohttp.request("GET", url, headers=headers) as answer:
            page = await answer.text()
    plot = page.split('aria-label="Picture: check latency"')[1].split("</svg>")[0]
    assert plot.count('class="band fail"') == 2, json.dumps(course)
    assert plot.count("<rect") == len(course)
    for line in ("line threshold", "line stable", "line value"):
        assert line in plot
