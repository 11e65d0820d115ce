"""Projects routes, Gateways and their classes to facts: the reading side of weighted routers.

`ROUTES` has one entry per kind of route. What else a new router needs is listed in
docs/contributing/adding-a-router.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from canarium.api.effective_traffic import route_kind
from canarium.api.route_kind import RouteKind
from canarium.core.decision.plan import SetRouteWeights
from canarium.core.facts.gateways import Gateway, Listener, Route
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.cache.children import Child, Raw, child, compared, live_content
from canarium.kube import resources
from canarium.kube.resources import Resource
from canarium.render import labels
from canarium.untrusted.quoting import quoted

#: Kind of a route, with its group → its resource.
ROUTES: Mapping[RouteKind, Resource] = {
    RouteKind(kind.group, kind.kind): kind
    for kind in (resources.HTTP_ROUTES, resources.GRPC_ROUTES, resources.VIRTUAL_SERVICES)
}
#: Conditions of a route that have to be True for its generation.
_NEEDED = ("Accepted", "ResolvedRefs")


def kind_of(raw: Raw) -> RouteKind:
    """Returns the kind of a route, an object of the API."""
    return RouteKind(raw["apiVersion"].partition("/")[0], raw["kind"])


def route(raw: Raw) -> Child[Route]:
    """Projects a route of the Gateway API: its weights, and whether its parents accepted them."""
    meta, spec = raw["metadata"], raw["spec"]
    notes = meta.get("annotations", {})
    rules: list[Raw] = spec.get("rules") or [{}]
    model = meta.get("labels", {}).get(labels.MODEL, "")
    rest = next((rule for rule in rules if not _asks(rule)), rules[0])
    mirrors = [f for f in rest.get("filters", ()) if f.get("type") == "RequestMirror"]
    generation = meta.get("generation", 0)
    accepted, rejection, pending_parents = _answers(raw, generation)
    fact = Route(
        kind=kind_of(raw),
        uid=meta["uid"],
        generation=generation,
        weights=tuple(
            (str(ref["name"]).removeprefix(f"{model}-"), ref.get("weight", 1))
            for ref in rest.get("backendRefs") or ()
        ),
        traffic=TrafficRecord.from_annotations(notes),
        direct=len(rules) > 1 or bool(mirrors),
        accepted=accepted,
        rejection=rejection,
        pending_parents=pending_parents,
    )
    keep = compared(raw, spec)
    keep["metadata"]["annotations"] = notes
    return child(raw, fact, keep)


def _asks(rule: Raw) -> bool:
    """Returns whether a rule matches by header. Older releases wrote that rule first."""
    return any(match.get("headers") for match in rule.get("matches") or ())


def _answers(raw: Raw, generation: int) -> tuple[bool, tuple[str, str] | None, tuple[str, ...]]:
    """Returns whether all parents accepted this generation, why one did not, and which did not
    answer."""
    namespace = raw["metadata"].get("namespace", "")
    by_parent: dict[tuple[Any, ...], list[Raw]] = {}
    for one in (raw.get("status") or {}).get("parents") or ():
        by_parent.setdefault(_place(one["parentRef"], namespace), []).append(one)
    pending_parents: list[str] = []
    rejections: list[tuple[str, str]] = []
    parents = raw["spec"].get("parentRefs") or ()
    for ref in parents:
        name = f"Gateway {ref.get('namespace') or namespace}/{ref['name']}"
        answers = [_answer(one, generation) for one in by_parent.get(_place(ref, namespace), ())]
        if True in answers:
            continue
        rejected = next((answer for answer in answers if isinstance(answer, tuple)), None)
        if rejected:
            reason, text = rejected
            rejections.append((reason, f"{name}: {text or reason}"))
        else:
            pending_parents.append(name)
    accepted = bool(parents) and not pending_parents and not rejections
    return accepted, next(iter(rejections), None), tuple(pending_parents)


def _answer(one: Raw, generation: int) -> bool | tuple[str, str] | None:
    """Returns whether a parent accepted `generation`: True, the reason and message why not, or None
    while it has not answered."""
    conditions = {c["type"]: c for c in one.get("conditions") or ()}
    for kind in _NEEDED:
        condition = conditions.get(kind)
        if condition is None or condition.get("observedGeneration", 0) < generation:
            return None
        if condition["status"] == "False":
            return quoted(condition["reason"], 100), quoted(condition.get("message", ""))
        if condition["status"] != "True":
            return None
    return True


def _place(ref: Raw, namespace: str) -> tuple[Any, ...]:
    return (
        ref.get("namespace") or namespace,
        ref["name"],
        ref.get("sectionName"),
        ref.get("port"),
    )


@dataclass(frozen=True, slots=True)
class CachedGateway:
    """A Gateway, or without a namespace a GatewayClass: what routes depend on.

    Counts of routes and addresses are left out, so that they wake no model.
    """

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    features: frozenset[str] | None = None


def gateway(raw: Raw) -> CachedGateway:
    meta, spec = raw["metadata"], raw["spec"]
    return CachedGateway(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        class_name=spec.get("gatewayClassName", ""),
        listeners=tuple(
            Listener(
                one["name"],
                one["port"],
                ((one.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same"),
                (one.get("hostname") or "").lower(),
            )
            for one in spec.get("listeners") or ()
        ),
    )


def gateway_class(raw: Raw) -> CachedGateway:
    """Projects a GatewayClass. It lists features as objects since v1.2 of the Gateway API, as
    strings before."""
    meta = raw["metadata"]
    features: Iterable[Any] = (raw.get("status") or {}).get("supportedFeatures") or ()
    names = frozenset(one["name"] if isinstance(one, dict) else str(one) for one in features)
    return CachedGateway(
        namespace="",
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        features=names or None,
    )


def named(
    spec: Raw,
    namespace: str,
    gateways: Mapping[tuple[str, str], CachedGateway],
    classes: Mapping[tuple[str, str], CachedGateway],
) -> tuple[Gateway, ...]:
    """Returns the Gateways that the spec of a model in `namespace` names."""
    listed = []
    for ref in _refs(spec):
        place = (ref.get("namespace") or namespace, ref["name"])
        cached = gateways.get(place)
        of = classes.get(("", cached.class_name)) if cached else None
        listed.append(
            Gateway(
                *place,
                exists=cached is not None,
                own=place[0] == namespace,
                section=ref.get("sectionName"),
                port=ref.get("port"),
                features=of.features if of else None,
                listeners=cached.listeners if cached else (),
            )
        )
    return tuple(listed)


def wanted_kind(spec: Raw) -> RouteKind | None:
    """Returns the kind of route that a spec asks for, if any."""
    return route_kind(spec.get("traffic"))


def settings_annotation(parent: Mapping[str, Any]) -> dict[str, str]:
    """Returns the annotation with the settings that a route is made from. They hold until rollout
    and bake are over, even if the spec has changed since (R12)."""
    return {labels.TRAFFIC: orjson.dumps(parent["spec"].get("traffic")).decode()}


def with_live_settings(
    parent: Mapping[str, Any], live: Child[Any] | None
) -> Mapping[str, Any] | None:
    """Returns `parent` with the settings that the live route was made from; None if it
    does not hold them."""
    if live is None:
        return None
    try:
        traffic = orjson.loads(live_content(live)["metadata"]["annotations"][labels.TRAFFIC])
        wanted_kind({"traffic": traffic})
    except (KeyError, ValueError, AttributeError):
        return None
    return {**parent, "spec": {**parent["spec"], "traffic": traffic}}


def with_settings_in_effect(
    parent: Mapping[str, Any], kind: RouteKind | None, live: Child[Any] | None
) -> Mapping[str, Any]:
    """Returns `parent` with the settings for a route of `kind`: those of its spec, unless that asks
    for another router, which takes effect once rollout and bake are over (R12)."""
    if kind is None or wanted_kind(parent["spec"]) == kind:
        return parent
    return with_live_settings(parent, live) or parent


def names_gateway(spec: Raw, namespace: str, gateway: CachedGateway) -> bool:
    """Returns whether a spec in `namespace` names this Gateway; for a class, whether it names any
    Gateway."""
    refs = _refs(spec)
    if not gateway.namespace:
        return bool(refs)
    place = (gateway.namespace, gateway.name)
    return any((ref.get("namespace") or namespace, ref["name"]) == place for ref in refs)


def _refs(spec: Raw) -> list[Raw]:
    traffic = spec.get("traffic") or {}
    refs: list[Raw] = (traffic.get("gateway") or {}).get("parentRefs") or []
    return refs


def route_of(action: SetRouteWeights) -> Route:
    """Returns the route that an action asks for."""
    return Route(action.kind, "", 0, action.weights, action.traffic, action.direct)
