"""Several namespaces, by name or by label; what is outside is left alone."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube import resources
from integration.conftest import Cluster, Operator


@pytest.fixture
def start(cluster: Cluster) -> Iterator[Callable[..., Operator]]:
    cluster.operator.stop()
    started: list[Operator] = []

    def begin(*flags: str) -> Operator:
        log = cluster.plane.folder.parent / f"{cluster.namespace}-scoped.log"
        started.append(Operator(cluster.plane.kubeconfig, log, *flags))
        started[-1].start()
        return started[-1]

    yield begin
    for operator in started:
        operator.stop(signal.SIGTERM)
    cluster.operator.start()


@pytest_asyncio.fixture
async def three(cluster: Cluster) -> AsyncIterator[tuple[Cluster, ...]]:
    """The test's namespace and two more, a model in each."""
    found = [cluster]
    for letter in "bc":
        name = f"{cluster.namespace}-{letter}"
        cluster.plane.kubectl("create", "namespace", name)
        found.append(
            Cluster(cluster.plane, cluster.client, cluster.kubelet, cluster.operator, name)
        )
    for one in found:
        one.apply("1")
    yield tuple(found)
    for one in found:
        await one.client.delete(resources.MODELS, one.namespace, "fraud")


async def untouched(cluster: Cluster) -> bool:
    model: dict[str, Any] = await cluster.model()
    return model["status"] == {"observedGeneration": -1} and not await cluster.children(
        resources.RECORDS
    )


# G10
async def test_only_namespaces_by_name_are_managed(start: Any, three: tuple[Cluster, ...]) -> None:
    a, b, c = three
    start("--namespace", a.namespace, "--namespace", b.namespace)
    await asyncio.gather(a.phase("Ready", "1", seconds=90), b.phase("Ready", "1", seconds=90))
    assert await untouched(c)


async def test_namespaces_by_label_are_followed_as_they_gain_and_lose_it(
    start: Any, three: tuple[Cluster, ...]
) -> None:
    a, b, c = three

    def label(cluster: Cluster, word: str) -> None:
        cluster.plane.kubectl("label", "namespace", cluster.namespace, word)

    label(a, "models=yes")
    start("--namespace-selector", "models=yes")
    await a.phase("Ready", "1", seconds=90)
    assert await untouched(b)
    label(b, "models=yes")
    await b.phase("Ready", "1", seconds=90)
    label(a, "models-")
    await asyncio.sleep(0.5)
    a.apply("2")
    b.apply("2")
    await b.phase("Ready", "2", seconds=90)
    assert (await a.model())["status"]["version"] == "1"
    label(a, "models=yes")
    await a.phase("Ready", "2", seconds=90)
    assert await untouched(c)


def test_namespaces_by_name_and_label_together_are_refused(plane: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "canarium", "run", "--namespace", "a", "--namespace-selector", "b"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not allowed with argument --namespace" in done.stderr
