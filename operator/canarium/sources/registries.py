"""Asks the registry of a moving reference once, and returns its answer as a fact."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from canarium.api.reasons import SpecReason
from canarium.api.uri import parse
from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.kube.client import Api
from canarium.signals.access import NamespaceAccess
from canarium.signals.authorities import Authorities, InvalidCertificates
from canarium.signals.credentials import Unavailable
from canarium.signals.endpoint import Endpoint
from canarium.sources.credentials import ServerLogin, login
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
#: Number of Secrets that are kept; the namespace with the most loses its oldest.
_MOST_SECRETS = 512
#: Seconds until an answer has to be complete.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class _CachedLogin:
    login: ServerLogin
    until: float


class Registries:
    """Asks registries. `access` returns the share of a namespace, `clock` monotonic seconds.

    What is cached of a Secret is dropped when a server refuses it; certificates are loaded once.
    """

    def __init__(
        self,
        api: Api,
        access: Callable[[str], NamespaceAccess],
        clock: Callable[[], float],
        authorities: Authorities | None = None,
    ) -> None:
        self._api, self._access, self._clock = api, access, clock
        self._authorities = authorities or Authorities()
        self._error_log = ErrorLog(log)
        self._logins: dict[tuple[str, str], _CachedLogin] = {}

    async def resolve(self, key: Key, request: ResolveRequest) -> Resolution:
        """Returns what `request` of the model `key` resolves to now, or why there is no result."""
        try:
            server = await self.server(key[0], request.endpoint, request.secret)
            uri = await resolved(server, parse(request.uri))
        except Unresolved as error:
            if error.reason is SpecReason.SOURCE_ACCESS_DENIED:
                self.refused(key[0], request.secret)
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

    def refused(self, namespace: str, secret: str | None) -> None:
        """Drops credentials that were refused: the Secret may have been replaced since."""
        if secret:
            self._logins.pop((namespace, secret), None)

    async def _endpoint(self, namespace: str, address: str, secret: str | None) -> Endpoint:
        """Raises Unresolved."""
        if secret is None:
            return Endpoint(address, _PATIENCE)
        stored = await self._login(namespace, secret)
        tls = None
        if stored.certificates is not None:
            try:
                tls = await self._authorities.context(namespace, stored.certificates, system=True)
            except InvalidCertificates as error:
                text = f"Secret/{secret}: ca.crt is not a certificate in PEM"
                raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
            except Unavailable as error:
                raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, str(error)) from error
        return Endpoint(address, _PATIENCE, stored.headers, tls, stored.secrets)

    async def _login(self, namespace: str, secret: str) -> ServerLogin:
        """Raises Unresolved."""
        now, place = self._clock(), (namespace, secret)
        cached = self._logins.get(place)
        if cached and cached.until > now:
            return cached.login
        read = await login(self._api, namespace, secret)
        self._logins.pop(place, None)
        self._logins[place] = _CachedLogin(read, now + _SECRET_SECONDS)
        if len(self._logins) > _MOST_SECRETS:
            most = Counter(other for other, _ in self._logins).most_common(1)[0][0]
            del self._logins[next(other for other in self._logins if other[0] == most)]
        return read
