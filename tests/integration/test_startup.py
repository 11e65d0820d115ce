"""What an operator hears in its first moments, before it follows the cluster itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from canarium.kube import resources
from canarium.kube.http import Client
from integration.conftest import Cluster, Operator
from integration.kubelet import Kubelet
from sandbox.controlplane import ControlPlane
from sandbox.fault_proxy import Fault, Proxy, Refusal

rule = pytest.mark.rule


def late_definitions(proxy: Proxy) -> None:
    """The CRDs can be read by the third attempt, seconds after kopf has read the models."""

    def fault_of(request: web.Request) -> Fault:
        asked = "/customresourcedefinitions/" in request.path
        return Refusal(503, "ServiceUnavailable") if asked and proxy.harmed < 2 else None

    proxy.rule = fault_of


@rule("R18")
@pytest.mark.parametrize("where", ["all-namespaces", "one-namespace"])
async def test_model_reported_before_the_engine_starts_is_reconciled(
    plane: ControlPlane, tmp_path: Path, where: str
) -> None:
    namespace = f"beginning-{where}"
    plane.kubectl("create", "namespace", namespace)
    copy = tmp_path / "kubeconfig"
    # With no flags at all it would wait for the lease of the others' operator.
    flags = ["--namespace", namespace] if where == "one-namespace" else ["--log-level", "INFO"]
    async with (
        Client.connect(str(plane.kubeconfig)) as client,
        Kubelet(client).running() as kubelet,
        Proxy().before(plane.kubeconfig, copy) as proxy,
    ):
        late_definitions(proxy)
        operator = Operator(copy, tmp_path / "operator.log", *flags)
        cluster = Cluster(plane, client, kubelet, operator, namespace)
        cluster.apply("1")
        operator.start()
        try:
            await cluster.phase("Ready", "1")
        finally:
            operator.stop()
            await client.delete(resources.MODELS, namespace, "fraud")
    assert proxy.harmed == 2
