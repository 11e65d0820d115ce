"""Router `Gateway` with the Gateway API's real CRDs; a test plays the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration import gateways
from integration.conftest import Cluster
from integration.desk import Desk
from integration.gateway_models import FAST, behind, condition_of, eventually, put, route, weights
from integration.gateways import Controller
from support.documented_yaml import of_page

rule = pytest.mark.rule


@pytest_asyncio.fixture
async def controller(cluster: Cluster) -> AsyncIterator[Controller]:
    """A Gateway `public` in the test's namespace whose routes are answered."""
    gateways.install(cluster.plane)
    put(cluster, gateways.gateway(cluster.namespace))
    played = Controller(cluster.client, cluster.namespace)
    task = asyncio.create_task(played.run())
    yield played
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@rule("R21")
async def test_missing_gateway_api_is_reported_and_used_once_installed(
    cluster: Cluster,
) -> None:
    if gateways.names(cluster.plane):
        cluster.plane.kubectl("delete", "crd", *gateways.names(cluster.plane))
        cluster.operator.stop()
        cluster.operator.start()
        await cluster.leading()
    cluster.apply("1", traffic=behind())
    # After a start on a busy machine it may have to wait for half a minute to list again.
    status = await cluster.until(
        lambda s: condition_of(s)[1] == "GatewayAPIMissing" and bool(s.get("stable")), seconds=90
    )
    assert condition_of(status, "Available") == ("True", "Serving")
    assert condition_of(status, "Ready")[0] == "False"
    gateways.install(cluster.plane)
    status = await cluster.until(lambda s: condition_of(s)[1] == "GatewayNotFound", seconds=45)
    assert f"Gateway {cluster.namespace}/public" in status["message"]
    played = Controller(cluster.client, cluster.namespace)
    task = asyncio.create_task(played.run())
    put(cluster, gateways.gateway(cluster.namespace))
    await cluster.phase("Ready", "1")
    task.cancel()


@rule("R5", "R6", "R8", "R14", "R18")
async def test_version_is_rolled_out_with_exact_weights(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind(), rollout=FAST)
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", traffic=behind(), rollout=FAST)
    status = await cluster.phase("Ready", "2")
    second = status["stable"]["revision"]
    named = [
        (shares.get(f"fraud-{first}"), shares.get(f"fraud-{second}")) for shares in controller.taken
    ]
    steps = list(dict.fromkeys(named))
    assert steps[:5] == [(100, None), (100, 0), (75, 25), (50, 50), (0, 100)]
    live = await route(cluster)
    assert live["metadata"]["annotations"]["canarium.dev/stable"] == second
    assert status["route"]["kind"] == "HTTPRoute"

    async def tidy() -> bool:
        services = await cluster.children(resources.SERVICES)
        return {s["metadata"]["name"] for s in services} == {"fraud", f"fraud-{second}"}

    await eventually(tidy)
    callers = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
    assert callers["metadata"]["annotations"]["canarium.dev/stable"] == second


@rule("R7", "R8", "R9")
async def test_failed_version_keeps_its_pods_until_the_gateway_confirms(
    cluster: Cluster, controller: Controller
) -> None:
    """Also when the route that the spec wants by then is none that the API server takes."""
    slow = {"steps": [{"weight": 50, "pause": "60s"}], "scaleDownDelay": "500ms"}
    cluster.apply("1", traffic=behind(), rollout=slow)
    await cluster.phase("Ready", "1")
    cluster.apply("2", traffic=behind(), rollout=slow)
    status = await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    candidate = status["candidate"]["revision"]
    twice = behind()
    twice["gateway"]["parentRefs"] *= 2
    cluster.apply("2", traffic=twice, rollout=slow)
    status = await cluster.until(lambda s: condition_of(s)[1] == "RouteInvalid")
    assert "HTTPRoute/fraud" in status["message"]
    controller.deaf = True
    await cluster.kubelet.crash(cluster.namespace, candidate)
    await cluster.until(lambda s: s["phase"] == "RollingBack")

    async def taken_off() -> bool:
        return (await weights(cluster))[candidate] == 0

    await eventually(taken_off)
    live = await route(cluster)
    notes = live["metadata"]["annotations"]
    assert notes["canarium.dev/quarantined"] == candidate
    assert "canarium.dev/candidate" not in notes
    await asyncio.sleep(1.0)
    assert f"fraud-{candidate}" in {
        d["metadata"]["name"] for d in await cluster.children(resources.DEPLOYMENTS)
    }
    controller.deaf = False
    cluster.apply("2", traffic=behind(), rollout=slow)
    await cluster.phase("RolledBack")

    async def gone() -> bool:
        return (
            candidate not in await weights(cluster)
            and len(await cluster.children(resources.SERVICES)) == 2
        )

    await eventually(gone)


