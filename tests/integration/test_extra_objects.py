"""Objects of Canarium's kinds are in a separate release, as the chart's README requires."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from integration.rights import CHART
from sandbox import clients
from sandbox.controlplane import ControlPlane

RUNTIME = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ClusterModelRuntime",
    "metadata": {"name": "ours"},
    "spec": {
        "formats": [{"name": "ours"}],
        "image": "registry.example.com/ours:1",
        "readiness": {"path": "/ready"},
    },
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster without our kinds."""
    plane = ControlPlane(tmp_path_factory.mktemp("fresh"), controllers=False)
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


def install(plane: ControlPlane, release: str, chart: Path, *words: str) -> str:
    """Error of helm; empty when it installs."""
    done = subprocess.run(
        [
            str(clients.find("helm")), "--kubeconfig", str(plane.kubeconfig), "install", release,
            str(chart), "-n", "ml", "--create-namespace", *words,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""


def test_own_kinds_install_with_a_second_release_and_not_with_the_first(
    fresh: ControlPlane, tmp_path: Path
) -> None:
    # I15
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"extraObjects": [RUNTIME]}))
    refused = install(fresh, "canarium", CHART, "-f", str(values))
    assert 'no matches for kind "ClusterModelRuntime"' in refused

    assert install(fresh, "canarium", CHART) == ""
    fresh.api.await_definitions()
    chart = tmp_path / "runtimes"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: runtimes\nversion: 0.1.0\n")
    (chart / "templates" / "ours.yaml").write_text(yaml.safe_dump(RUNTIME))
    assert install(fresh, "runtimes", chart) == ""
    assert "ours" in fresh.kubectl("get", "clustermodelruntimes", "-o", "name")


# I15
def test_readme_and_values_document_it() -> None:
    """The README names a second release for other reasons, too."""
    readme, values = (CHART / "README.md").read_text(), (CHART / "values.yaml").read_text()
    assert "no matches for kind" in " ".join(readme.split())
    assert "Install such objects with a second release" in " ".join(readme.split())
    assert "belong in a second release" in values
