"""Caches Gateways and their classes, and which kinds of routes this cluster serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from canarium.api.reasons import RouteReason
from canarium.api.route_kind import RouteKind
from canarium.core.facts.gateways import Gateway
from canarium.core.facts.route_claims import Attachment
from canarium.core.facts.route_precedence import Listeners
from canarium.engine.cache.routes import ROUTES, CachedGateway, gateway, gateway_class, named
from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.kube.resources import Resource

#: HTTP statuses of a list request that indicate that a kind is unavailable.
_MISSING, _FORBIDDEN = 404, 403


class Gateways:
    """`changed` is called with each Gateway that differs, or with None when a kind is installed,
    removed or forbidden."""

    def __init__(self, changed: Callable[[CachedGateway | None], None]) -> None:
        self._changed = changed
        self._unread: dict[tuple[Resource, str | None], int] = {}
        self.gateways: Cache[CachedGateway] = Cache(gateway, self._differs)
        self.classes: Cache[CachedGateway] = Cache(gateway_class, self._differs)
        self.caches = {resources.GATEWAYS: self.gateways, resources.GATEWAY_CLASSES: self.classes}

    def named(self, spec: dict[str, Any], namespace: str) -> tuple[Gateway, ...]:
        """Returns the Gateways that a spec names; none when they may not be read."""
        if self._answer(resources.GATEWAYS, namespace):
            return ()
        return named(spec, namespace, self.gateways.items, self.classes.items)

    def listeners(self, attachments: Iterable[Attachment]) -> Listeners:
        """Returns the listeners of the Gateways that a route names; None when none may be read."""
        if self._answer(resources.GATEWAYS, ""):
            return None
        cached = ((a.gateway, self.gateways.items.get(a.gateway)) for a in attachments)
        return {place: gateway.listeners for place, gateway in cached if gateway}

    def api_error(self, kind: RouteKind | None, namespace: str) -> tuple[str, str] | None:
        """Returns why routes of `kind` are unavailable in `namespace`: reason and message."""
        resource = ROUTES[kind] if kind else None
        if resource is None:
            return None
        answer = self._answer(resource, namespace)
        where = f"{resource.plural}.{resource.group}"
        istio = resource.group == resources.VIRTUAL_SERVICES.group
        if answer == _MISSING:
            text = f"the cluster does not serve {where}/{resource.version}; install its CRDs"
            return (RouteReason.ISTIO_MISSING if istio else RouteReason.GATEWAY_API_MISSING), text
        if answer == _FORBIDDEN:
            reason = RouteReason.ISTIO_FORBIDDEN if istio else RouteReason.GATEWAY_API_FORBIDDEN
            return reason, f"the operator is not allowed to list {where} in namespace {namespace}"
        return None

    def answered(self, resource: Resource, namespace: str | None, status: int | None) -> None:
        """Notes the answer to a list of `resource`: None for success, else the HTTP status."""
        place = (resource, namespace)
        if self._unread.get(place) == status:
            return
        if status is None:
            del self._unread[place]
        else:
            self._unread[place] = status
        self._changed(None)

    def _answer(self, resource: Resource, namespace: str) -> int | None:
        return self._unread.get((resource, None)) or self._unread.get((resource, namespace))

    def _differs(self, old: CachedGateway | None, new: CachedGateway | None) -> None:
        self._changed(new or old)
