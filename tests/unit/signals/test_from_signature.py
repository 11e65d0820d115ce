"""Smoke tests that send the logged input example: what is sent, and what passes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import SignalRequests
from canarium.core.facts.observed import SmokeReport
from canarium.core.facts.training_run import RunRequest
from canarium.kube.clock import Timing
from canarium.signals.http_client import HttpClient
from canarium.signals.logged_example import LoggedExample, NoExample, protocol
from canarium.signals.monitor import SignalMonitor
from canarium.signals.smoke_bodies import REGISTRY_AGAIN
from canarium.signals.target import AnalysisTarget, ModelServer
from signals.conftest import LOOPBACK, Responder, smoke_test
from signals.test_monitor import KEY, Fake

rule = pytest.mark.rule
SIGNATURE = {
    "inputs": [{"type": "double", "name": "amount"}],
    "outputs": [{"type": "long"}],
}
VERSION = RunRequest("r", "mlflow://fraud/7", "http://mlflow", None)
PATHS = {
    "/v2/models/fraud/infer": {"outputs": [{"name": "predict", "shape": [1], "data": [1]}]},
    "/v1/models/fraud:predict": {"predictions": [1]},
    "/invocations": {"predictions": [1]},
}
BODIES = {
    "/v2/models/fraud/infer": {
        "parameters": {"content_type": "pd"},
        "inputs": [{"name": "amount", "shape": [1], "datatype": "FP64", "data": [3.5]}],
    },
    "/v1/models/fraud:predict": {"instances": [[3.5]]},
    "/invocations": {"dataframe_split": {"columns": ["amount"], "data": [[3.5]]}},
}


class Examples:
    """A registry with one example, or a reason why there is none."""

    def __init__(self) -> None:
        content = json.dumps({"dataframe_split": {"columns": ["amount"], "data": [[3.5]]}})
        self.missing: NoExample | None = None
        self.example = LoggedExample("serving", content.encode(), json.dumps(SIGNATURE).encode())
        self.reads = 0

    async def read(self, namespace: str, version: RunRequest) -> LoggedExample:
        assert (namespace, version) == ("risk", VERSION)
        self.reads += 1
        if self.missing:
            raise self.missing
        return self.example


class Rig(Fake):
    """A model from a registry with one ready pod."""

    predict_path: str | None = None
    version: RunRequest | None = VERSION

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.sleeps: list[float] = []
        self.examples = Examples()
        timing = Timing(sleep=self.sleep)
        self.signals = SignalMonitor(
            self,
            HttpClient(LOOPBACK),
            self.target,
            self.wake,
            timing,  # type: ignore[arg-type]
        )
        self.signals.examples = self.examples

    def wake(self, key: tuple[str, str], urgent: bool) -> None:
        self.wakes.append(urgent)
        self.news.set()

    def target(self, key: tuple[str, str]) -> AnalysisTarget | None:
        whole = super().target(key)
        assert whole is not None
        versions = {"r": self.version} if self.version else {}
        server = ModelServer(predict_path=self.predict_path)
        return replace(whole, versions=versions, servers={"r": server})

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await super().sleep(seconds)

    async def report(self, path: str | None = None) -> SmokeReport:
        """The first result of a test at `path`."""
        fields: dict[str, Any] = {"fromSignature": True} | ({"path": path} if path else {})
        self.signals.want(KEY, SignalRequests(smoke="r"), (smoke_test(fields),))
        await self.until(lambda: self.signals.facts(KEY)[0] is not None)
        report, _ = self.signals.facts(KEY)
        assert report is not None
        return report


@pytest_asyncio.fixture
async def rig(responder: Responder) -> AsyncIterator[Rig]:
    made = Rig(responder)
    yield made
    await made.signals.close()


@rule("R4")
@pytest.mark.parametrize("path", PATHS)
async def test_example_is_sent_in_the_protocol_of_the_path(
    rig: Rig, responder: Responder, path: str
) -> None:
    responder.responds(json.dumps(PATHS[path]))
    rig.predict_path = path
    assert await rig.report() == SmokeReport("r", True, tested=1)
    ((method, asked, body),) = responder.requests
    assert (method, asked, json.loads(body)) == ("POST", path, BODIES[path])
    assert responder.headers[0]["Content-Type"] == "application/json"


@rule("R4")
@pytest.mark.parametrize("path", PATHS)
async def test_answer_that_does_not_match_the_signature_fails_the_version(
    rig: Rig, responder: Responder, path: str
) -> None:
    responder.responds(json.dumps(PATHS[path]).replace("[1]}", '["fraud"]}'))
    report = await rig.report(path)
    assert (report.passed, report.unusable, report.pod) == (False, False, "pod-a")
    assert f"smoke test {path}: the answer does not match the signature of" in report.message
    assert '"fraud", expected long' in report.message
    assert rig.wakes == [True], "a failure is urgent"


@rule("R4")
async def test_error_of_the_server_for_the_example_fails_the_version(
    rig: Rig, responder: Responder
) -> None:
    responder.responds("no such column", status=400)
    report = await rig.report("/invocations")
    assert (report.unusable, report.message) == (
        False,
        "smoke test /invocations: status 400, expected 200",
    )


@rule("R21")
async def test_version_without_an_example_waits_and_the_registry_is_rarely_asked(
    rig: Rig, responder: Responder
) -> None:
    rig.examples.missing = NoExample("logged without it", CheckReason.NO_INPUT_EXAMPLE)
    report = await rig.report("/invocations")
    assert (report.unusable, report.reason) == (True, CheckReason.NO_INPUT_EXAMPLE)
    assert report.message == "spec.rollout.smokeTests[0].fromSignature: logged without it"
    await rig.until(lambda: len(rig.sleeps) >= 2)
    assert set(rig.sleeps) == {REGISTRY_AGAIN}
    assert responder.requests == []
    assert rig.wakes == [False]
    rig.examples.missing = None
    responder.responds(json.dumps(PATHS["/invocations"]))
    await rig.until(lambda: rig.signals.facts(KEY)[0] == SmokeReport("r", True, tested=1))


@rule("R21")
@pytest.mark.parametrize("path", [None, "/v1/completions"])
async def test_runtime_that_takes_no_example_is_named(rig: Rig, path: str | None) -> None:
    rig.predict_path = path
    report = await rig.report()
    assert (report.unusable, report.reason) == (True, CheckReason.INVALID_TEST)
    assert (path or "a server without predictPath") in report.message


@rule("R21")
async def test_model_of_another_source_has_no_example(rig: Rig) -> None:
    rig.version = None
    report = await rig.report("/invocations")
    assert report.reason is CheckReason.NO_INPUT_EXAMPLE
    assert rig.examples.reads == 0


@rule("R31")
async def test_example_is_read_once_while_pods_cannot_be_reached(
    rig: Rig, responder: Responder
) -> None:
    port, rig._port = rig._port, 1
    report = await rig.report("/invocations")
    assert report.unreachable
    await rig.until(lambda: len(rig.sleeps) >= 2)
    rig._port = port
    responder.responds(json.dumps(PATHS["/invocations"]))
    await rig.until(lambda: rig.signals.facts(KEY)[0] == SmokeReport("r", True, tested=1))
    assert rig.examples.reads == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/models/m/versions/1/infer?x=1", "V2"),
        ("/v1/models/m:predict", "V1"),
        ("/invocations", "MLflow"),
        ("/generate", None),
        (None, None),
    ],
)
def test_protocol_follows_from_the_path(path: str | None, expected: str | None) -> None:
    assert protocol(path) == expected
