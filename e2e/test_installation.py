"""`helm test` on a real release: it passes, it names what is wrong, and nothing of it is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from support.docs import documented
from support.images import cli_image

_KINDS = "pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"


@pytest.fixture
def release(node: Sandbox) -> Iterator[Sandbox]:
    """The release of the node, with the image of its test; its operators run afterwards."""
    node.load([cli_image()])
    try:
        yield node
    finally:
        scale(node, 2)
        kubectl(node, "rollout", "status", "deployment/canarium", "--timeout=120s")
        kubectl(node, "delete", "pod", "canarium-test", "--ignore-not-found")


def kubectl(node: Sandbox, *words: str) -> str:
    return node.kubectl("--namespace=canarium", *words)


def scale(node: Sandbox, replicas: int) -> None:
    kubectl(node, "scale", "deployment/canarium", f"--replicas={replicas}")


def helm_test(node: Sandbox) -> tuple[bool, str]:
    """Whether `helm test` passes, as documented, and what helm and the pod printed."""
    try:
        return True, node.helm(*documented("charts/canarium/README.md", "helm test"), "--logs")
    except subprocess.CalledProcessError as error:
        return False, error.stdout + error.stderr


def left(node: Sandbox) -> set[str]:
    """What exists of the test."""
    label = "--selector=app.kubernetes.io/name=canarium-test"
    return {*kubectl(node, "get", _KINDS, label, "--output=name").split()}


def test_test_of_the_release_passes_and_leaves_nothing_behind(release: Sandbox) -> None:
    assert left(release) == set()
    passed, printed = helm_test(release)
    assert passed, printed
    assert "Succeeded" in printed
    for subject in ("CRDs", "operator", "leader"):
        assert f"✓ ok      {subject}: " in printed
    assert "warning" not in printed
    assert left(release) == set()


def test_test_of_the_release_names_an_operator_that_is_scaled_to_zero(release: Sandbox) -> None:
    scale(release, 0)
    kubectl(release, "wait", "--for=delete", "pod", "--selector=app.kubernetes.io/name=canarium",
            "--timeout=60s")  # fmt: skip
    passed, text = helm_test(release)
    assert not passed
    assert "Deployment/canarium (namespace canarium) is scaled to zero, so no operator runs" in text
    assert "--replicas=" in text
    # The pod keeps its logs, and has no rights any more.
    assert left(release) == {"pod/canarium-test"}
    logs = kubectl(
        release, *documented("charts/canarium/README.md", "kubectl -n canarium logs")[2:]
    )
    assert "is scaled to zero" in logs
    scale(release, 2)
    assert "Succeeded" in release.helm("test", "canarium", "--namespace=canarium")
    assert left(release) == set()
