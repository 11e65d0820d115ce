"""Asks the registry of a moving reference once, and returns its answer as a fact."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from canarium.api.reasons import SpecReason
from canarium.api.uri import parse
from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.kube.client import Api
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.sources.credentials import endpoint
from canarium.sources.errors import Unresolved
from canarium.sources.mlflow_alias import resolved
from canarium.sources.tracking_server import TrackingServer
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
Key = tuple[str, str]
#: Returns the result of one request for a model; it never raises.
Resolve = Callable[[Key, ResolveRequest], Awaitable[Resolution]]
#: Seconds for which the content of a Secret is used again: models that are followed read it often.
_SECRET_SECONDS = 60.0
#: Number of Secrets that are kept.
_MOST_SECRETS = 1024


@dataclass(frozen=True, slots=True)
class _CachedEndpoint:
    endpoint: Endpoint
    until: float


class Registries:
    """Asks registries. `access` returns the share of a namespace, `clock` monotonic seconds."""

    def __init__(
        self,
        api: Api,
        access: Callable[[str], NamespaceAccess],
        clock: Callable[[], float],
    ) -> None:
        self._api, self._access, self._clock = api, access, clock
        self._error_log = ErrorLog(log)
        self._endpoints: dict[tuple[str, str, str], _CachedEndpoint] = {}

    async def resolve(self, key: Key, request: ResolveRequest) -> Resolution:
        """Returns what `request` of the model `key` resolves to now, or why there is no result."""
        try:
            server = await self.server(key[0], request.endpoint, request.secret)
            uri = await resolved(server, parse(request.uri))
        except Unresolved as error:
            if error.reason is SpecReason.SOURCE_ACCESS_DENIED:
                self.refused(key[0], request.endpoint, request.secret)
            return Resolution(request, reason=error.reason, message=str(error))
        except Exception as error:
            text = self._error_log.report((key, "source"), "/".join(key), "its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)
        return Resolution(request, uri)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a model."""
        self._error_log.forget((key, "source"))

    async def server(self, namespace: str, address: str, secret: str | None) -> TrackingServer:
        """Returns the tracking server at `address`, with credentials of the namespace's Secret.

        Raises Unresolved.
        """
        return TrackingServer(
            self._access(namespace), await self._endpoint(namespace, address, secret)
        )

    def refused(self, namespace: str, address: str, secret: str | None) -> None:
        """Drops credentials that were refused: the Secret may have been replaced since."""
        if secret:
            self._endpoints.pop((namespace, address, secret), None)

    async def _endpoint(self, namespace: str, address: str, secret: str | None) -> Endpoint:
        """Raises Unresolved."""
        now = self._clock()
        if secret is None:
            return await endpoint(self._api, namespace, address, None)
        place = (namespace, address, secret)
        cached = self._endpoints.get(place)
        if cached and cached.until > now:
            return cached.endpoint
        read = await endpoint(self._api, namespace, address, secret)
        if len(self._endpoints) >= _MOST_SECRETS:
            self._endpoints.clear()
        self._endpoints[place] = _CachedEndpoint(read, now + _SECRET_SECONDS)
        return read
