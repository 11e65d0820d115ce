"""All routes in the cache: what is kept of them, and which model they wake."""

# I: a route that another route contradicts (gateway-api#4303)

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.gateways import RouteConflict
from canarium.core.facts.route_claims import Attachment, Match
from canarium.engine.cache.claimed_requests import claim
from canarium.engine.cache.route_claims import Claims
from canarium.engine.cache.routes import route
from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import Urgency
from canarium.kube import resources
from canarium.kube.cache import Cache

rule = pytest.mark.rule
KEY = ("risk", "fraud")
HTTP = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
GATEWAY: dict[str, Any] = {
    "metadata": {"namespace": "infra", "name": "public", "uid": "g", "resourceVersion": "1"},
    "spec": {
        "gatewayClassName": "x",
        "listeners": [
            {"name": "web", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
        ],
    },
}


def made(namespace: str, name: str, version: int, day: int = 1, **spec: Any) -> dict[str, Any]:
    """A route, created on a day of January 2026."""
    meta = {
        "namespace": namespace,
        "name": name,
        "uid": f"{namespace}-{name}",
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": f"2026-01-{day:02}T00:00:00Z",
    }
    parents = {"parentRefs": [{"namespace": "infra", "name": "public"}]}
    return {**HTTP, "metadata": meta, "spec": {**parents, **spec}}


def ours(name: str = "fraud", version: int = 1, day: int = 2, **spec: Any) -> dict[str, Any]:
    raw = made("risk", name, version, day, **spec)
    raw["metadata"]["labels"] = {"canarium.dev/model": name}
    owner = {"kind": "ModelDeployment", "name": name, "uid": f"m-{name}", "controller": True}
    raw["metadata"]["ownerReferences"] = [owner]
    return raw


class Woken(list[Key]):
    def __call__(self, key: Key, urgency: Urgency) -> None:
        self.append(key)


def cluster(*models: str) -> tuple[Store, Claims, Woken]:
    """A Gateway, and models with a route each."""
    woken = Woken()
    store = Store(woken)
    store.gateways.gateways.observe(GATEWAY)
    for name in models:
        meta = {"namespace": "risk", "name": name, "uid": f"m-{name}", "resourceVersion": "1"}
        store.parents.observe({"metadata": {**meta, "generation": 1}, "spec": {}})
    claims = store.claims[resources.HTTP_ROUTES]
    for name in models:
        claims.observe(ours(name))
    woken.clear()
    return store, claims, woken


def found(store: Store, key: Key = KEY) -> RouteConflict | None:
    return store.observed(key).route_conflict


# I16
@rule("R29")
def test_model_is_enqueued_for_a_conflicting_route_until_it_is_deleted() -> None:
    store, claims, woken = cluster("fraud")
    assert found(store) is None
    claims.observe(made("shop", "web", 5))
    assert woken == [KEY]
    conflict = found(store)
    assert conflict
    assert (conflict.namespace, conflict.name, conflict.lost) == ("shop", "web", True)
    woken.clear()
    claims.forget("shop", "web", "shop-web", 9)
    assert woken == [KEY]
    assert found(store) is None


@rule("R29")
def test_route_of_another_host_path_or_gateway_enqueues_no_model() -> None:
    store, claims, woken = cluster("fraud")
    claims.observe(ours(version=2, hostnames=["a.example.org"]))
    found(store)
    woken.clear()
    path = [{"matches": [{"path": {"type": "PathPrefix", "value": "/web"}}]}]
    claims.observe(made("shop", "b", 5, hostnames=["b.example.org"]))
    claims.observe(made("shop", "c", 6, hostnames=["a.example.org"], rules=path))
    claims.observe(made("shop", "d", 7, hostnames=["a.example.org"], parentRefs=[{"name": "own"}]))
    assert woken == []
    assert found(store) is None
    claims.observe(made("shop", "b", 8, hostnames=["A.example.org"]))
    assert woken == [KEY]
    assert found(store)


@rule("R29")
def test_names_the_route_that_gets_the_requests_out_of_several() -> None:
    store, claims, woken = cluster("fraud")
    claims.observe(made("shop", "young", 5, day=3))
    conflict = found(store)
    assert conflict
    assert (conflict.name, conflict.lost) == ("young", False)
    claims.observe(made("shop", "web", 6))
    conflict = found(store)
    assert conflict
    assert (conflict.name, conflict.lost) == ("web", True)
    woken.clear()
    claims.observe(made("shop", "zero", 7))
    assert woken == [], "another loser changes nothing"


@rule("R29", "R31")
def test_conflicting_models_enqueue_only_the_first_of_them() -> None:
    names = [f"m{n:03}" for n in range(50)]
    store, claims, woken = cluster(*names)
    for name in names:
        conflict = found(store, ("risk", name))
        assert (conflict.name if conflict else None) == (None if name == "m000" else "m000")
    claims.observe(made("shop", "late", 5, day=9))
    assert set(woken) == {("risk", "m000")}


@rule("R29")
def test_route_rejected_by_the_gateway_conflicts_with_nothing() -> None:
    store, claims, woken = cluster("fraud")
    other = made("shop", "web", 5)
    answer = {"type": "Accepted", "status": "False", "reason": "No", "observedGeneration": 1}
    parent = {"parentRef": other["spec"]["parentRefs"][0], "conditions": [answer]}
    claims.observe({**other, "status": {"parents": [parent]}})
    assert found(store) is None
    newer = made("shop", "web", 6)
    newer["metadata"]["generation"] = 2
    claims.observe({**newer, "status": {"parents": [parent]}})
    assert woken == [KEY]
    assert found(store)


@rule("R23", "R29")
def test_route_without_our_label_is_not_a_child_but_still_a_claim() -> None:
    store, claims, _ = cluster("fraud")
    assert store.observed(KEY).route
    bare = ours(version=5)
    del bare["metadata"]["labels"]
    claims.observe(bare)
    assert store.observed(KEY).route is None
    assert KEY in claims.items
    claims.observe(ours(version=6))
    assert store.observed(KEY).route
    claims.retain({KEY}, 7, None)
    assert store.observed(KEY).route
    claims.retain(set(), 8, None)
    assert store.observed(KEY).route is None
    assert not claims.items


@rule("R31")
def test_cached_claims_are_bounded_per_namespace_and_in_total() -> None:
    children: Cache[Any] = Cache(route, lambda old, new: None)
    claims = Claims(children, lambda _: None, lambda _: None, most=(3, 5))
    hosts = ["a.org", "b.org"]
    for number, namespace in enumerate(("one", "one", "two", "three")):
        claims.observe(made(namespace, f"r{number}", number + 1, hostnames=hosts))
    assert list(claims.items) == [("one", "r0"), ("two", "r2")]
    claims.observe(made("three", "small", 8))
    assert ("three", "small") in claims.items
    claims.observe(made("three", "small", 9, hostnames=hosts))
    assert ("three", "small") not in claims.items, "one that grows past the bound is dropped"
    claims.forget("one", "r0", "one-r0", 10)
    claims.observe(made("three", "r3", 11, hostnames=hosts))
    assert list(claims.items) == [("two", "r2"), ("three", "r3")]


def test_equivalent_claims_are_equal() -> None:
    plain = claim(made("shop", "web", 1))
    assert plain.matches == (Match("PathPrefix", "/"),)
    assert plain.attachments == (Attachment("infra", "public"),)
    headers = [
        {"name": "B", "value": "2"},
        {"name": "A", "value": "1", "type": "RegularExpression"},
    ]
    rules = [
        {"matches": [{"path": {"value": "/x/"}, "headers": headers}]},
        {"matches": [{"path": {"value": "/x"}, "headers": headers[::-1]}]},
    ]
    wanted = (("Exact", "b", "2"), ("RegularExpression", "a", "1"))
    raw = made("shop", "web", 1, rules=rules)
    assert claim(raw).matches == (Match("PathPrefix", "/x", None, wanted),)
    mesh = [{"group": "", "kind": "Service", "name": "public"}]
    assert claim(made("shop", "web", 1, parentRefs=mesh)).attachments == ()


def test_claim_of_a_grpc_route_is_by_service_and_method() -> None:
    method = {"method": {"service": "inference.GRPCInferenceService"}}
    raw = {**made("shop", "web", 1, rules=[{"matches": [method]}, {}]), "kind": "GRPCRoute"}
    assert claim(raw).matches == (
        Match("MethodExact", "inference.GRPCInferenceService/*"),
        Match("Method", ""),
    )
