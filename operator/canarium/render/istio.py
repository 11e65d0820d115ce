"""Renders the route of router `Istio`: one VirtualService per model, named after it.

Its destinations are the Services of single revisions, so no DestinationRule with subsets is needed.
User-supplied DestinationRules are left untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.base import seconds
from canarium.api.effective_traffic import effective_traffic
from canarium.render.gateway import answer_headers, effective_route
from canarium.render.traffic_split import Split
from canarium.render.workload import Manifest, child_name, head_of


def virtual_service(parent: Mapping[str, Any], split: Split) -> Manifest:
    """Returns the VirtualService. The route for the candidate's header is first, if any."""
    wanted, route = parent["spec"]["traffic"]["istio"], effective_route(parent)
    head = head_of(parent, "networking.istio.io/v1", "VirtualService", None)
    head["metadata"]["annotations"] = dict(split.notes)
    common: Manifest = {}
    if wanted.get("rewritePrefix"):
        common["rewrite"] = {"uri": wanted["rewritePrefix"]}
    if wanted.get("timeout"):
        common["timeout"] = f"{seconds(wanted['timeout']):g}s"
    path = {"uri": {"prefix": wanted["pathPrefix"]}} if wanted.get("pathPrefix") else {}
    asked = split.candidate if split.direct else None
    routes: list[Manifest] = []
    if asked and route.header:
        name, value = route.header
        match = {**path, "headers": {name: {"exact": value}}}
        routes.append({"match": [match], "route": [_to(parent, split, asked, 100)], **common})
    backends = [_to(parent, split, name, weight) for name, weight in split.weights]
    rest: Manifest = {**({"match": [path]} if path else {}), "route": backends, **common}
    if asked and route.mirror and dict(split.weights).get(asked) == 0:
        rest["mirror"] = _destination(parent, asked)
        rest["mirrorPercentage"] = {"value": route.mirror_percent or 100}
    return {
        **head,
        "spec": {
            "hosts": list(wanted.get("hosts") or [parent["metadata"]["name"]]),
            "gateways": list(wanted.get("gateways") or ["mesh"]),
            "http": [*routes, rest],
        },
    }


def _to(parent: Mapping[str, Any], split: Split, revision: str, weight: int) -> Manifest:
    found: Manifest = {"destination": _destination(parent, revision), "weight": weight}
    if effective_route(parent).response_headers:
        found["headers"] = {"response": {"set": answer_headers(split, revision)}}
    return found


def _destination(parent: Mapping[str, Any], revision: str) -> Manifest:
    port = effective_traffic(parent["spec"]["traffic"]).port
    return {"host": child_name(parent["metadata"]["name"], revision), "port": {"number": port}}
