"""Gateways that are missing or reject a route are named, and traffic stays (R6, R29)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.gateways import Gateway, Listener
from core.cluster import Cluster, gateway_spec
from core.routing.route_scenarios import condition, live

rule = pytest.mark.rule


@rule("R21")
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"route_api_error": ("GatewayAPIMissing", "no CRDs")}, "GatewayAPIMissing"),
        ({"gateways": (Gateway("ns", "public", exists=False),)}, "GatewayNotFound"),
        (
            {"gateways": (Gateway("infra", "public", own=False, listeners=(Listener("a", 80),)),)},
            "NotAllowedByListeners",
        ),
        (
            {"gateways": (Gateway("ns", "public", section="b", listeners=(Listener("a", 80),)),)},
            "NoMatchingParent",
        ),
        (
            {
                "gateways": (
                    Gateway(
                        "ns",
                        "public",
                        listeners=(Listener("a", 80),),
                        features=frozenset({"HTTPRoute", "HTTPRouteResponseHeaderModification"}),
                    ),
                )
            },
            "UnsupportedByGateway",
        ),
        (
            {"gateway_rejection": ("NoMatchingListenerHostname", "no such host")},
            "NoMatchingListenerHostname",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_gateway_that_accepts_nothing_is_named_in_a_condition_and_traffic_stays(
    what: dict[str, Any], reason: str
) -> None:
    asked = {"mirror": {}}
    cluster = live(gateway=asked)
    led = cluster.routed[-1]
    for name, value in what.items():
        setattr(cluster, name, value)
    cluster.spec = gateway_spec("2", gateway=asked)
    if "gateway_rejection" in what:
        assert cluster.route is not None
        cluster.route = replace(cluster.route, accepted=False, rejection=what["gateway_rejection"])
    cluster.run(20)
    assert cluster.routed[-1] == led
    assert condition(cluster).status == "False"
    assert condition(cluster).reason == reason
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == reason
    assert reason in cluster.status.message
    assert [e for e in cluster.events if e.reason == reason], "and an Event"
    assert cluster.serving() == {"1": 3}


@rule("R21")
def test_first_version_serves_in_the_cluster_without_a_gateway() -> None:
    cluster = Cluster(gateway_spec("1"), route_api_error=("GatewayAPIMissing", "no CRDs")).run(10)
    assert cluster.serving() == {"1": 3}
    assert cluster.route is None
    assert condition(cluster, "Available").status == "True"
    assert condition(cluster, "Ready").status == "False"
    assert condition(cluster, "Ready").reason == "GatewayAPIMissing"
    assert condition(cluster, "Stalled").status == "True"
    cluster.route_api_error = None
    cluster.run(2)
    assert cluster.weights() == {"1": 100}
    assert condition(cluster, "Ready").status == "True"
