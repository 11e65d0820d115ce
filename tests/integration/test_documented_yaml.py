"""A real API server accepts every manifest of the docs, fragments as part of a model."""

from __future__ import annotations

import json

import pytest

from sandbox.controlplane import ControlPlane
from support.documented_yaml import Documented, of_page
from support.pages import FOR_READERS

#: API groups that have no CRD here. The pages show these to be replaced, or beside Canarium.
FOREIGN = {
    "argoproj.io": "Argo Rollouts, from which a page moves; tests/supply/test_migration_pages.py",
    "cert-manager.io": "cert-manager, one way to make a certificate",
    "gateway.networking.k8s.io": "not always installed; tests/integration/test_gateway.py",
    "keda.sh": "KEDA; it uses the scale subresource, as tests/integration/test_autoscaling.py",
    "kustomize.toolkit.fluxcd.io": "Flux, which waits as tests/integration/test_kstatus.py",
    "networking.istio.io": "Istio; tests/integration/test_istio.py applies it",
    "security.istio.io": "Istio, whose proxies do not run here",
    "serving.kserve.io": "KServe, from which a page moves; tests/supply/test_migration_pages.py",
}
MANIFESTS = [one for page in FOR_READERS for one in of_page(page) if one.kind == "manifest"]


def group(body: Documented) -> str:
    return str(body.body["apiVersion"].rpartition("/")[0])


@pytest.fixture(scope="module")
def namespace(plane: ControlPlane) -> str:
    plane.kubectl("create", "namespace", "documented")
    return "documented"


@pytest.mark.parametrize("manifest", [x for x in MANIFESTS if group(x) not in FOREIGN], ids=str)
def test_api_server_accepts_the_manifest(
    plane: ControlPlane, namespace: str, manifest: Documented
) -> None:
    metadata = dict(manifest.body["metadata"])
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    text = json.dumps({**manifest.body, "metadata": metadata})
    words = () if "namespace" in metadata else ("-n", namespace)
    said = plane.kubectl(*words, "apply", "--dry-run=server", "-f", "-", stdin=text)
    assert "(server dry run)" in said


def test_every_foreign_group_is_still_on_a_page() -> None:
    assert {group(one) for one in MANIFESTS} >= FOREIGN.keys()
