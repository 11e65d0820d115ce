"""A real API server, a simulated node, and the operator as a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from integration import rights
from integration.kubelet import Kubelet
from sandbox.controlplane import ControlPlane

#: A leader that was killed is replaced after three seconds, not fifteen.
SHORT_LEASE = ("--lease-duration=3", "--lease-renew=2", "--lease-retry=0.3")
#: Tests run beside others: a renewal that is late by a second or two ends no operator.
PATIENT_LEASE = ("--lease-duration=9", "--lease-renew=7", "--lease-retry=0.3")
#: Maximum seconds that a process has, in addition, to start and to lead.
_START = 60.0
ROOT = Path(__file__).parents[2]
_serial = iter(range(1_000))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.api)


class Operator:
    """The operator's process; `restart` is a crash and a new start."""

    def __init__(self, kubeconfig: Path, log: Path, *flags: str) -> None:
        self._kubeconfig, self.log = kubeconfig, log
        self._flags = flags or (
            "--fetch-image",
            "fetch:1",
            "--lease-namespace",
            "default",
            *PATIENT_LEASE,
        )
        self.log_from = 0
        #: Added to the environment of the process.
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log_from = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "canarium", "run", "--kubeconfig", str(self._kubeconfig)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *self._flags],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONWARNINGS": "default", **self.environment},
            )

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    def must_run(self) -> None:
        """AssertionError with its exit and the end of its log, when it ended by itself."""
        if self.exit_code is not None:
            raise AssertionError(
                f"the operator ended with {self.exit_code}; {self.log}: {self.end()}"
            )

    def said(self, words: str) -> bool:
        """Whether its log has `words` since it was started last."""
        return words in self.text()

    def text(self) -> str:
        """Its log since it was started last."""
        content = self.log.read_bytes() if self.log.exists() else b""
        return content[self.log_from :].decode(errors="replace")

    def end(self) -> str:
        """The end of its log since it was last started."""
        return self.text()[-3000:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


class Cluster:
    """Actions and queries of the tests."""

    def __init__(
        self, plane: ControlPlane, client: Client, kubelet: Kubelet, operator: Operator, ns: str
    ) -> None:
        self.plane, self.client, self.kubelet = plane, client, kubelet
        self.operator, self.namespace = operator, ns
        #: Where the audit log ended before the namespace had anything.
        self._audited = plane.audit_log.stat().st_size

    def apply(self, version: str, *, name: str = "fraud", **spec: Any) -> None:
        """Applies a model of three replicas with steps 25 and 50 of half a second."""
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "model": {"version": version},
                "runtime": {"image": f"model:{version}", "readiness": {"path": "/ready"}},
                "scaling": {"replicas": 3},
                "rollout": {
                    "steps": [
                        {"weight": 25, "pause": "500ms"},
                        {"weight": 50, "pause": "500ms"},
                    ],
                    "bakeTime": "1s",
                },
                **spec,
            },
        }
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    async def model(self, name: str = "fraud") -> dict[str, Any]:
        return await self.client.get(resources.MODELS, self.namespace, name)

    async def phase(self, phase: str, version: str | None = None, seconds: float = 30) -> Any:
        """Waits for a phase (and the version that serves); the status.

        The phase is for display: `Ready` also waits for the condition of that name, which asks
        for endpoints and so follows a moment later.
        """

        def there(status: dict[str, Any]) -> bool:
            ready = any(
                c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())
            )
            return (
                status.get("phase") == phase
                and version in (None, status.get("version"))
                and (ready or phase != "Ready")
            )

        return await self.until(there, seconds)

    async def until(
        self, holds: Callable[[dict[str, Any]], bool], seconds: float = 30, name: str = "fraud"
    ) -> Any:
        status: dict[str, Any] = {}
        end = time.monotonic() + seconds
        latest = end + _START
        while time.monotonic() < end:
            self.operator.must_run()
            # Beside other tests, a process that has just started may take long to import its
            # libraries: the time counts from when it leads.
            if not self.operator.said("leading"):
                end = min(time.monotonic() + seconds, latest)
            try:
                model = await self.model(name)
            except ApiError as error:
                if not error.transient:  # An API server that is away is asked again.
                    raise
                await asyncio.sleep(0.2)
                continue
            status = model.get("status", {})
            if status.get("observedGeneration") == model["metadata"]["generation"] and holds(
                status
            ):
                return status
            await asyncio.sleep(0.05)
        pods = json.dumps(await self._pods(), indent=1)
        reported = json.dumps(status, indent=1)
        raise AssertionError(
            f"not seen in {seconds} s: {reported}\npods: {pods}\n"
            f"the operator: {self.operator.end()}"
        )

    async def event_reasons(self, awaited: str, seconds: float = 10) -> list[str]:
        """The reasons of all Events, once `awaited` is among them: an Event follows the status
        that it belongs to."""
        reasons: list[str] = []
        end = time.monotonic() + seconds
        while awaited not in reasons:
            assert time.monotonic() < end, reasons
            events = await self.client.list(resources.EVENTS, self.namespace)
            reasons = [one["reason"] for one in events["items"]]
            await asyncio.sleep(0.1)
        return reasons

    async def _pods(self) -> dict[str, str]:
        """The pods as the API server has them: a fault of theirs must not be taken for one of the
        operator."""
        found = await self.client.list(resources.PODS, self.namespace)
        return {
            pod["metadata"]["name"]: ", ".join(
                f"{c['type']}={c['status']}" for c in pod["status"].get("conditions", ())
            )
            for pod in found["items"]
        }

    async def children(self, resource: resources.Resource) -> list[dict[str, Any]]:
        found = await self.client.list(resource, self.namespace, labelSelector="canarium.dev/model")
        items: list[dict[str, Any]] = found["items"]
        return items

    async def leading(self, seconds: float = _START) -> None:
        """Waits until the operator that was started last leads and has reconciled every key."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.operator.must_run()
            if self.operator.said("leading"):
                await asyncio.sleep(2)
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"no leader in {seconds} s")

    def writes(self) -> list[dict[str, Any]]:
        """Writes of the operator so far in this namespace, from the API server's audit log."""
        with self.plane.audit_log.open("rb") as log:
            log.seek(self._audited)
            # A line that is still being written ends in no newline.
            entries = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [
            e
            for e in entries
            if e["stage"] == "ResponseComplete"
            and e.get("userAgent", "").startswith("canarium/")
            and e["verb"] in ("create", "update", "patch", "delete")
            and e.get("objectRef", {}).get("namespace") == self.namespace
            and e["objectRef"]["resource"] not in ("pods", "nodes")
        ]


