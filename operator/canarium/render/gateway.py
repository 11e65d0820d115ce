"""Renders routes of the Gateway API: one HTTPRoute or GRPCRoute per model, named after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from canarium.api.base import seconds
from canarium.api.effective_traffic import REVISION_HEADER, EffectiveRoute, EffectiveTraffic
from canarium.render.traffic_split import Split
from canarium.render.workload import Manifest, child_name, head_of

API = "gateway.networking.k8s.io/v1"
#: Response header with the version, next to the one with the revision.
VERSION_HEADER = "x-canarium-version"


def http_route(parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split) -> Manifest:
    """Returns the HTTPRoute, with a rule for the candidate's header if there is one."""
    route = route_of(traffic)
    prefix = route.path_prefix
    path = {"path": {"type": "PathPrefix", "value": prefix}} if prefix else {}
    common: Manifest = {}
    if route.timeouts:
        common["timeouts"] = {name: duration(value) for name, value in route.timeouts}
    rewritten = [_rewrite(route.rewrite_prefix)] if route.rewrite_prefix else []
    rules = []
    for rule in _rules(parent, traffic, split):
        match = {**path, **rule.pop("match", {})}
        filters = [*rewritten, *rule.pop("filters", [])]
        rules.append(
            {
                **({"matches": [match]} if match else {}),
                **({"filters": filters} if filters else {}),
                **rule,
                **common,
            }
        )
    return _route(parent, route, split, rules)


def grpc_route(parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split) -> Manifest:
    """Returns the GRPCRoute, with the subset of settings that it supports."""
    rules = []
    for rule in _rules(parent, traffic, split):
        match = rule.pop("match", None)
        rules.append({**({"matches": [match]} if match else {}), **rule})
    return _route(parent, route_of(traffic), split, rules)


def _route(
    parent: Mapping[str, Any], route: EffectiveRoute, split: Split, rules: list[Manifest]
) -> Manifest:
    head = head_of(parent, API, route.kind.kind, None)
    head["metadata"]["annotations"] = dict(split.notes)
    spec: Manifest = {"parentRefs": [_parent(ref) for ref in route.parents]}
    if route.hosts:
        spec["hostnames"] = list(route.hosts)
    return {**head, "spec": {**spec, "rules": rules}}


def _rules(parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split) -> list[Manifest]:
    """Returns the rules that both kinds share; `match` is without a path.

    The rule for all callers has the first position, with or without a rule for the candidate:
    precedence is decided by matches, and a gateway may derive names of backends from positions
    (Envoy Gateway does). A position that changes is a moment of wrong responses.
    """
    route = route_of(traffic)
    backends = [_backend(parent, traffic, split, name, weight) for name, weight in split.weights]
    others: list[Manifest] = []
    direct = split.candidate if split.direct else None
    if direct and route.header:
        name, value = route.header
        match = {"headers": [{"type": "Exact", "name": name, "value": value}]}
        others.append(
            {"match": match, "backendRefs": [_backend(parent, traffic, split, direct, 100)]}
        )
    rest: Manifest = {"backendRefs": backends}
    if direct and route.mirror and dict(split.weights).get(direct) == 0:
        rest["filters"] = [_mirror(parent, traffic.port, direct, route.mirror_percent)]
    return [rest, *others]


def _backend(
    parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split, revision: str, weight: int
) -> Manifest:
    backend = {**_service(parent, traffic.port, revision), "weight": weight}
    if not route_of(traffic).response_headers:
        return backend
    headers = [{"name": k, "value": v} for k, v in answer_headers(split, revision).items()]
    modifier = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}
    return {**backend, "filters": [modifier]}


def answer_headers(split: Split, revision: str) -> dict[str, str]:
    """Returns the response headers that name the revision and version."""
    version = split.versions.get(revision)
    labels = {VERSION_HEADER: quote(version, safe=_PLAIN)} if version else {}
    return {REVISION_HEADER: revision, **labels}


def _mirror(parent: Mapping[str, Any], port: int, revision: str, percent: int | None) -> Manifest:
    mirror: Manifest = {"backendRef": _service(parent, port, revision)}
    if percent is not None:
        mirror["percent"] = percent
    return {"type": "RequestMirror", "requestMirror": mirror}


def _service(parent: Mapping[str, Any], port: int, revision: str) -> Manifest:
    return {"name": child_name(parent["metadata"]["name"], revision), "port": port}


def _rewrite(prefix: str) -> Manifest:
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    return {"type": "URLRewrite", "urlRewrite": {"path": path}}


def _parent(ref: Mapping[str, Any]) -> Manifest:
    fields = ("name", "namespace", "sectionName", "port")
    return {name: ref[name] for name in fields if ref.get(name) is not None}


def route_of(traffic: EffectiveTraffic) -> EffectiveRoute:
    """Returns the settings of the route, which the router of `traffic` has to have."""
    assert traffic.route is not None
    return traffic.route


def duration(text: str) -> str:
    """Returns a duration in the format of the Gateway API (GEP-2257): whole units, at most five
    digits."""
    left, parts = round(seconds(text) * 1000), []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


#: Characters of a header's value that need no escaping, besides letters and digits.
_PLAIN = "!#$&'*+-.^_`|~:/@=,;()[]{}<>?\" "
