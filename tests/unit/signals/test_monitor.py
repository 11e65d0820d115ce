"""The background work: what is asked for is done, again where it could not be, and no longer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.effective_analysis import effective_analysis
from canarium.api.model_deployment import Rollout
from canarium.core.decision.plan import AnalysisRequest, SignalRequests
from canarium.core.facts.observed import SmokeReport
from canarium.evaluation.documents import LONGEST
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.signals import json_metric, smoke
from canarium.signals.http_client import HttpClient
from canarium.signals.monitor import SignalMonitor
from canarium.signals.smoke import Target
from canarium.signals.target import AnalysisTarget, ServingPod
from signals.conftest import LOOPBACK, Responder, smoke_test

rule = pytest.mark.rule
KEY = ("risk", "fraud")
BODY = {"configMap": {"name": "bodies", "key": "one"}}


class Fake:
    """A model with one ready pod of revision `r`, one ConfigMap perhaps, and a clock that
    every sleep advances."""

    def __init__(self, responder: Responder) -> None:
        self.bodies: dict[str, str] | None = None
        self.wakes: list[bool] = []
        self.naps = 0
        self.news = asyncio.Event()
        self.rollout: Rollout | None = Rollout.model_validate(
            {"analysis": {"interval": "1s", "checks": [{"name": "e", "metric": "ErrorRate"}]}}
        )
        self.pods = ["pod-a"]
        self._port = responder.port

    async def get(self, *_: Any) -> dict[str, Any]:
        if self.bodies is None:
            raise ApiError(404, "NotFound", 'configmaps "bodies" not found')
        return {"data": self.bodies}

    def target(self, key: tuple[str, str]) -> AnalysisTarget | None:
        places = tuple(ServingPod(Target(name, "127.0.0.1", self._port)) for name in self.pods)
        standing = frozenset(self.pods)
        if self.rollout is None:
            return None
        analysis = self.rollout.analysis and effective_analysis(self.rollout.analysis)
        return AnalysisTarget(*key, analysis, pods={"r": places}, standing=standing)

    async def sleep(self, seconds: float) -> None:
        self.naps += 1
        self.news.set()
        await asyncio.sleep(0.01)

    async def until(self, holds: Any) -> None:
        """Waits for naps and wakes until `holds()`."""
        async with asyncio.timeout(20):
            while not holds():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def fake(responder: Responder) -> Fake:
    return Fake(responder)


@pytest_asyncio.fixture
async def signals(fake: Fake) -> AsyncIterator[SignalMonitor]:
    def wake(key: tuple[str, str], urgent: bool) -> None:
        fake.wakes.append(urgent)
        fake.news.set()

    timing = Timing(sleep=fake.sleep)
    made = SignalMonitor(fake, HttpClient(LOOPBACK), fake.target, wake, timing)  # type: ignore[arg-type]
    yield made
    await made.close()


@rule("R4", "R21")
async def test_smoke_test_without_its_body_is_reported_once_and_runs_when_it_exists(
    fake: Fake, signals: SignalMonitor, responder: Responder
) -> None:
    test = smoke_test({"path": "/predict", "bodyFrom": BODY})
    signals.want(KEY, SignalRequests(smoke="r"), (test,))
    await fake.until(lambda: fake.naps >= 3)
    report, _ = signals.facts(KEY)
    assert report is not None
    assert report.unusable
    assert report.message.startswith("spec.rollout.smokeTests[0].bodyFrom: ConfigMap bodies: ")
    assert fake.wakes == [False], "the same fault wakes it once"
    fake.bodies = {"one": '{"n": 1}'}
    await fake.until(lambda: signals.facts(KEY)[0] == SmokeReport("r", True, tested=1))
    assert responder.requests == [("POST", "/predict", b'{"n": 1}')]


@rule("R4", "R25")
async def test_pod_drained_during_its_test_does_not_fail_its_version(
    fake: Fake, signals: SignalMonitor, responder: Responder
) -> None:
    async def drained(request: server.Request) -> server.Response:
        fake.pods = ["pod-b"]
        responder.responds("well")
        return server.Response(status=503)

    responder.handler = drained
    signals.want(KEY, SignalRequests(smoke="r"), (smoke_test({"path": "/ready"}),))
    await fake.until(lambda: signals.facts(KEY)[0] is not None)
    assert signals.facts(KEY)[0] == SmokeReport("r", True, tested=1)
    assert len(responder.requests) == 2, "the pod that replaced it was asked"


@rule("R4", "R7")
async def test_running_pod_that_fails_its_test_fails_its_version(
    fake: Fake, signals: SignalMonitor, responder: Responder
) -> None:
    responder.responds("ill", status=503)
    signals.want(KEY, SignalRequests(smoke="r"), (smoke_test({"path": "/ready"}),))
    await fake.until(lambda: signals.facts(KEY)[0] is not None)
    report, _ = signals.facts(KEY)
    assert report is not None
    assert (report.passed, report.pod) == (False, "pod-a")
    assert fake.wakes == [True]


@rule("R17")
async def test_analysis_without_pods_is_resumed(fake: Fake, signals: SignalMonitor) -> None:
    rollout, fake.rollout = fake.rollout, None
    asked = SignalRequests(analysis=AnalysisRequest("r", "s", 0.0))
    signals.want(KEY, asked, ())
    await asyncio.sleep(0.05)
    fake.rollout = rollout
    signals.want(KEY, asked, ())
    await fake.until(lambda: signals.facts(KEY)[1] is not None)


@rule("R31")
async def test_exception_in_a_test_or_a_check_is_one_line_and_stops_nothing_else(  # H4, H11
    fake: Fake, signals: SignalMonitor, responder: Responder, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    responder.responds('{"n": 1}')

    def boom(*_: object, **__: object) -> None:
        raise KeyError("forged\nline")

    checks = [
        {"name": n, "web": {"url": responder.url, "path": "$.n"}, "max": "5"} for n in ("a", "b")
    ]
    fake.rollout = Rollout.model_validate({"analysis": {"interval": "1s", "checks": checks}})
    real = json_metric.ask
    asked = iter([True, False] * 100)

    async def sometimes(*arguments: Any, **options: Any) -> Any:
        return boom() if next(asked) else await real(*arguments, **options)

    monkeypatch.setattr(json_metric, "ask", sometimes)
    signals.want(KEY, SignalRequests(analysis=AnalysisRequest("r", None, 0.0)), ())
    await fake.until(lambda: fake.naps >= 6 and signals.facts(KEY)[1] is not None)
    evidence = signals.facts(KEY)[1]
    assert evidence is not None
    broken, good = evidence.findings
    assert (broken.verdict, broken.reason, broken.error) == ("Insufficient", "QueryFailed", True)
    assert good.value == 1
    monkeypatch.setattr(smoke, "run", boom)
    other = ("risk", "other")
    signals.want(other, SignalRequests(smoke="r"), (smoke_test({"path": "/"}),))
    await fake.until(lambda: signals.facts(other)[0] is not None)
    report, _ = signals.facts(other)
    assert report is not None
    assert (report.passed, report.unusable) == (False, True)
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 2, errors
    assert all("KeyError" in line and "\n" not in line for line in errors)
    assert not any(r.exc_info for r in caplog.records)


@rule("R4", "R7")
async def test_unreachable_pod_is_retried_until_it_answers(
    fake: Fake, signals: SignalMonitor, responder: Responder
) -> None:  # G2
    fake._port = 1
    signals.want(KEY, SignalRequests(smoke="r"), (smoke_test({"path": "/ready"}),))
    await fake.until(lambda: signals.facts(KEY)[0] is not None)
    report, _ = signals.facts(KEY)
    assert report is not None
    assert (report.passed, report.pod, report.unreachable) == (False, "pod-a", "ConnectionRefused")
    assert fake.wakes == [False], "nothing has failed"
    fake._port = responder.port
    await fake.until(lambda: signals.facts(KEY)[0] == SmokeReport("r", True, tested=1))


@rule("R17")
async def test_unreachable_scrape_does_not_fail_the_version(
    fake: Fake, signals: SignalMonitor
) -> None:  # G2
    fake._port = 1
    assert fake.rollout is not None
    fake.rollout = fake.rollout.model_validate(
        {
            "analysis": {
                "interval": "1s",
                "errorLimit": 1,
                "checks": [{"name": "e", "series": {"name": "load", "kind": "Gauge"}, "max": "1"}],
            }
        }
    )
    signals.want(KEY, SignalRequests(analysis=AnalysisRequest("r", "s", 0.0)), ())
    await fake.until(lambda: fake.wakes.count(False) >= 3 or True in fake.wakes)
    evidence = signals.facts(KEY)[1]
    assert evidence is not None
    assert evidence.failed is None
    assert [finding.reason for finding in evidence.findings] == ["PodsUnreachable"]


@rule("R21", "R30", "R31")
@pytest.mark.parametrize(
    ("expect", "answer", "reason"),
    [
        ({"json": [{"path": "$.["}]}, "{}", "InvalidTest"),
        # It uses up the processor time that a worker may take.
        pytest.param(
            {"schema": {"pattern": "^(a+)+$"}}, json.dumps("a" * 40 + "!"), "EvaluationLimit",
            marks=pytest.mark.slow,
        ),
        ({"schema": {}}, json.dumps("a" * LONGEST), "AnswerTooLarge"),
    ],
)  # fmt: skip
async def test_report_has_the_reason_why_a_test_could_not_be_evaluated(
    fake: Fake, signals: SignalMonitor, responder: Responder, expect: Any, answer: str, reason: str
) -> None:
    responder.responds(answer)
    test = smoke_test({"path": "/predict", "expect": expect})
    signals.want(KEY, SignalRequests(smoke="r"), (test,))
    await fake.until(lambda: signals.facts(KEY)[0] is not None)
    report, _ = signals.facts(KEY)
    assert report is not None
    assert (report.unusable, report.reason) == (True, reason), report.message


@rule("R12", "R17")
async def test_evidence_states_the_checks_that_were_evaluated(
    fake: Fake, signals: SignalMonitor, responder: Responder
) -> None:
    """After an edit of a bound, the next evaluation has the new one."""
    responder.responds('{"n": 1}')
    for bound in ("5", "6"):
        check = {"name": "n", "web": {"url": responder.url, "path": "$.n"}, "max": bound}
        fake.rollout = Rollout.model_validate({"analysis": {"interval": "1s", "checks": [check]}})
        signals.want(KEY, SignalRequests(analysis=AnalysisRequest("r", None, 0.0)), ())
        await fake.until(lambda: maxima(signals) == [float(bound)])  # noqa: B023


def maxima(signals: SignalMonitor) -> list[float | None]:
    evidence = signals.facts(KEY)[1]
    return [check.maximum for check in evidence.checks] if evidence else []
