"""Branches of the hub and tags of OCI registries on a real API server: resolved and followed.

The hub is the stand-in of fetch tests, the registry a real one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from canarium.kube import resources
from fetch.registries import Registry
from fetch.test_hub import COMMIT, OTHER, Hub
from integration import rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from integration.test_moving_references import condition, fetched
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule


class Source(Protocol):
    """A registry with one reference, which `point` moves to the next model."""

    model: dict[str, Any]

    def point(self) -> str:
        """Moves the reference, and returns the URI of what it names now."""
        ...

    def close(self) -> None: ...


class Branch:
    """The branch `main` of a hub, which names one commit and then another."""

    def __init__(self) -> None:
        self.served = type("Served", (Hub,), {"asked": [], "heads": {}})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.served)
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.model = {"uri": "hf://example/fraud@main/model", "endpoint": url}

    def point(self) -> str:
        heads = self.served.heads  # type: ignore[attr-defined]
        heads["main"] = OTHER if heads.get("main") == COMMIT else COMMIT
        return f"hf://example/fraud@{heads['main']}/model"

    def close(self) -> None:
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join()
            self.server.server_close()


class Tag:
    """A tag of a registry, which names a new artifact each time."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.model = {
            "uri": f"oci://{self.registry.host}/models/fraud:prod",
            "endpoint": f"http://{self.registry.host}",
        }
        self._number = 0

    def point(self) -> str:
        self._number += 1
        content = {"content": f"model {self._number}".encode()}
        digest = self.registry.push("models/fraud", "prod", content)
        return f"oci://{self.registry.host}/models/fraud@{digest}"

    def close(self) -> None:
        self.registry.stop()


@pytest.fixture(params=[Branch, Tag], ids=["hub", "registry"])
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    made: Source = request.param()
    yield made
    made.close()


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    """One with the chart's rights that may connect to loopback."""
    operator = Operator(
        granted,
        plane.folder.parent / "operator-branches.log",
        *("--fetch-image", "fetch:1", "--lease-namespace", "default"),
        *("--allow-address", "127.0.0.0/8", *PATIENT_LEASE),
    )
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@rule("R1", "R9", "R21", "R26")
async def test_reference_is_resolved_for_each_revision_and_rolled_out_when_it_moves(
    cluster: Cluster, source: Source
) -> None:
    """The annotation stands for the interval, which is the shortest one that is allowed."""
    quick = {"steps": [{"weight": 50}], "bakeTime": "0s"}

    def ask(token: str) -> None:
        note = f"canarium.dev/resolve={token}"
        words = ("annotate", "--overwrite", "modeldeployment", "fraud", note)
        cluster.plane.kubectl("-n", cluster.namespace, *words)

    cluster.apply("1", model=source.model, rollout=quick)
    status = await cluster.phase("Invalid")
    assert condition(status) == ("False", "SourceNotFound")

    first = source.point()
    status = await cluster.until(lambda s: s["phase"] == "Ready", 60)
    assert status["stable"]["resolved"] == first
    assert await fetched(cluster) == {first}

    second = source.point()
    followed = {**source.model, "follow": {"interval": "30s"}}
    cluster.apply("1", model=followed, rollout=quick)
    await cluster.until(lambda s: s["observedGeneration"] == 2)
    ask("one")
    status = await cluster.until(
        lambda s: (s["phase"], s["stable"]["resolved"]) == ("Ready", second), 60
    )
    assert [x["resolved"] for x in status["history"][:2]] == [second, first]
    assert second in await fetched(cluster)
    records = await cluster.children(resources.RECORDS)
    assert {r["data"]["identity"]["resolved"] for r in records} == {first, second}

    source.close()
    ask("two")
    status = await cluster.until(lambda s: condition(s) == ("False", "SourceUnavailable"), 60)
    assert (status["phase"], status["stable"]["resolved"]) == ("Ready", second)
