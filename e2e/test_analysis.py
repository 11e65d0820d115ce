"""Versions that are ready and yet not good, on real pods; a real Prometheus that may lie or stop,
and one that asks for a login.

All models are there from the beginning and go wrong side by side; each test waits for its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.prometheus import Guarded, Prometheus
from support.models import Models, Seen, spec

rule = pytest.mark.rule
pytestmark = pytest.mark.needs("prometheus")
SCORE = {"path": "/predict", "body": {"n": 1}, "expect": {
    "json": [{"path": "$.score", "value": 0.9, "tolerance": "0.05"}]}}  # fmt: skip
ERRORS = {"name": "errors", "metric": "ErrorRate", "max": "1%"}
LATENCY = {"name": "latency", "metric": "LatencyP95", "maxRatioToStable": "3"}
DRIFT = 'max(drift{namespace="{{ namespace }}",revision="{{ revision }}"})'
#: Recorded requests of the model whose answers are compared.
RECORDED = "\n".join(json.dumps({"n": n}) for n in range(40))
SOURCES = ("ConfigMap bodies", "'$.[' is not a valid JSON path")


#: Model → the fault of its Secret, and how it is reported.
KEPT_OUT = {
    "stranger": (
        {"password": "a guess"}, "AccessDenied", "status 401: the login is refused"
    ),
    "mistrusts": (
        {"ca.crt": "another's"}, "UntrustedCertificate", "certificate verify failed"
    ),
}  # fmt: skip


def drift(query: str, name: str = "drift") -> dict[str, Any]:
    url = f"http://{Prometheus.target}"
    return {"name": name, "prometheus": {"url": url, "query": query}, "max": "0.2"}


def guarded(secret: str) -> dict[str, Any]:
    """The drift, asked of the Prometheus that wants the login of a Secret."""
    analysis = drift(DRIFT)
    analysis["prometheus"] |= {"url": Guarded.url, "authentication": {"secretName": secret}}
    return analysis


def rollout(*checks: dict[str, Any], pause: str = "60s", **more: Any) -> dict[str, Any]:
    """Half of the traffic for `pause`, evaluated every second."""
    policy = {key: more.pop(key) for key in ("onInsufficientData", "minSamples") if key in more}
    looks = {"interval": "1s", "minSamples": 30, "insufficientLimit": 2, **policy}
    analysis = {"analysis": {**looks, "checks": list(checks)}} if checks else {}
    steps = [{"weight": 50, "pause": pause}]
    return {"rollout": {"steps": steps, "bakeTime": "2s", **analysis, **more}}


UNUSABLE = [
    {"path": "/predict", "bodyFrom": {"configMap": {"name": "bodies", "key": "one"}}},
    {**SCORE, "expect": {"json": [{"path": "$.["}]}},
]
SECOND = {
    "good": spec("v2", **rollout(ERRORS, drift(DRIFT), pause="2s", smokeTests=[SCORE])),
    "wrong": spec("wrong", **rollout(smokeTests=[SCORE])),
    "slow": spec("slow", **rollout(ERRORS, LATENCY)),
    "flaky": spec("flaky", **rollout(ERRORS, drift(DRIFT))),
    "differs": spec("wrong", **rollout({"name": "same", "max": "5%", "replay": {
        "requests": {"name": "recorded", "key": "lines"}, "json": "$.score"}})),
    "drifts": spec("v2", **rollout(drift(f"100 * {DRIFT}"))),
    "idle": spec("v2", **rollout(ERRORS, pause="2s", onInsufficientData="RollBack")),
    "eager": spec("v2", **rollout(ERRORS, pause="2s", onInsufficientData="Promote")),
    "blind": spec("v2", **rollout(
        ERRORS,
        drift(DRIFT.replace("drift", "no_drift"), "nan"),
        drift(DRIFT.replace("{{ revision }}", "other"), "empty"),
        drift(DRIFT.replace("drift", "old_drift"), "old"),
        drift("sum(", "syntax"),
        {"name": "tokens", "metric": "LatencyMean", "max": "1"},
        pause="2s",
    )),
    "untestable": spec("v2", **rollout(pause="1s", smokeTests=UNUSABLE)),
    **{name: spec("v2", **rollout(guarded(name), pause="1s")) for name in ("known", *KEPT_OUT)},
}  # fmt: skip


@pytest.fixture(scope="module")
def prometheus(node: Sandbox) -> Prometheus:
    return Prometheus.up(node)


@pytest.fixture(scope="module")
def login(prometheus: Prometheus) -> dict[str, str]:
    """What a Secret has to hold for the Prometheus that wants one."""
    server = Guarded.up(prometheus)
    pair = {"username": server.username, "password": server.password}
    return {**pair, "ca.crt": server.authority}


@pytest.fixture(scope="module")
def models(node: Sandbox, prometheus: Prometheus, login: dict[str, str]) -> Iterator[Models]:
    """Each model has version 1 live; then its version 2 is applied, and some are called."""
    models = Models(node, "judged")
    try:
        models.kubectl("create", "configmap", "recorded", f"--from-literal=lines={RECORDED}")
        others = (node.folder / "pki" / "ca.crt").read_text()
        wrong = {
            name: {k: others if k == "ca.crt" else v for k, v in login_data.items()}
            for name, (login_data, *_) in KEPT_OUT.items()
        }
        models.secrets({n: {**login, **wrong.get(n, {})} for n in ("known", *KEPT_OUT)})
        models.apply({name: spec("v1") for name in SECOND})
        for name in SECOND:
            models.phase(name, "Ready", seconds=120)
        for name, clients in {"good": 1, "flaky": 2, "slow": 3}.items():
            models.call(name, clients=clients)
        models.apply(SECOND)
        yield models
    finally:
        models.end()


def verdicts(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    checks = status.get("analysis", {}).get("checks", ())
    return {c["name"]: (c["verdict"], c["reason"]) for c in checks}


def condition(status: dict[str, Any], kind: str) -> tuple[str, str, str]:
    (wanted,) = (c for c in status["conditions"] if c["type"] == kind)
    return wanted["status"], wanted["reason"], wanted["message"]


def rolled_back(models: Models, name: str, figures: Any) -> tuple[Seen, dict[str, Any]]:
    """The status of a version that was rolled back, and its failure; how long it had traffic is
    reported at the end of the run."""
    ended = models.phase(name, "RolledBack")
    failure = ended.status["failure"]
    history = models.history(name)
    given = [s.at for s in history if s.status.get("weight") == 50]
    moments = [s.at for s in history if s.status["phase"] in ("RollingBack", "RolledBack")]
    if given:
        figures(
            "seconds to verdict, router Service",
            version=name,
            seconds=round(moments[0] - given[0], 1),
        )
    assert ended.status["version"] == "v1"
    assert condition(ended.status, "Available")[0] == "True"
    return ended, failure


@rule("R4", "R17")
def test_good_version_passes_smoke_tests_metrics_and_prometheus(models: Models) -> None:
    models.phase("good", "Ready", "v2")
    passed = [text for reason, text in models.events("good") if reason == "CheckPassed"]
    assert any("check errors: " in text and "observations" in text for text in passed), passed
    assert any("check drift: 0.01 ≤ 0.2" in text for text in passed), passed


@rule("R4", "R7")
def test_version_with_wrong_answers_and_status_200_gets_no_request(
    models: Models, figures: Any
) -> None:
    _, failure = rolled_back(models, "wrong", figures)
    assert failure["reason"] == "SmokeTestFailed"
    assert "$.score is 0.1, expected 0.9 ± 0.05" in failure["message"]
    assert failure["pod"].startswith("wrong-")
    assert all(not s.status.get("weight") for s in models.history("wrong"))


@rule("R8", "R17")
@pytest.mark.parametrize(("name", "check"), [("slow", "latency"), ("flaky", "errors")])
def test_bad_version_is_rolled_back_with_its_numbers(
    models: Models, figures: Any, name: str, check: str
) -> None:
    _, failure = rolled_back(models, name, figures)
    assert failure["reason"] == "AnalysisFailed"
    assert failure["message"].startswith(f"check {check}: ")
    assert float(failure["observed"]) > float(failure["threshold"])
    assert failure["samples"] >= 30
    if name == "flaky":
        assert 0.01 < float(failure["observed"]) < 0.2
        failed = [text for reason, text in models.events(name) if reason == "CheckFailed"]
        assert any("check errors: " in text for text in failed), failed


@rule("R17")
def test_version_whose_answers_differ_from_stable_is_rolled_back(
    models: Models, figures: Any
) -> None:
    _, failure = rolled_back(models, "differs", figures)
    assert failure["reason"] == "AnalysisFailed"
    assert (float(failure["observed"]), failure["samples"]) == (1.0, 40)


@rule("R17")
def test_prometheus_value_above_the_bound_rolls_back(models: Models, figures: Any) -> None:
    _, failure = rolled_back(models, "drifts", figures)
    assert failure["reason"] == "AnalysisFailed"
    assert failure["message"] == "check drift: 1 is above 0.2"


@rule("R17")
def test_version_without_traffic_follows_the_policy(models: Models, figures: Any) -> None:
    _, failure = rolled_back(models, "idle", figures)
    assert failure["reason"] == "InsufficientData"
    assert "check errors: no request in the window" in failure["message"]
    models.phase("eager", "Ready", "v2")


@rule("R17", "R21")
def test_false_prometheus_and_missing_metrics_never_pass(models: Models) -> None:
    held = models.until(
        "blind", lambda s: s.get("waitingFor", {}).get("reason") == "InsufficientData", "a hold"
    )
    assert verdicts(held.status) == {
        "errors": ("Insufficient", "NoData"),
        "nan": ("Insufficient", "NoData"),
        "empty": ("Insufficient", "NoData"),
        "old": ("Insufficient", "NoData"),
        "syntax": ("Insufficient", "InvalidQuery"),
        "tokens": ("Insufficient", "NoSuchMetric"),
    }
    state, reason, text = condition(held.status, "AnalysisReady")
    assert (state, reason) == ("False", "InvalidQuery")
    assert "spec.rollout.analysis.checks[syntax]" in text
    assert "parse error" in text


@rule("R4", "R21")
def test_smoke_tests_that_cannot_run_hold_until_corrected(
    models: Models,
) -> None:
    def faulty(status: dict[str, Any]) -> bool:
        return condition(status, "SmokeTestsReady")[0] == "False"

    tests_ready = condition(models.until("untestable", faulty, "a fault").status, "SmokeTestsReady")
    assert tests_ready[1] == "InvalidTest"
    assert all(source in tests_ready[2] for source in SOURCES), tests_ready
    assert models.now("untestable").get("failure") is None
    models.kubectl("create", "configmap", "bodies", "--from-literal=one={}")
    right = [UNUSABLE[0], SCORE]
    models.apply({"untestable": spec("v2", **rollout(pause="1s", smokeTests=right))})
    models.phase("untestable", "Ready", "v2")


@rule("R17")
def test_prometheus_with_tls_and_login_is_queried_with_the_secret(models: Models) -> None:
    models.phase("known", "Ready", "v2")
    passed = [text for reason, text in models.events("known") if reason == "CheckPassed"]
    assert any("check drift: 0.01 ≤ 0.2" in text for text in passed), passed


@rule("R17", "R21")
@pytest.mark.parametrize("name", KEPT_OUT)
def test_wrong_login_or_authority_is_named_and_passes_nothing_until_corrected(
    models: Models, login: dict[str, str], name: str
) -> None:
    _, reason, message = KEPT_OUT[name]
    held = models.until(
        name, lambda s: s.get("waitingFor", {}).get("reason") == "InsufficientData", "a hold"
    )
    assert verdicts(held.status) == {"drift": ("Insufficient", reason)}
    analysis_ready = condition(held.status, "AnalysisReady")
    assert analysis_ready[:2] == ("False", reason)
    assert message in analysis_ready[2]
    assert login["password"] not in json.dumps(held.status)
    now = models.now(name)
    assert (now["version"], now["weight"]) == ("v1", 50)
    models.secrets({name: login})
    models.phase(name, "Ready", "v2")


@rule("R17")
def test_prometheus_that_is_down_holds_and_passes_once_it_is_back(
    models: Models, prometheus: Prometheus
) -> None:
    models.phase("drifts", "RolledBack")
    models.until(
        "blind", lambda s: s.get("waitingFor", {}).get("reason") == "InsufficientData", "waitingFor"
    )
    models.phase("good", "Ready", "v2")
    prometheus.server.stop()
    try:
        models.apply({"good": spec("v4", **rollout(drift(DRIFT), pause="1s"))})
        held = models.until(
            "good", lambda s: s.get("waitingFor", {}).get("reason") == "InsufficientData", "a hold"
        )
        assert verdicts(held.status) == {"drift": ("Insufficient", "Unreachable")}
        assert held.status["version"] == "v2"
    finally:
        prometheus.server.restart()
    models.phase("good", "Ready", "v4")


@rule("R17")
def test_versions_without_verdict_still_wait_at_the_end(models: Models) -> None:
    now = models.now("blind")
    assert (now["phase"], now["version"], now["weight"]) == ("Progressing", "v1", 50)