@contextlib.contextmanager
def control_plane(folder: Path, *apiserver: str, features: str = "") -> Iterator[ControlPlane]:
    """A control plane of played nodes with our kinds, whose data are in `folder`; `apiserver` are
    more flags of that part, and `features` are feature gates such as `A=true,B=false`."""
    gates = (f"--feature-gates={features}",) if features else ()
    manager = (
        *gates,
        # An autoscaler looks every second, not every fifteen.
        "--horizontal-pod-autoscaler-sync-period=1s",
        # Nothing sends heartbeats for a simulated node: after a minute this controller would mark
        # its new pods unready. Lost nodes are simulated, too.
        "--controllers=-node-lifecycle-controller",
    )
    plane = ControlPlane(
        folder, extra={"controller-manager": manager, "apiserver": (*apiserver, *gates)}
    )
    try:
        plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        plane.api.await_definitions()
        yield plane
    finally:
        plane.down()


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def granted(plane: ControlPlane) -> Path:
    """A kubeconfig with the chart's rights and no others."""
    return rights.granted(plane, into=plane.folder.parent / "operator.kubeconfig")


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    """One for each file; a request beyond the chart's rights fails its last test."""
    operator = Operator(granted, plane.folder.parent / "operator.log")
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@pytest_asyncio.fixture
async def cluster(plane: ControlPlane, operator: Operator) -> AsyncIterator[Cluster]:
    # Else each test would wait in vain for an operator that ended in an earlier one.
    operator.must_run()
    namespace = f"test-{next(_serial)}"
    plane.kubectl("create", "namespace", namespace)
    async with (
        Client.connect(str(plane.kubeconfig)) as client,
        Kubelet(client).running() as kubelet,
    ):
        yield Cluster(plane, client, kubelet, operator, namespace)
        with contextlib.suppress(ApiError):
            await client.delete(resources.MODELS, namespace, "fraud")


@pytest.fixture(scope="session")
def sample() -> dict[str, Any]:
    """The example that the README shows."""
    body: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "canary.yaml").read_text())
    return body
