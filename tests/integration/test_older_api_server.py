"""An API server that offers the API of Kubernetes 1.33, which lacks newer values of fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from canarium.kube import resources
from integration import rights
from integration.conftest import Cluster, control_plane
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("older"), "--emulated-version=1.33") as plane:
        yield plane


@pytest.fixture(scope="module")
def granted(plane: ControlPlane) -> Path:
    return rights.granted(plane, into=plane.folder.parent / "older.kubeconfig")


@rule("R6", "R18")
async def test_zone_is_preferred_by_the_name_that_the_older_server_knows(cluster: Cluster) -> None:
    """It rejects PreferSameZone, and with it every write of the Service."""
    rollout = {"steps": [{"weight": 50, "pause": "300ms"}], "bakeTime": "1s"}
    traffic = {"distribution": "PreferSameZone"}
    cluster.apply("1", traffic=traffic, rollout=rollout)
    await cluster.phase("Ready", "1")
    cluster.apply("2", traffic=traffic, rollout=rollout)
    await cluster.phase("Ready", "2")
    (service,) = await cluster.children(resources.SERVICES)
    assert service["spec"]["trafficDistribution"] == "PreferClose"