@rule("R18")
async def test_restart_with_nothing_to_do_writes_nothing(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind())
    await cluster.phase("Ready", "1")
    await asyncio.sleep(0.5)
    before = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes()[before:] == []


@rule("R23")
async def test_edited_or_deleted_route_is_restored(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind(hostnames=["a.example.org"]))
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    live = await route(cluster)
    rules = live["spec"]["rules"]
    rules[0]["backendRefs"].append({"name": "theirs", "port": 80, "weight": 5})
    patch = {"spec": {"rules": rules, "hostnames": ["b.example.org"]}}
    await cluster.client.merge(resources.HTTP_ROUTES, cluster.namespace, "fraud", patch)

    async def right() -> bool:
        now = await route(cluster)
        return await weights(cluster) == {stable: 100} and now["spec"]["hostnames"] == [
            "a.example.org"
        ]

    await eventually(right)
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "httproute", "fraud")
    await eventually(right)
    cluster.apply("1", traffic=behind(hostnames=["c.example.org"], pathPrefix="/m"))

    async def edited() -> bool:
        now = await route(cluster)
        return bool(now["spec"]["hostnames"] == ["c.example.org"])

    await eventually(edited)
    await cluster.phase("Ready", "1")


@rule("R21")
async def test_response_of_a_gateway_becomes_a_condition(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind())
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    controller.against = {"Accepted": ("NoMatchingListenerHostname", "no listener for it")}
    cluster.apply("1", traffic=behind(hostnames=["x.example.org"]))
    status = await cluster.until(lambda s: condition_of(s)[1] == "NoMatchingListenerHostname")
    assert "no listener for it" in status["message"]
    assert condition_of(status, "Stalled") == ("True", "NoMatchingListenerHostname")
    cluster.apply("2", traffic=behind(hostnames=["x.example.org"]))
    status = await cluster.until(
        lambda s: (s.get("waitingFor") or {}).get("reason", "").startswith("No")
    )
    assert await weights(cluster) == {stable: 100}, "traffic as it was"
    assert len(await cluster.children(resources.DEPLOYMENTS)) == 1, "progress waits"
    controller.against = {"ResolvedRefs": ("BackendNotFound", "no such backend")}
    cluster.apply("2", traffic=behind(hostnames=["y.example.org"]))
    await cluster.until(lambda s: condition_of(s)[1] == "BackendNotFound")
    controller.against = {}
    cluster.apply("2", traffic=behind())
    await cluster.phase("Ready", "2")


