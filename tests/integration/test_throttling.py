"""An API server that refuses what is too much: four writes and twelve reads at a time, else 429.

Counts, not seconds: what the audit log has of the operator's requests.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube import resources
from canarium.kube.http import Client
from canarium.kube.limiter import ConcurrencyLimits
from canarium.kube.throttle import Throttle
from integration import rights
from integration.conftest import Operator, control_plane
from integration.kubelet import Kubelet
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
SEATS = 4
FLAGS = (
    "--enable-priority-and-fairness=false",
    f"--max-mutating-requests-inflight={SEATS}",
    "--max-requests-inflight=12",
)
NAMESPACES = tuple(f"team-{n}" for n in range(4))
MANY = 60
KEYS = [(NAMESPACES[n % len(NAMESPACES)], f"m-{n:03d}") for n in range(MANY)]
Key = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """One request of the operator, as the audit log has it."""

    verb: str
    resource: str
    key: Key
    uri: str
    code: int
    at: float

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "update", "patch", "delete")


def requests(plane: ControlPlane) -> list[Request]:
    """All of the operator's, its Lease aside; creations by the name of the object."""
    found = []
    for line in (plane.folder / "audit.log").read_text().splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef") or {}
        ours = entry["user"]["username"] == "system:serviceaccount:default:canarium"
        if not ours or entry["stage"] != "ResponseComplete" or about.get("resource") == "leases":
            continue
        resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
        found.append(
            Request(
                entry["verb"],
                resource,
                (about.get("namespace", ""), about.get("name", "")),
                entry["requestURI"],
                (entry.get("responseStatus") or {}).get("code", 0),
                datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
            )
        )
    return found


@pytest.fixture(scope="module")
def throttled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("throttled"), *FLAGS) as plane:
        for namespace in (*NAMESPACES, "victim"):
            plane.kubectl("create", "namespace", namespace)
        yield plane


@pytest.fixture(scope="module")
def account(throttled: ControlPlane) -> Path:
    """The operator's ServiceAccount: an administrator is never refused for want of seats."""
    return rights.granted(throttled, into=throttled.folder.parent / "throttled.kubeconfig")


@pytest.fixture(scope="module")
def operator(throttled: ControlPlane, account: Path) -> Iterator[Operator]:
    operator = Operator(account, throttled.folder.parent / "throttled.log")
    operator.start()
    yield operator
    operator.must_run()
    operator.stop()


@pytest_asyncio.fixture
async def client(throttled: ControlPlane, operator: Operator) -> AsyncIterator[Client]:
    operator.must_run()
    async with Client.connect(str(throttled.kubeconfig)) as client:
        yield client


@pytest_asyncio.fixture(autouse=True)
async def kubelet(client: Client) -> AsyncIterator[Kubelet]:
    """It is an administrator, who takes seats and is never refused: one write at a time."""
    async with Kubelet(
        client.guarded(Throttle(1000, 1), None, ConcurrencyLimits.of(1))
    ).running() as kubelet:
        yield kubelet


def body(key: Key, version: str) -> dict[str, Any]:
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"namespace": key[0], "name": key[1]},
        "spec": {
            "model": {"version": version},
            "runtime": {"image": f"model:{version}", "readiness": {"path": "/ready"}},
            "scaling": {"replicas": 1},
            "rollout": {"steps": [{"weight": 50, "pause": "1s"}], "bakeTime": "0s"},
        },
    }


async def until(client: Client, key: Key, holds: Callable[[dict[str, Any]], bool]) -> Any:
    """Waits for a status."""
    status: dict[str, Any] = {}
    for _ in range(600):
        status = (await client.get(resources.MODELS, *key)).get("status", {})
        if holds(status):
            return status
        await asyncio.sleep(0.1)
    raise AssertionError(status)


async def served(client: Client, version: str, seconds: float = 120) -> None:
    """Waits until all models of KEYS are Ready by `version`."""
    ready = 0
    for _ in range(int(seconds * 2)):
        models = (await client.list(resources.MODELS))["items"]
        statuses = [m.get("status", {}) for m in models if m["metadata"]["namespace"] != "victim"]
        ready = sum(s.get("phase") == "Ready" and s.get("version") == version for s in statuses)
        if ready == MANY:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{ready} of {MANY} serve version {version} after {seconds} s")


def refused(found: list[Request]) -> int:
    """How many were refused for want of a seat, which is few beside those that were admitted."""
    codes = Counter(request.code for request in found if request.writes)
    assert set(codes) <= {200, 201, 409, 429}, codes
    assert 0 < codes[429] <= 0.25 * sum(codes.values()), codes
    return codes[429]


def admitted(found: list[Request]) -> int:
    """Writes that took effect; of none was anything repeated that had succeeded."""
    done = [r for r in found if r.writes and r.code in (200, 201) and "dryRun" not in r.uri]
    made = Counter((r.resource, r.key) for r in done if r.verb == "create")
    assert [x for x, n in made.items() if n > 1 and x[0] != "events" and x[1][1]] == []
    for kind in ("controllerrevisions", "deployments"):
        assert sum(r.resource == kind and r.verb == "create" for r in done) == MANY
    asked = sum(r.resource == "pods" and "dryRun" in r.uri and r.code != 429 for r in found)
    assert asked == MANY, "one dry run for each new version"
    return len(done)


# E1
@rule("R31")
async def test_each_write_succeeds_once_while_the_server_throttles(
    throttled: ControlPlane, client: Client
) -> None:
    for key in KEYS:
        await client.create(resources.MODELS, key[0], body(key, "1"))
    await served(client, "1")
    created = requests(throttled)
    for key in KEYS:
        await client.merge(resources.MODELS, *key, {"spec": body(key, "2")["spec"]})
    await served(client, "2")
    updated = requests(throttled)[len(created) :]
    # Record, Deployment, Service, two statuses and an Event; a third status where pods are late.
    assert admitted(created) <= 7 * MANY
    # Record, Deployment, two weights, three statuses, three Events, and the old Deployment.
    assert admitted(updated) <= 12 * MANY
    assert refused(created) + refused(updated) > 0


# E1
@rule("R8", "R31")
async def test_rollback_precedes_other_changes_while_the_server_throttles(
    throttled: ControlPlane, client: Client, kubelet: Kubelet
) -> None:
    key = ("victim", "fraud")
    manual = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "0s"}
    await client.create(resources.MODELS, key[0], body(key, "1"))
    await until(client, key, lambda s: s.get("phase") == "Ready")
    second = {**body(key, "2")["spec"], "rollout": manual}
    await client.merge(resources.MODELS, *key, {"spec": second})
    status = await until(client, key, lambda s: s.get("weight") == 50)
    for other in KEYS:
        await client.merge(resources.MODELS, *other, {"spec": body(other, "3")["spec"]})
    await kubelet.crash(key[0], status["candidate"]["revision"])
    crashed = datetime.now(UTC).timestamp()
    await served(client, "3")
    found = [r for r in requests(throttled) if r.at > crashed and r.writes and r.code != 429]
    back = next(r for r in found if (r.resource, r.key) == ("services", key))
    before = [r for r in found if r.at < back.at]
    # Requests in flight, and those made before the pod's status arrived.
    assert len(before) <= 30, len(before)
    assert len(found) > 5 * MANY
