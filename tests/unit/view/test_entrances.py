"""Where a route takes requests: gateways, ports, hosts and paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.api.effective_traffic import REVISION_HEADER
from canarium.view.entrances import (
    GATEWAY_LABEL,
    Entrance,
    Reference,
    adds_header,
    entrances,
    is_private,
    is_service_of,
    path_to,
    references,
    takes,
)

_GOLDEN = Path(__file__).parents[2] / "golden" / "routes"


def golden(name: str, kind: str) -> Any:
    """A route that the operator renders."""
    documents = yaml.safe_load_all((_GOLDEN / f"{name}.yaml").read_text())
    return next(one for one in documents if one["kind"] == kind)


def gateway(*listeners: dict[str, Any], addresses: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "infra"},
        "spec": {"listeners": list(listeners)},
        "status": {"addresses": [{"type": "IPAddress", "value": one} for one in addresses]},
    }


def listener(name: str, port: int, protocol: str = "HTTP", hostname: str = "") -> dict[str, Any]:
    more = {"hostname": hostname} if hostname else {}
    return {"name": name, "port": port, "protocol": protocol, **more}


def service(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80}]
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": ports, "selector": {"app": "proxy"}, **spec},
    }


def test_route_names_its_gateways_without_the_mesh() -> None:
    (only,) = references(golden("whole", "HTTPRoute"))
    assert only == Reference("infra", "public", "web")
    assert references(golden("istio", "VirtualService")) == ()
    shadow = golden("istio", "VirtualService")
    shadow["spec"]["gateways"] = ["mesh", "infra/public", "own"]
    assert references(shadow) == (Reference("infra", "public"), Reference("risk", "own"))


def test_listener_is_chosen_by_section_port_and_protocol() -> None:
    route, of = golden("whole", "HTTPRoute"), gateway(listener("web", 80), listener("other", 81))
    host = "models.example.org"
    assert entrances(route, Reference("infra", "public", "web"), of) == (Entrance(80, host, False),)
    assert [x.port for x in entrances(route, Reference("infra", "public", port=81), of)] == [81]
    secure = gateway(listener("tls", 443, "HTTPS"), listener("web", 80), listener("raw", 9, "TCP"))
    found = entrances(route, Reference("infra", "public"), secure)
    assert [(x.port, x.secure) for x in found] == [(443, True), (80, False)]


@pytest.mark.parametrize(
    ("hostnames", "of_listener", "host"),
    [
        ([], "", ""),
        (["a.example.org"], "", "a.example.org"),
        ([], "b.example.org", "b.example.org"),
        (["a.example.org"], "*.example.org", "a.example.org"),
        (["*.example.org"], "a.example.org", "a.example.org"),
        (["*.example.org"], "", "fraud.example.org"),
        (["x.test", "a.example.org"], "*.example.org", "a.example.org"),
        (["a.example.org"], "b.example.org", None),
        (["example.org"], "*.example.org", None),
    ],
)
def test_host_is_one_that_route_and_listener_take(
    hostnames: list[str], of_listener: str, host: str | None
) -> None:
    route = golden("whole", "HTTPRoute")
    route["spec"]["hostnames"] = hostnames
    found = entrances(
        route, Reference("infra", "public"), gateway(listener("web", 80, hostname=of_listener))
    )
    assert [one.host for one in found] == ([] if host is None else [host])


def test_servers_of_an_istio_gateway_are_entrances() -> None:
    route = golden("istio", "VirtualService")
    route["spec"]["hosts"] = ["a.example.org"]
    servers = [
        {"port": {"number": 443, "protocol": "HTTPS"}, "hosts": ["infra/*.example.org"]},
        {"port": {"number": 80, "protocol": "HTTP"}, "hosts": ["*"]},
        {"port": {"number": 81, "protocol": "HTTP"}, "hosts": ["other.test"]},
    ]
    found = entrances(route, Reference("infra", "public"), {"spec": {"servers": servers}})
    assert found == (Entrance(443, "a.example.org", True), Entrance(80, "a.example.org", False))


def test_service_of_a_gateway_has_its_label_or_its_address() -> None:
    of = gateway(listener("web", 80), addresses=("10.0.0.7", "istio.infra.svc.cluster.local"))
    stranger = service("infra", "other", clusterIP="10.0.0.9")
    labelled = service("infra", "made", clusterIP="10.0.0.9")
    labelled["metadata"]["labels"] = {GATEWAY_LABEL: "public"}
    elsewhere = service("risk", "made", clusterIP="10.0.0.9")
    elsewhere["metadata"]["labels"] = {GATEWAY_LABEL: "public"}
    by_address = service("envoy-system", "envoy", clusterIP="10.0.0.7")
    by_name = service("infra", "istio", clusterIP="10.0.0.8")
    outside = service("envoy-system", "balanced", clusterIP="10.0.0.8")
    outside["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}}
    second = service(
        "envoy-system", "dual", clusterIP="fd00::8", clusterIPs=["fd00::8", "10.0.0.7"]
    )
    without_pods = service("infra", "other", clusterIP="10.0.0.7", selector=None)
    for one in (labelled, by_address, by_name, outside, second, without_pods):
        assert is_service_of(of, one)
    for one in (stranger, elsewhere, service("infra", "ist"), service("infra", "x", clusterIP="")):
        assert not is_service_of(of, one)


def test_request_can_be_sent_to_a_service_with_pods_and_the_port() -> None:
    assert takes(service("infra", "a"), 80)
    assert not takes(service("infra", "a"), 81)
    assert not takes(service("infra", "a", selector=None), 80)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.0.0.7", True),
        ("172.18.0.2", True),
        ("127.0.0.1", True),
        ("100.64.0.1", True),
        ("fd00::7", True),
        ("8.8.8.8", False),
        ("2a00:1450:4001:81d::200e", False),
        ("gateway.example.org", False),
    ],
)
def test_address_that_a_service_may_have_is_private(address: str, private: bool) -> None:
    assert is_private(address) is private


@pytest.mark.parametrize(
    ("prefix", "rewrite", "path", "outer"),
    [
        ("", None, "/v2/infer", "/v2/infer"),
        ("/fraud", "/", "/v2/infer", "/fraud/v2/infer"),
        ("/fraud", "/v2", "/v2/infer?x=1", "/fraud/infer?x=1"),
        ("/fraud", "/v2", "/v22/infer", ""),
        ("/fraud", None, "/fraud/infer", "/fraud/infer"),
        ("/fraud", None, "/v2/infer", ""),
        ("/", "/models", "/models/x", "/x"),
        ("/", "/models", "/models", "/"),
    ],
)
def test_path_of_the_server_is_asked_for_below_the_prefix_of_the_route(
    prefix: str, rewrite: str | None, path: str, outer: str
) -> None:
    by_header = {"matches": [{"headers": [{"name": "x"}], "path": {"value": "/no"}}]}
    rule: dict[str, Any] = {"matches": [{"path": {"value": prefix}}]} if prefix else {}
    if rewrite:
        rule["filters"] = [{"urlRewrite": {"path": {"replacePrefixMatch": rewrite}}}]
    assert path_to({"kind": "HTTPRoute", "spec": {"rules": [by_header, rule]}}, path) == outer
    last: dict[str, Any] = {"match": [{"uri": {"prefix": prefix}}]} if prefix else {}
    last |= {"rewrite": {"uri": rewrite}} if rewrite else {}
    spec = {"http": [{"match": [{"uri": {"prefix": "/no"}}]}, last]}
    assert path_to({"kind": "VirtualService", "spec": spec}, path) == outer


@pytest.mark.parametrize(
    ("name", "kind", "rules", "targets", "modifiers"),
    [
        ("canary", "HTTPRoute", "rules", "backendRefs", "filters"),
        ("grpc", "GRPCRoute", "rules", "backendRefs", "filters"),
        ("istio", "VirtualService", "http", "route", "headers"),
    ],
)
def test_header_of_answers_is_added_by_a_modifier_of_each_backend(
    name: str, kind: str, rules: str, targets: str, modifiers: str
) -> None:
    route = golden(name, kind)
    assert adds_header(route, REVISION_HEADER)
    assert not adds_header(route, "x-other")
    for rule in route["spec"][rules]:
        for target in rule[targets]:
            del target[modifiers]
            assert not adds_header(route, REVISION_HEADER)
    assert REVISION_HEADER in json.dumps(route), "the rule for the candidate still asks for it"


@pytest.mark.parametrize("odd", [{}, {"spec": None}, {"spec": {"rules": 1, "listeners": "x"}}])
def test_odd_objects_have_no_entrance(odd: dict[str, Any]) -> None:
    assert references(odd) == ()
    assert entrances(odd, Reference("a", "b"), odd) == ()
    assert path_to(odd, "/x") == "/x"
    assert not adds_header(odd, REVISION_HEADER)
