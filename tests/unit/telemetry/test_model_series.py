"""The series of models, as Prometheus' own parsers read them in both formats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.model_families import FAMILIES
from canarium.telemetry.model_series import ModelSeries
from canarium.telemetry.model_state import CheckState
from canarium.telemetry.operator_state import State

Samples = dict[tuple[str, ...], float]
FRAUD = ("ml", "fraud")
NOW = 1_767_225_660.0
SPEC = {
    "model": {"uri": "s3://m/1", "version": "2"},
    "runtime": {"name": "mlserver-sklearn"},
    "rollout": {"strategy": "BlueGreen"},
    "traffic": {"router": "Gateway"},
}
ROLLING = {
    "observedGeneration": 2,
    "phase": "Progressing",
    "version": "1",
    "step": "2/4",
    "stable": {
        "revision": "abc",
        "version": "1",
        "replicas": 4,
        "readyReplicas": 3,
        "weight": 80,
        "effectiveWeight": 75,
    },
    "candidate": {
        "revision": "def",
        "version": "2",
        "replicas": 1,
        "readyReplicas": 1,
        "weight": 20,
        "effectiveWeight": 25,
    },
    "waitingFor": {"reason": "StepPause", "startTime": "2026-01-01T00:00:00Z"},
    "conditions": [
        {
            "type": kind,
            "status": status,
            "reason": "Any",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind, status in (("Available", "True"), ("Ready", "Unknown"))
    ],
    "analysis": {
        "revision": "def",
        "startTime": "2026-01-01T00:00:00Z",
        "checks": [
            {
                "name": "errors",
                "verdict": "Pass",
                "reason": "WithinBounds",
                "message": "",
                "value": 0.5,
                "time": "2026-01-01T00:00:00Z",
                "evaluations": [
                    {
                        "time": "2026-01-01T00:00:30Z",
                        "verdict": "Fail",
                        "value": 0.02,
                        "threshold": 0.01,
                        "stable": 0.001,
                        "samples": 1234,
                    }
                ],
            }
        ],
    },
}


@dataclass
class Model:
    """A model in the cache that counts how often its object is read."""

    status: dict[str, Any] = field(default_factory=lambda: ROLLING)
    spec: dict[str, Any] = field(default_factory=lambda: SPEC)
    name: str = "fraud"
    version: int = 1
    reads: int = 0

    @property
    def raw(self) -> dict[str, Any]:
        self.reads += 1
        meta = {"namespace": "ml", "name": self.name}
        return {"metadata": meta, "spec": self.spec, "status": self.status}


def series(
    models: dict[tuple[str, str], Model],
    *,
    metrics: OperatorMetrics | None = None,
    checks: Callable[[tuple[str, str]], Iterable[CheckState]] = lambda key: (),
    leading: bool = True,
    now: float = NOW,
) -> ModelSeries:
    metrics = metrics or OperatorMetrics()
    counts = metrics.rollbacks, metrics.outcomes
    return ModelSeries(lambda: models, checks, *counts, lambda: leading, lambda: now)


async def read(found: ModelSeries) -> Samples:
    """Every sample by its name and the values of its labels after namespace and name."""
    text = (await found.text()).decode()
    samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
    assert {(s.labels["namespace"], s.labels["name"]) for s in samples} <= {FRAUD}
    return {(s.name, *list(s.labels.values())[2:]): s.value for s in samples}


async def test_rollout_is_visible_with_its_weights_step_wait_and_evaluations() -> None:
    metrics = OperatorMetrics()
    metrics.ended(FRAUD, "RolledBack", "CheckFailed", 60.0)
    metrics.ended(FRAUD, "Undone", "CheckFailed", 60.0)
    metrics.ended(FRAUD, "Promoted", "Promoted", 60.0)
    model = "canarium_modeldeployment"
    assert await read(series({FRAUD: Model()}, metrics=metrics)) == {
        (f"{model}_info", "1", "abc", "mlserver-sklearn", "BlueGreen", "Gateway"): 1,
        (f"{model}_phase", "Progressing"): 1,
        (f"{model}_condition", "Available", "True"): 1,
        (f"{model}_condition", "Ready", "Unknown"): 1,
        (f"{model}_weight_percent", "stable"): 80,
        (f"{model}_weight_percent", "candidate"): 20,
        (f"{model}_effective_weight_percent", "stable"): 75,
        (f"{model}_effective_weight_percent", "candidate"): 25,
        (f"{model}_replicas", "stable"): 4,
        (f"{model}_replicas", "candidate"): 1,
        (f"{model}_ready_replicas", "stable"): 3,
        (f"{model}_ready_replicas", "candidate"): 1,
        (f"{model}_step",): 2,
        (f"{model}_steps",): 4,
        (f"{model}_hold_seconds", "StepPause"): 60,
        ("canarium_check_value", "errors"): 0.02,
        ("canarium_check_bound", "errors"): 0.01,
        ("canarium_check_stable_value", "errors"): 0.001,
        ("canarium_check_samples", "errors"): 1234,
        ("canarium_check_verdict", "errors", "Fail"): 1,
        ("canarium_rollbacks_total", "CheckFailed"): 2,
        (f"{model}_rollouts_total", "RolledBack"): 1,
        (f"{model}_rollouts_total", "Undone"): 1,
        (f"{model}_rollouts_total", "Promoted"): 1,
    }


async def test_newer_evaluation_replaces_the_one_in_the_status() -> None:
    newer = CheckState("errors", "Insufficient", value=0.03, samples=float("nan"))
    found = await read(series({FRAUD: Model()}, checks=lambda key: [newer]))
    assert {key: value for key, value in found.items() if key[0].startswith("canarium_check")} == {
        ("canarium_check_value", "errors"): 0.03,
        ("canarium_check_verdict", "errors", "Insufficient"): 1,
    }


async def test_settled_model_has_twelve_series() -> None:
    """The figure that the documentation and the option state."""
    types = ("Available", "Ready", "Progressing", "RolledBack", "Reconciling", "Stalled")
    conditions = [{**ROLLING["conditions"][0], "type": kind} for kind in types]  # type: ignore[index]
    status = {"phase": "Ready", "stable": ROLLING["stable"], "conditions": conditions}
    assert len(await read(series({FRAUD: Model(status)}))) == 12


async def test_model_without_status_is_pending_with_the_defaults_of_its_spec() -> None:
    found = await read(series({FRAUD: Model({}, {"model": {}})}))
    assert found == {
        ("canarium_modeldeployment_info", "", "", "", "Canary", "Service"): 1,
        ("canarium_modeldeployment_phase", "Pending"): 1,
    }


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Ready", "stable": {"revision": 7}},
        {"phase": "Ready", "step": "2 of 4", "waitingFor": {"reason": "x", "startTime": "soon"}},
        {
            "phase": "Ready",
            "step": "x/y",
            "waitingFor": {"reason": "x", "startTime": "2026-99-99T00:00:00Z"},
        },
    ],
)
async def test_damaged_status_leaves_the_phase(status: dict[str, Any]) -> None:
    found = await read(series({FRAUD: Model(status)}))
    assert {key[0] for key in found} == {
        "canarium_modeldeployment_info",
        "canarium_modeldeployment_phase",
    }
    assert found["canarium_modeldeployment_phase", "Ready"] == 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["canarium_leader"], {"canarium_leader"}),
        (["canarium_modeldeployment_phase"], {"canarium_modeldeployment_phase"}),
        (
            ["canarium_leader", "canarium_modeldeployment_weight_percent"],
            {"canarium_leader", "canarium_modeldeployment_weight_percent"},
        ),
        (
            ["canarium_reconcile_duration_seconds_count"],
            {"canarium_reconcile_duration_seconds_count"},
        ),
        (["unknown"], set()),
    ],
)
async def test_scrape_can_select_samples_by_name(names: list[str], expected: set[str]) -> None:
    metrics = OperatorMetrics()
    metrics.reconciled("done", 0.1)
    metrics.describe(
        State(
            queue_depth=lambda: 0,
            queue_oldest=lambda: 0.0,
            oldest_watch=lambda: 0.0,
            leading=lambda: True,
            phases=tuple,
        )
    )
    async with (
        serve_metrics(
            metrics.registry, "127.0.0.1", 0, series({FRAUD: Model(ROLLING)}, metrics=metrics)
        ) as port,
        aiohttp.ClientSession() as session,
        session.get(
            f"http://127.0.0.1:{port}/metrics", params=[("name[]", name) for name in names]
        ) as answer,
    ):
        families = text_string_to_metric_families(await answer.text())
        assert {s.name for family in families for s in family.samples} == expected


# R31
@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0"])
async def test_texts_of_users_add_no_series_in_either_format(accept: str) -> None:
    hostile = 'v"} 1\nup{a="\\' + "é\ud800" + "x" * 500
    stable = {**ROLLING["stable"], "version": hostile}  # type: ignore[dict-item]
    status = {**ROLLING, "stable": stable, "phase": hostile}
    metrics = OperatorMetrics()
    metrics.ended(FRAUD, "RolledBack", hostile, None)
    expected = len(await read(series({FRAUD: Model()}, metrics=metrics)))
    found = series({FRAUD: Model(status)}, metrics=metrics)
    async with (
        serve_metrics(metrics.registry, "127.0.0.1", 0, found) as port,
        aiohttp.ClientSession(headers={"Accept": accept}) as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.content_type == accept.partition(";")[0]
        text = await answer.text()
    parse = (
        openmetrics.text_string_to_metric_families
        if "openmetrics" in accept
        else text_string_to_metric_families
    )
    families = {family.name: family for family in parse(text)}
    samples = [s for family in families.values() for s in family.samples if "name" in s.labels]
    assert len(samples) == expected
    assert {s.name for s in samples} == {family.name for family in FAMILIES}
    (info,) = families["canarium_modeldeployment_info"].samples
    assert info.labels["version"] == hostile.replace("\ud800", "?")[:128]
    assert families["canarium_rollbacks"].type == "counter"
    assert "canarium_rollout_duration_seconds" in families


async def test_standby_publishes_no_model() -> None:
    assert await read(series({FRAUD: Model()}, leading=False)) == {}


async def test_deleted_model_leaves_no_series_and_starts_again_from_zero() -> None:
    metrics, models = OperatorMetrics(), {FRAUD: Model()}
    metrics.ended(FRAUD, "RolledBack", "CheckFailed", None)
    found = series(models, metrics=metrics)
    samples = await read(found)
    assert samples["canarium_rollbacks_total", "CheckFailed"] == 1
    assert samples["canarium_modeldeployment_rollouts_total", "RolledBack"] == 1
    del models[FRAUD]
    metrics.deleted(FRAUD)
    assert await read(found) == {}
    models[FRAUD] = Model(version=2)
    assert not {name for name, *_ in await read(found) if name.endswith("_total")}


async def test_unchanged_object_is_read_once() -> None:
    model = Model()
    found = series({FRAUD: model})
    assert await read(found) == await read(found)
    assert model.reads == 1
    model.status, model.version = {"phase": "Ready"}, 2
    assert ("canarium_modeldeployment_phase", "Ready") in await read(found)
    assert model.reads == 2


async def test_other_tasks_run_during_a_scrape_of_many_models() -> None:
    models = {("ml", f"m{n}"): Model(name=f"m{n}") for n in range(500)}
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    found = series(models)
    scrape = asyncio.create_task(found.text())
    # All models are deleted meanwhile.
    await asyncio.sleep(0)
    models.clear()
    text = (await scrape).decode()
    task.cancel()
    assert text.count("canarium_modeldeployment_info{") == 500
    assert turns >= 5
    assert await found.text() == b""
