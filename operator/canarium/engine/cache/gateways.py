"""Gateways and their classes as last seen, and which kinds around routes this cluster has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from canarium.api.reasons import RouteReason
from canarium.core.facts.gateways import Gateway
from canarium.core.facts.route_claims import Attachment
from canarium.core.facts.route_precedence import Listeners
from canarium.engine.cache.routes import ROUTES, CachedGateway, gateway, gateway_class, named
from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.kube.resources import Resource

#: What a list was answered with, where a kind cannot be had.
_MISSING, _FORBIDDEN = 404, 403


class Gateways:
    """`changed(door)` is called for each difference; with None when a kind comes or goes."""

    def __init__(self, changed: Callable[[CachedGateway | None], None]) -> None:
        self._changed = changed
        self._unread: dict[tuple[Resource, str | None], int] = {}
        self.gateways: Cache[CachedGateway] = Cache(gateway, self._differs)
        self.classes: Cache[CachedGateway] = Cache(gateway_class, self._differs)
        self.caches = {resources.GATEWAYS: self.gateways, resources.GATEWAY_CLASSES: self.classes}

    def named(self, spec: dict[str, Any], namespace: str) -> tuple[Gateway, ...]:
        """The Gateways that a spec names; none when they may not be read, which is no fault."""
        if self._answer(resources.GATEWAYS, namespace):
            return ()
        return named(spec, namespace, self.gateways.items, self.classes.items)

    def listeners(self, attachments: Iterable[Attachment]) -> Listeners:
        """The listeners of the Gateways that a route names; None when none may be read."""
        if self._answer(resources.GATEWAYS, ""):
            return None
        doors = ((a.gateway, self.gateways.items.get(a.gateway)) for a in attachments)
        return {place: door.listeners for place, door in doors if door}

    def unserved(self, kind: str | None, namespace: str) -> tuple[str, str] | None:
        """Why routes of `kind` cannot be had in `namespace`: reason and text."""
        resource = ROUTES.get(kind or "")
        if resource is None:
            return None
        answer = self._answer(resource, namespace)
        where = f"{resource.plural}.{resource.group}"
        istio = resource.group == resources.VIRTUAL_SERVICES.group
        if answer == _MISSING:
            text = f"this cluster has no {where}/{resource.version}: install the CRDs"
            return (RouteReason.ISTIO_MISSING if istio else RouteReason.GATEWAY_API_MISSING), text
        if answer == _FORBIDDEN:
            reason = RouteReason.ISTIO_FORBIDDEN if istio else RouteReason.GATEWAY_API_FORBIDDEN
            return reason, f"the operator may not list {where} in {namespace}"
        return None

    def answered(self, resource: Resource, namespace: str | None, status: int | None) -> None:
        """A list of `resource` was answered: None when it was read, else the HTTP status."""
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