@rule("R21", "R24")
async def test_route_that_is_known_to_be_invalid_is_not_written(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind())
    await cluster.phase("Ready", "1")
    before = (await route(cluster))["spec"]
    cluster.apply("1", traffic=behind("nowhere"))
    await cluster.until(lambda s: condition_of(s)[1] == "GatewayNotFound")
    other = f"{cluster.namespace}-infra"
    cluster.plane.kubectl("create", "namespace", other)
    put(cluster, gateways.gateway(other))
    elsewhere = {"router": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}
    elsewhere["gateway"]["parentRefs"][0]["namespace"] = other  # type: ignore[index]
    cluster.apply("1", traffic=elsewhere)
    status = await cluster.until(lambda s: condition_of(s)[1] == "NotAllowedByListeners")
    assert f"Gateway {other}/public" in status["message"]
    put(
        cluster,
        {
            "apiVersion": f"{gateways.GROUP}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "test"},
            "spec": {"controllerName": gateways.CONTROLLER},
        },
    )
    can = gateways.features("HTTPRoute", "HTTPRouteResponseHeaderModification")
    await cluster.client.merge(resources.GATEWAY_CLASSES, None, "test", can, "status")
    cluster.apply("1", traffic=behind(mirror={}))
    status = await cluster.until(lambda s: condition_of(s)[1] == "UnsupportedByGateway")
    assert "spec.traffic.gateway.mirror needs HTTPRouteRequestMirror" in status["message"]
    cluster.plane.kubectl("delete", "gatewayclass", "test")
    assert (await route(cluster))["spec"] == before, "traffic as it was, all the time"
    await cluster.phase("Ready", "1")
    cluster.plane.kubectl("delete", "namespace", other, "--wait=false")


@rule("R24")
async def test_foreign_route_is_not_changed(cluster: Cluster, controller: Controller) -> None:
    theirs = {
        "apiVersion": f"{gateways.GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "fraud", "namespace": cluster.namespace},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}],
        },
    }
    put(cluster, theirs)
    cluster.apply("1", traffic=behind())
    status = await cluster.until(lambda s: condition_of(s)[1] == "NameConflict")
    assert "HTTPRoute/fraud" in status["message"]
    assert condition_of(status, "Available")[0] == "True", "callers inside are served"
    assert "ownerReferences" not in (await route(cluster))["metadata"]


async def test_every_field_is_accepted_by_the_real_schema(
    cluster: Cluster, controller: Controller
) -> None:
    whole = behind(
        hostnames=["models.example.org", "*.example.net"],
        pathPrefix="/fraud",
        rewritePrefix="/",
        timeouts={"request": "1m30.5s", "backendRequest": "20s"},
        headerMatch={"name": "x-try", "value": "new"},
        mirror={"percent": 20},
    )
    shadow = {"steps": [{"weight": 0, "pause": "2s"}], "bakeTime": "0s", "scaleDownDelay": "0s"}
    cluster.apply("1", traffic=whole, rollout=shadow)
    await cluster.phase("Ready", "1")
    cluster.apply("2", traffic=whole, rollout=shadow)

    async def shadowed() -> bool:
        first, *others = (await route(cluster))["spec"]["rules"]
        headers = others and others[0]["matches"][0].get("headers")
        mirrors = [f for f in first["filters"] if f["type"] == "RequestMirror"]
        return bool(headers) and [f["requestMirror"]["percent"] for f in mirrors] == [20]

    await eventually(shadowed)
    await cluster.phase("Ready", "2")


async def test_grpc_has_a_grpcroute_and_a_port_with_app_protocol(
    cluster: Cluster, controller: Controller
) -> None:
    cluster.apply("1", traffic=behind(protocol="GRPC"))
    await cluster.until(lambda s: condition_of(s)[1] == "NoGrpcPort")
    server = {
        "image": "model:2",
        "readiness": {"path": "/ready"},
        "ports": [{"name": "grpc", "port": 9000}],
    }
    cluster.apply("2", traffic=behind(), runtime=server, rollout=FAST)
    await cluster.phase("Ready", "2")
    cluster.apply("2", traffic=behind(protocol="GRPC"), runtime=server, rollout=FAST)

    async def grpc() -> bool:
        live = await route(cluster, resources.GRPC_ROUTES)
        return bool(live.get("status"))

    await eventually(grpc)
    await cluster.phase("Ready", "2")
    services = await cluster.children(resources.SERVICES)
    backends = [s for s in services if s["metadata"]["name"] != "fraud"]
    assert {p["appProtocol"] for s in backends for p in s["spec"]["ports"]} == {"kubernetes.io/h2c"}
    with pytest.raises(ApiError):
        await route(cluster)


