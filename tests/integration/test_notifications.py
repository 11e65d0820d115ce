"""The notifier with a real API server, operator and receiver: nothing is lost, nothing is delayed
(R28)."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from aiohttp import ClientSession, web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from http_server import HttpServer
from integration import rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane
from sandbox.ports import free_ports

rule = pytest.mark.rule
PREFIX = "dev.canarium.modeldeployment."
ROLLOUT = ["started", "weightineffect", "weightineffect", "promoted", "completed"]


@dataclass
class Receiver:
    """A receiver of CloudEvents that can answer 500, answer late or never, or be down."""

    status: int = 200
    delay: float = 0.0
    #: While it is silent: what ends that.
    silence: asyncio.Event | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = HttpServer(self._handle)

    async def misbehave(self, how: str) -> None:
        """`how`: `500`, `slow`, `silent` or `down`."""
        match how:
            case "500":
                self.status = 500
            case "slow":
                self.delay = 8.0
            case "silent":
                self.silence = asyncio.Event()
            case "down":
                await self.server.stop()

    async def recover(self) -> None:
        if self.silence:
            self.silence.set()
        self.status, self.delay, self.silence = 200, 0.0, None
        if not self.server.listens:
            await self.server.start()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        event = json.loads(await request.text())
        if self.silence:
            await self.silence.wait()
            return web.Response(status=503)
        await asyncio.sleep(self.delay)
        if self.status == 200:
            self.events.append(event)
        return web.Response(status=self.status)

    def types(self, namespace: str, version: str | None = None) -> list[str]:
        return [
            e["type"].removeprefix(PREFIX)
            for e in self.events
            if e["data"]["namespace"] == namespace and version in (None, e["data"]["version"])
        ]

    async def until(self, namespace: str, version: str, types: list[str]) -> None:
        end = time.monotonic() + 40
        while self.types(namespace, version) != types:
            assert time.monotonic() < end, self.types(namespace, version)
            await asyncio.sleep(0.1)


@dataclass
class Collector:
    """A receiver of traces that reads them with OpenTelemetry's own types."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        whole = ExportTraceServiceRequest.FromString(await request.read())
        self.spans += [s for r in whole.resource_spans for x in r.scope_spans for s in x.spans]
        return web.Response()

    async def until(self, namespace: str, name: str) -> Span:
        """Waits for the last span with a name that belongs to a model of `namespace`."""
        end = time.monotonic() + 40
        while not (found := [s for s in self.of(namespace) if s.name.startswith(name)]):
            assert time.monotonic() < end, [s.name for s in self.spans]
            await asyncio.sleep(0.1)
        return found[-1]

    def of(self, namespace: str) -> list[Span]:
        return [s for s in self.spans if attributes(s)["k8s.namespace.name"] == namespace]


def attributes(span: Span) -> dict[str, str]:
    return {a.key: a.value.string_value for a in span.attributes}


