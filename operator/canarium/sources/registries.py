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
from canarium.signals.prometheus import Endpoint
from canarium.sources.credentials import endpoint
from canarium.sources.errors import Unresolved
from canarium.sources.mlflow_alias import resolved
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
            server = await self._endpoint(key[0], request)
            uri = await resolved(self._access(key[0]), parse(request.uri), server)
        except Unresolved as error:
            if error.reason is SpecReason.SOURCE_ACCESS_DENIED and request.secret:
                # The Secret may have been replaced since it was read.
                self._endpoints.pop((key[0], request.endpoint, request.secret), None)
            return Resolution(request, reason=error.reason, message=str(error))
        except Exception as error:
            text = self._error_log.report((key, "source"), "/".join(key), "its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)
        return Resolution(request, uri)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a model."""
        self._error_log.forget((key, "source"))

    async def _endpoint(self, namespace: str, request: ResolveRequest) -> Endpoint:
        """Raises Unresolved."""
        secret, now = request.secret, self._clock()
        if secret is None:
            return await endpoint(self._api, namespace, request.endpoint, None)
        place = (namespace, request.endpoint, secret)
        cached = self._endpoints.get(place)
        if cached and cached.until > now:
            return cached.endpoint
        read = await endpoint(self._api, namespace, request.endpoint, secret)
        if len(self._endpoints) >= _MOST_SECRETS:
            self._endpoints.clear()
        self._endpoints[place] = _CachedEndpoint(read, now + _SECRET_SECONDS)
        return read