# I: a route that another route contradicts (gateway-api#4303)
@rule("R18", "R29")
async def test_route_that_takes_requests_of_the_model_is_named_until_it_is_deleted(
    cluster: Cluster, controller: Controller
) -> None:
    shop = f"{cluster.namespace}-shop"
    cluster.plane.kubectl("create", "namespace", shop)
    put(cluster, gateways.gateway(cluster.namespace, allowed="All"))
    hosts = {"hostnames": ["models.example.org"], "pathPrefix": "/fraud"}
    put(cluster, gateways.foreign(shop, "web", cluster.namespace, "models.example.org", "/fraud/"))
    cluster.apply("1", traffic=behind(**hosts))
    status = await cluster.until(
        lambda s: condition_of(s, "RouteConflicted")[1] == "OtherRouteWins"
    )
    named = (
        f"HTTPRoute {shop}/web receives the requests that HTTPRoute {cluster.namespace}/fraud "
        f"claims on Gateway {cluster.namespace}/public (host models.example.org, path prefix "
        "/fraud)"
    )
    assert named in status["message"]
    await cluster.phase("Ready", "1")
    await cluster.until(lambda s: condition_of(s) == ("True", "Accepted"))
    # No write, and no second Event, at a restart.
    before = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes()[before:] == []
    # A second model with the same claim loses too; the first one has nothing new to report.
    cluster.apply("1", name="late", traffic=behind(**hosts))
    await cluster.until(
        lambda s: condition_of(s, "RouteConflicted")[1] == "OtherRouteWins", name="late"
    )
    cluster.plane.kubectl("-n", shop, "delete", "httproute", "web")
    await cluster.until(lambda s: condition_of(s, "RouteConflicted") == ("", ""))
    late = await cluster.until(
        lambda s: "of ModelDeployment" in s.get("message", ""), name="late", seconds=30
    )
    assert f"HTTPRoute {cluster.namespace}/fraud of ModelDeployment" in late["message"]
    put(cluster, gateways.foreign(shop, "new", cluster.namespace, "models.example.org", "/fraud"))
    await cluster.until(lambda s: condition_of(s, "RouteConflicted")[1] == "ThisRouteWins")
    found = json.loads(
        cluster.plane.kubectl("-n", cluster.namespace, "get", "events", "-o", "json")
    )
    notes = [
        e["message"]
        for e in found["items"]
        if e["reason"] == "RouteConflicted" and e["involvedObject"]["name"] == "fraud"
    ]
    assert sorted(note.split(":")[0] for note in notes) == ["OtherRouteWins", "ThisRouteWins"]


_GUIDE = "docs/guides/gateways.md"
#: Its commands in order, and what each prints.
_COMMANDS = (
    (_GUIDE, "kubectl get gatewayclasses", ""),
    (_GUIDE, "kubectl -n risk apply -f gateway.yaml", "public"),
    (_GUIDE, "kubectl -n risk apply -f model.yaml", "created"),
    (_GUIDE, "kubectl modeldeploy status fraud -n risk", "Ready: Version 7 "),
    (_GUIDE, "kubectl -n risk get httproute fraud", "fraud.example.org"),
)


async def test_commands_of_the_guide_give_a_route_that_is_accepted(
    cluster: Cluster, controller: Controller, tmp_path: Path
) -> None:
    desk = Desk.of(cluster, tmp_path)
    manifests = {one.body["kind"]: one.body for one in of_page(_GUIDE)}
    # The class of the simulated gateway.
    manifests["Gateway"]["spec"]["gatewayClassName"] = "test"
    (tmp_path / "gateway.yaml").write_text(json.dumps(manifests["Gateway"]))
    (tmp_path / "model.yaml").write_text(json.dumps(manifests["ModelDeployment"]))
    for page, beginning, text in _COMMANDS:
        done = await desk.run(page, beginning)
        assert (done.code, text in done.text) == (0, True), f"{beginning}\n{done.text}"
