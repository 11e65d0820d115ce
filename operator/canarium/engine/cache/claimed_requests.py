"""Projects a route of the Gateway API, of any owner, to the requests that it claims."""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import Any

from canarium.core.facts.route_claims import Attachment, Match, RouteClaim
from canarium.kube import resources
from canarium.render import labels

Raw = dict[str, Any]
_GROUP = resources.GATEWAYS.group


@lru_cache(maxsize=4096)
def _match(*parts: Any) -> Match:
    """Returns one object for equal matches: most routes have the same few."""
    return Match(*parts)


@lru_cache(maxsize=1024)
def _attachment(*parts: Any) -> Attachment:
    return Attachment(*parts)


def claim(raw: Raw) -> RouteClaim:
    """Returns the claim of a route, without the Gateways that do not accept it. A model's own route
    keeps those: that it is not accepted is reported separately."""
    meta, spec = raw["metadata"], raw["spec"]
    namespace = intern(meta.get("namespace", ""))
    model = _model(meta)
    rejected = set() if model else _rejected(raw, namespace)
    wanted = [
        _attachment(*place)
        for ref in spec.get("parentRefs") or ()
        if ref.get("group", _GROUP) == _GROUP and ref.get("kind", "Gateway") == "Gateway"
        if (place := _place(ref, namespace)) not in rejected
    ]
    # Without rules, or a rule without matches: every request.
    rules: list[Raw] = spec.get("rules") or [{}]
    read = _grpc if raw["kind"] == resources.GRPC_ROUTES.kind else _http
    matches = [read(one) for rule in rules for one in rule.get("matches") or [{}]]
    return RouteClaim(
        kind=intern(raw["kind"]),
        namespace=namespace,
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        created=meta.get("creationTimestamp") or "",
        attachments=tuple(dict.fromkeys(wanted)),
        hostnames=tuple(intern(host.lower()) for host in spec.get("hostnames") or ()),
        matches=tuple(dict.fromkeys(matches)),
        model=model,
    )


def _http(match: Raw) -> Match:
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind == "PathPrefix":
        # Prefixes match whole segments: a trailing slash changes nothing.
        value = value.rstrip("/") or "/"
    conditions = (_conditions(match, "headers"), _conditions(match, "queryParams"))
    return _match(kind, value, match.get("method"), *conditions)


def _grpc(match: Raw) -> Match:
    method = match.get("method") or {}
    wanted = [method.get(part) or "*" for part in ("service", "method")]
    kind = f"Method{method.get('type', 'Exact')}" if method else "Method"
    return _match(kind, "/".join(wanted) if method else "", None, _conditions(match, "headers"))


def _conditions(match: Raw, field: str) -> tuple[tuple[str, str, str], ...]:
    """Returns headers or query parameters in a canonical order; header names ignore case."""
    conditions = (
        (
            one.get("type", "Exact"),
            one["name"].lower() if field == "headers" else one["name"],
            one["value"],
        )
        for one in match.get(field) or ()
    )
    return tuple(sorted(conditions))


def _rejected(raw: Raw, namespace: str) -> set[tuple[Any, ...]]:
    """Returns the Gateways and listeners that do not accept this generation of the route."""
    generation = raw["metadata"].get("generation", 0)
    answers: dict[tuple[Any, ...], list[bool]] = {}
    for parent in (raw.get("status") or {}).get("parents") or ():
        for condition in parent.get("conditions") or ():
            current = condition.get("observedGeneration", 0) >= generation
            if condition["type"] == "Accepted" and current:
                place = _place(parent["parentRef"], namespace)
                answers.setdefault(place, []).append(condition["status"] == "False")
    return {place for place, rejections in answers.items() if all(rejections)}


def _place(ref: Raw, namespace: str) -> tuple[Any, ...]:
    return ref.get("namespace") or namespace, ref["name"], ref.get("sectionName"), ref.get("port")


def _model(meta: Raw) -> str | None:
    """Returns the name of the ModelDeployment that controls the route, if any."""
    if labels.MODEL not in (meta.get("labels") or {}):
        return None
    return next(
        (
            owner["name"]
            for owner in meta.get("ownerReferences") or ()
            if owner.get("controller") and owner["kind"] == resources.MODELS.kind
        ),
        None,
    )