class Notifier:
    """The process `canarium notify`, with the rights that the chart grants it."""

    def __init__(self, kubeconfig: Path, config: Path, log: Path) -> None:
        self._command = [
            sys.executable, "-m", "canarium", "notify", f"--config={config}",
            f"--kubeconfig={kubeconfig}", "--lease-namespace=default", *PATIENT_LEASE,
        ]  # fmt: skip
        self._log, self._port = log, free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    def replica(self, log: Path) -> Notifier:
        """Another process with the same options."""
        other = copy.copy(self)
        other._log, other._port, other._process = log, free_ports(1)[0], None
        return other

    async def metric(self, name: str) -> float:
        """The sum of a metric of the sink `ci`."""
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._port}/metrics") as answer,
        ):
            text = await answer.text()
        found = re.findall(rf'(?m)^{name}{{[^}}]*sink="ci"[^}}]*}} (\S+)$', text)
        return sum(map(float, found))

    def start(self) -> None:
        with self._log.open("ab") as output:
            environment = {**os.environ, "PYTHONWARNINGS": "default"}
            self._process = subprocess.Popen(
                [*self._command, f"--metrics-port={self._port}"],
                stdout=output,
                stderr=output,
                env=environment,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process
        self._process.send_signal(how)
        return self._process.wait(20)


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    log = plane.folder.parent / "operator-notifications.log"
    flags = ("--record-transitions", "--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, log, *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.server:
        yield receiver


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    async with HttpServer(collector.handle) as listening:
        collector.url = f"{listening.url}/v1/traces"
        yield collector


@pytest.fixture
def notifier(
    plane: ControlPlane, receiver: Receiver, collector: Collector, tmp_path: Path
) -> Iterator[Notifier]:
    sinks = [
        {"name": "ci", "cloudEvents": {"url": f"{receiver.server.url}/"}},
        {"name": "traces", "traces": {"url": collector.url}},
    ]
    config = tmp_path / "notifications.yaml"
    config.write_text(yaml.safe_dump({"cluster": "test", "sinks": sinks}))
    kubeconfig = rights.notifier(plane, sinks, into=tmp_path / "notifier.kubeconfig")
    notifier = Notifier(kubeconfig, config, tmp_path / "notifier.log")
    notifier.start()
    yield notifier
    assert notifier.stop() == 0, (tmp_path / "notifier.log").read_text()
    assert rights.Audit(plane, account="canarium-notifier").forbidden() == set()
    # Each test begins with a new sink.
    names = [f"canarium-notifier-{sink['name']}" for sink in sinks]
    plane.kubectl("-n", "default", "delete", "configmap", "--ignore-not-found", *names)


async def ready(notifier_log: Path) -> None:
    end = time.monotonic() + 30
    while "delivering to" not in notifier_log.read_text():  # noqa: ASYNC240
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


async def first_version(cluster: Cluster, folder: Path) -> None:
    """Brings version 1 into service once the notifier of `folder` delivers."""
    await ready(folder / "notifier.log")
    cluster.apply("1")
    await cluster.phase("Ready", "1")


@rule("R21", "R28")
async def test_text_with_an_unknown_variable_is_a_condition_with_its_field_and_serving_continues(
    cluster: Cluster,
) -> None:
    def reported(status: dict[str, Any]) -> str | None:
        return next(
            (c["message"] for c in status["conditions"] if c["type"] == "NotificationsReady"), None
        )

    cluster.apply("1", notifications={"title": "{{ nmae }}"})
    status = await cluster.phase("Ready", "1")
    assert (reported(status) or "").startswith(
        "spec.notifications.title: line 1: nmae is undefined"
    )
    assert "NotificationTextInvalid" in await cluster.event_reasons("NotificationTextInvalid")
    revision = status["stable"]["revision"]
    cluster.apply("1", notifications={"title": "{{ name }}"})
    status = await cluster.until(lambda s: reported(s) is None)
    assert (status["phase"], status["stable"]["revision"]) == ("Ready", revision)


@rule("R28")
@pytest.mark.parametrize("how", ["500", "slow", "silent", "down"])
async def test_rollout_is_over_before_a_receiver_accepts_and_nothing_is_lost(
    cluster: Cluster, receiver: Receiver, notifier: Notifier, tmp_path: Path, how: str
) -> None:
    """`make bench-notifications` measures how long the rollout takes."""
    await first_version(cluster, tmp_path)
    await receiver.until(cluster.namespace, "1", ["promoted"])
    await receiver.misbehave(how)
    cluster.apply("2")
    await cluster.phase("Ready", "2")
    assert len(receiver.types(cluster.namespace, "2")) < len(ROLLOUT)
    assert await notifier.metric("canarium_notifications_pending") > 0
    assert await notifier.metric("canarium_notifications_oldest_seconds") > 0
    await receiver.recover()
    await receiver.until(cluster.namespace, "2", ROLLOUT)
    ids = [event["id"] for event in receiver.events]
    assert len(ids) == len(set(ids))
    end = time.monotonic() + 10
    while await notifier.metric("canarium_notifications_pending"):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    assert await notifier.metric("canarium_notification_delay_seconds_count") == len(ids)
    failures = await notifier.metric("canarium_notification_failures_total")
    assert bool(failures) == (how != "slow")
    assert await notifier.metric("canarium_notifications_dropped_total") == 0


@rule("R28")
async def test_notifier_that_was_killed_or_stopped_delivers_the_rest(
    cluster: Cluster, receiver: Receiver, notifier: Notifier, tmp_path: Path
) -> None:
    await first_version(cluster, tmp_path)
    await receiver.until(cluster.namespace, "1", ["promoted"])
    notifier.stop()
    cluster.apply("2")
    await cluster.phase("Ready", "2")
    # Stopped in order: what it delivered before is stored, and is not delivered again.
    notifier.start()
    await receiver.until(cluster.namespace, "2", ROLLOUT)
    assert receiver.types(cluster.namespace, "1") == ["promoted"]
    receiver.delay = 0.5
    steps = [{"weight": 25, "pause": "3s"}]
    cluster.apply("3", rollout={"steps": steps, "bakeTime": "1s"})
    await cluster.until(lambda s: (s.get("candidate") or {}).get("weight") == 25)
    notifier.stop(signal.SIGKILL)
    await cluster.phase("Ready", "3")
    notifier.start()
    end = time.monotonic() + 40
    while "completed" not in receiver.types(cluster.namespace, "3"):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    # At least once: a crash may repeat the newest ones, and a receiver knows them by their id.
    seen = {e["id"]: e for e in receiver.events if e["data"]["version"] == "3"}
    types = [e["type"].removeprefix(PREFIX) for e in sorted(seen.values(), key=lambda e: e["time"])]
    assert types == ["started", "weightineffect", "promoted", "completed"]


@rule("R28")
async def test_second_notifier_takes_over_during_a_rollout_and_repeats_nothing(
    cluster: Cluster, receiver: Receiver, notifier: Notifier, tmp_path: Path
) -> None:
    await first_version(cluster, tmp_path)
    await receiver.until(cluster.namespace, "1", ["promoted"])
    second = notifier.replica(tmp_path / "second.log")
    second.start()
    try:
        steps = [{"weight": 25, "pause": "3s"}]
        cluster.apply("2", rollout={"steps": steps, "bakeTime": "1s"})
        await receiver.until(cluster.namespace, "2", ["started", "weightineffect"])
        assert "delivering to" not in (tmp_path / "second.log").read_text()
        notifier.stop()
        rollout = ["started", "weightineffect", "promoted", "completed"]
        await receiver.until(cluster.namespace, "2", rollout)
        assert "delivering to" in (tmp_path / "second.log").read_text()
        await cluster.phase("Ready", "2")
    finally:
        second.stop()
    assert receiver.types(cluster.namespace) == ["promoted", *rollout]


@rule("R28")
async def test_rollback_names_its_reason(
    cluster: Cluster, receiver: Receiver, notifier: Notifier, tmp_path: Path
) -> None:
    await first_version(cluster, tmp_path)
    bad = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
    cluster.apply("2", podTemplate=bad)
    failure = (await cluster.phase("RolledBack"))["failure"]
    await receiver.until(cluster.namespace, "2", ["started", "rolledback"])
    event = receiver.events[-1]
    assert event["data"]["reason"] == failure["reason"]
    assert event["subject"] == failure["revision"]
    assert event["source"].startswith(
        f"//test/apis/canarium.dev/v1alpha1/namespaces/{cluster.namespace}/"
    )


@rule("R28")
async def test_each_rollout_is_one_trace(
    cluster: Cluster, collector: Collector, notifier: Notifier, tmp_path: Path
) -> None:
    await first_version(cluster, tmp_path)
    cluster.apply("2")
    await cluster.phase("Ready", "2")
    bake = await collector.until(cluster.namespace, "bake")
    root = await collector.until(cluster.namespace, "rollout ")
    children = [s for s in collector.of(cluster.namespace) if s.parent_span_id == root.span_id]
    assert {s.name.split()[0] for s in children} == {"start", "weight", "bake"}
    assert {s.trace_id for s in children} == {root.trace_id}
    assert root.start_time_unix_nano < root.end_time_unix_nano == bake.start_time_unix_nano
    assert root.status.code == Status.STATUS_CODE_OK
    assert attributes(root)["canarium.version"] == "2"

    bad = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
    cluster.apply("3", podTemplate=bad)
    failure = (await cluster.phase("RolledBack"))["failure"]
    end = time.monotonic() + 40
    while (failed := await collector.until(cluster.namespace, "rollout ")) == root:
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes(failed)["canarium.reason"] == failure["reason"]
    assert attributes(failed)["canarium.revision"] == failure["revision"]
    assert failed.trace_id != root.trace_id
