"""Renders the route of router `Istio`: one VirtualService per model, named after it.

Its destinations are the Services of single revisions, so no DestinationRule with subsets is needed.
User-supplied DestinationRules are left untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.base import seconds
from canarium.api.effective_traffic import EffectiveTraffic
from canarium.render.gateway import answer_headers, route_of
from canarium.render.traffic_split import Split
from canarium.render.workload import Manifest, child_name, head_of


def virtual_service(parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split) -> Manifest:
    """Returns the VirtualService. The route for the candidate's header is first, if any."""
    settings = route_of(traffic)
    head = head_of(parent, "networking.istio.io/v1", settings.kind.kind, None)
    head["metadata"]["annotations"] = dict(split.notes)
    common: Manifest = {}
    if settings.rewrite_prefix:
        common["rewrite"] = {"uri": settings.rewrite_prefix}
    for _, timeout in settings.timeouts:
        common["timeout"] = f"{seconds(timeout):g}s"
    path = {"uri": {"prefix": settings.path_prefix}} if settings.path_prefix else {}
    candidate = split.candidate if split.direct else None
    routes: list[Manifest] = []
    if candidate and settings.header:
        name, value = settings.header
        match = {**path, "headers": {name: {"exact": value}}}
        route = [_to(parent, traffic, split, candidate, 100)]
        routes.append({"match": [match], "route": route, **common})
    backends = [_to(parent, traffic, split, name, weight) for name, weight in split.weights]
    rest: Manifest = {**({"match": [path]} if path else {}), "route": backends, **common}
    if candidate and settings.mirror and dict(split.weights).get(candidate) == 0:
        rest["mirror"] = _destination(parent, traffic.port, candidate)
        rest["mirrorPercentage"] = {"value": settings.mirror_percent}
    return {
        **head,
        "spec": {
            "hosts": list(settings.hosts or [parent["metadata"]["name"]]),
            "gateways": list(settings.gateways),
            "http": [*routes, rest],
        },
    }


def _to(
    parent: Mapping[str, Any], traffic: EffectiveTraffic, split: Split, revision: str, weight: int
) -> Manifest:
    destination: Manifest = {
        "destination": _destination(parent, traffic.port, revision),
        "weight": weight,
    }
    if route_of(traffic).response_headers:
        destination["headers"] = {"response": {"set": answer_headers(split, revision)}}
    return destination


def _destination(parent: Mapping[str, Any], port: int, revision: str) -> Manifest:
    return {"host": child_name(parent["metadata"]["name"], revision), "port": {"number": port}}
