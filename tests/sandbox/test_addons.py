"""What the gateway and Prometheus on demand are started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.gateway import Gateway, envoygateway, objects
from sandbox.prometheus.targets import groups


def pod(name: str, **status: Any) -> dict[str, Any]:
    labels = {"canarium.dev/model": "fraud", "canarium.dev/revision": "ab12"}
    ports = [{"containerPort": 8080}, {"containerPort": 9000}]
    return {
        "metadata": {"namespace": "risk", "name": name, "labels": labels},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "server", "ports": ports}]},
        "status": {"phase": "Running", **status},
    }


def test_running_pods_are_scraped_at_their_first_port_with_their_labels() -> None:
    found = groups([pod("a", podIP="10.244.0.7"), pod("b"), pod("c", podIP="x", phase="Failed")])
    labels = {"model": "fraud", "revision": "ab12", "namespace": "risk", "pod": "a"}
    assert found == [{"targets": ["10.244.0.7:8080"], "labels": labels}]


def test_routes_attach_to_listeners_that_the_gateway_has_and_the_service_leads_to() -> None:
    made = {m["kind"]: m for m in objects.manifests()}
    gateway, service = made["Gateway"], made["Service"]
    listeners = {one["name"]: one["port"] for one in gateway["spec"]["listeners"]}
    for listener in ("http", "closed"):
        assert Gateway.parent(listener) == {
            "namespace": gateway["metadata"]["namespace"],
            "name": gateway["metadata"]["name"],
            "sectionName": listener,
        }
    assert listeners == {p["name"]: p["port"] for p in service["spec"]["ports"]}
    # Contour has Envoy listen 8,000 above a listener's port.
    ends = {p["name"]: p["port"] for p in made["EndpointSlice"]["ports"]}
    assert ends == {name: port + 8000 for name, port in listeners.items()}


def test_both_gateways_have_one_name_and_the_same_listeners() -> None:
    one, other = (
        next(found for found in made if found["kind"] == "Gateway")
        for made in (objects.manifests(), envoygateway.manifests())
    )
    assert one["metadata"] == other["metadata"]
    assert one["spec"]["listeners"] == other["spec"]["listeners"]
    assert one["spec"]["gatewayClassName"] != other["spec"]["gatewayClassName"]


def test_chart_is_filled_with_images_that_are_loaded_and_none_from_a_registry(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    template = "image: ${GatewayImage}\npullPolicy: ${GatewayImagePullPolicy}\n"
    (source / "values.tmpl.yaml").write_text(template)
    envoygateway.chart(source, tmp_path / "made")
    filled = (tmp_path / "made" / "values.yaml").read_text()
    assert filled == f"image: {envoygateway.CONTROLLER}\npullPolicy: IfNotPresent\n"
