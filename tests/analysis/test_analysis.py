"""Versions that are ready and yet not good, on a real API server and by real requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.conftest import Stage
from canarium.kube import resources
from canarium.kube.http import Client

rule = pytest.mark.rule
CHECKS = [
    {"name": "errors", "metric": "ErrorRate", "max": "1%"},
    {"name": "latency", "metric": "LatencyP95", "maxRatioToStable": "2"},
]
SMOKE = [
    {
        "path": "/predict",
        "expect": {"json": [{"path": "$.score", "value": 0.9, "tolerance": "0.05"}]},
    }
]


def with_checks(*checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    analysis = {"interval": "1s", "minSamples": 50, "checks": list(checks or CHECKS), **more}
    return {"smokeTests": SMOKE, "analysis": analysis}


@contextlib.asynccontextmanager
async def calling(stage: Stage) -> AsyncIterator[None]:
    """Version 1 is live, and a caller sends requests all the time."""
    stage.apply("v1", smokeTests=SMOKE)
    await stage.phase("Ready", "v1")
    task = asyncio.create_task(stage.call())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def verdicts(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    checks = status.get("analysis", {}).get("checks", ())
    return {c["name"]: (c["verdict"], c["reason"]) for c in checks}


async def events(client: Client, namespace: str) -> list[str]:
    found = (await client.list(resources.EVENTS, namespace))["items"]
    return [e["reason"] for e in found]


@rule("R4", "R17")
async def test_good_version_passes_smoke_tests_and_checks(stage: Stage) -> None:
    async with calling(stage):
        stage.apply("v2", **with_checks())
        await stage.phase("Ready", "v2")
    assert {code for *_, code in stage.answers} == {200}
    assert (await events(stage.client, stage.namespace)).count("CheckPassed") == 2


@rule("R4")
async def test_version_with_wrong_answers_gets_no_request(stage: Stage) -> None:
    async with calling(stage):
        stage.apply("wrong", **with_checks())
        failure = (await stage.phase("RolledBack"))["failure"]
    assert failure["reason"] == "SmokeTestFailed"
    assert "$.score is 0.1, expected 0.9 ± 0.05" in failure["message"]
    assert failure["pod"].startswith("fraud-")
    assert stage.versions() == {"v1"}


@rule("R8", "R17")
@pytest.mark.parametrize(("tag", "check"), [("slow", "latency"), ("flaky", "errors")])
async def test_bad_version_is_rolled_back_within_the_step_with_its_numbers(
    stage: Stage, tag: str, check: str
) -> None:
    async with calling(stage):
        stage.apply(tag, **with_checks(), steps=[{"weight": 50, "pause": "60s"}])
        failure = (await stage.phase("RolledBack"))["failure"]
        await asyncio.sleep(0.5)
        assert stage.versions(time.monotonic() - 0.3) == {"v1"}
    assert failure["reason"] == "AnalysisFailed"
    assert failure["message"].startswith(f"check {check}: ")
    assert float(failure["observed"]) > float(failure["threshold"])
    assert failure["samples"] >= 50


@rule("R17")
@pytest.mark.parametrize(
    ("policy", "phase", "reason"),
    [("Hold", "Progressing", "InsufficientData"), ("RollBack", "RolledBack", None)],
)
async def test_version_without_traffic_never_passes(
    stage: Stage, policy: str, phase: str, reason: str | None
) -> None:
    stage.apply("v1", smokeTests=SMOKE)
    await stage.phase("Ready", "v1")
    stage.apply("v2", **with_checks(onInsufficientData=policy))
    status = await stage.until(
        lambda s: s["phase"] == phase and s.get("waitingFor", {}).get("reason") == reason
    )
    assert status["version"] == "v1"
    assert verdicts(status)["errors"] == ("Insufficient", "NoData")


@rule("R17", "R21")
async def test_unavailable_or_wrong_source_is_named_and_holds(stage: Stage) -> None:
    checks = [
        {"name": "down", "prometheus": {"url": "http://127.0.0.1:1", "query": "up"}, "max": "1"},
        {"name": "path", "web": {"url": "http://127.0.0.1:1", "path": "$.["}, "max": "1"},
        {"name": "names", "prometheus": {"url": "http://127.0.0.1:1", "query": "{{ x }}"},
         "max": "1"},
        {"name": "login", "prometheus": {"url": "http://127.0.0.1:1", "query": "up",
         "authentication": {"secretName": "no-such"}}, "max": "1"},
        {"name": "tokens", "metric": "TokensPerSecond", "min": "1"},
    ]  # fmt: skip
    async with calling(stage):
        stage.apply("v2", **with_checks(*checks))
        status = await stage.until(
            lambda s: s.get("waitingFor", {}).get("reason") == "InsufficientData"
        )
    assert verdicts(status) == {
        "down": ("Insufficient", "Unreachable"),
        "path": ("Insufficient", "InvalidQuery"),
        "names": ("Insufficient", "InvalidQuery"),
        "login": ("Insufficient", "InvalidCredentials"),
        "tokens": ("Insufficient", "NoSuchMetric"),
    }
    (condition,) = (c for c in status["conditions"] if c["type"] == "AnalysisReady")
    assert (condition["status"], condition["reason"]) == ("False", "InvalidQuery")
    what = "spec.rollout.analysis.checks[path]: '$.[' is not a valid JSON path"
    assert what in condition["message"]
    assert status["version"] == "v1"
