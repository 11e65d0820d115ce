"""Asks the registry of a moving reference once, and returns its answer as a fact."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from canarium.api.oci import registry_server, split_reference
from canarium.api.platform_hub import is_platform_hub
from canarium.api.reasons import SpecReason
from canarium.api.uri import Address, UriInvalid, parse
from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.kube.client import Api
from canarium.signals.access import NamespaceAccess
from canarium.signals.authorities import Authorities, InvalidCertificates
from canarium.signals.credentials import Unavailable
from canarium.signals.endpoint import Endpoint
from canarium.sources import hub_revision, mlflow_alias, oci_tag
from canarium.sources.credentials import ServerLogin, authorities, login
from canarium.sources.errors import Unresolved
from canarium.sources.eviction import oldest_of_largest
from canarium.sources.platform import Platform
from canarium.sources.rate_limits import Client, RateLimits
from canarium.sources.registry_server import RegistryServer
from canarium.sources.tracking_server import TrackingServer
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
Key = tuple[str, str]
#: Returns the result of one request for a model; it never raises.
Resolve = Callable[[Key, ResolveRequest], Awaitable[Resolution]]
#: Seconds for which the content of a Secret is used again: models that are followed read it often.
_SECRET_SECONDS = 60.0
#: Number of Secrets that are kept, and bytes of certificates in them; the namespace with the most
#: loses its oldest.
_MOST_SECRETS, _MOST_BYTES = 512, 16 << 20
#: Seconds until an answer has to be complete.
_PATIENCE = 10.0
#: Scheme → the way that needs no request of the operator.
_WITHOUT_REQUEST = {
    "oci": "a digest in spec.model.uri (@sha256:…)",
    "hf": "a commit in spec.model.uri (@ and 40 digits)",
}


@dataclass(frozen=True, slots=True)
class _CachedLogin:
    login: ServerLogin
    until: float


class Registries:
    """Asks registries. `access` returns the share of a namespace, `clock` monotonic seconds;
    `platform` is what fetchers are configured with.

    What is cached of a Secret is dropped when a server refuses it; certificates are loaded once.
    """

    def __init__(
        self,
        api: Api,
        access: Callable[[str], NamespaceAccess],
        clock: Callable[[], float],
        authorities: Authorities | None = None,
        platform: Platform | None = None,
    ) -> None:
        self._api, self._access, self._clock = api, access, clock
        self._authorities, self._platform = authorities or Authorities(), platform or Platform()
        self._error_log = ErrorLog(log)
        self._logins: dict[tuple[str, ...], _CachedLogin] = {}
        self._limits = RateLimits(clock)

    async def resolve(self, key: Key, request: ResolveRequest) -> Resolution:
        """Returns what `request` of the model `key` resolves to now, or why there is no result."""
        try:
            uri = await self._resolved(key[0], request, parse(request.uri))
        except Unresolved as error:
            message = str(error)
            if error.reason is SpecReason.SOURCE_ACCESS_DENIED:
                self.refused(key[0], request.secret)
                if way := _WITHOUT_REQUEST.get(request.uri.partition("://")[0]):
                    message += f". To resolve without a request, name {way}"
            if error.wait:
                self._limits.note(self._client(key[0], request), error.wait)
            return Resolution(request, reason=error.reason, message=message)
        except Exception as error:
            text = self._error_log.report((key, "source"), "/".join(key), "its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)
        return Resolution(request, uri)

    def wait_left(self, namespace: str, request: ResolveRequest) -> float:
        """Returns the seconds for which the registry of `request` wants no requests; 0 for none."""
        return self._limits.left(self._client(namespace, request))

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a model."""
        self._error_log.forget((key, "source"))

    async def server(self, namespace: str, address: str, secret: str | None) -> TrackingServer:
        """Returns the tracking server at `address`, with credentials of the namespace's Secret.

        Raises Unresolved.
        """
        stored = await self._login(namespace, secret, "mlflow")
        endpoint = await self._endpoint(namespace, address, secret, stored, stored.headers)
        return TrackingServer(self._access(namespace), endpoint, self._platform.proxy)

    def refused(self, namespace: str, secret: str | None) -> None:
        """Drops credentials that were refused: the Secret may have been replaced since."""
        for place in [place for place in self._logins if place[:2] == (namespace, secret)]:
            del self._logins[place]

    async def _resolved(self, namespace: str, request: ResolveRequest, address: Address) -> str:
        """Raises Unresolved."""
        secret, scheme = request.secret, address.scheme
        if scheme == "mlflow":
            server = await self.server(namespace, request.endpoint, secret)
            return await mlflow_alias.resolved(server, address)
        where = self._address(request.endpoint, address)
        if scheme == "oci":
            repository = split_reference(address.path)[0]
            stored = await self._login(namespace, secret, scheme, address.place)
            stored = stored.of_repository(secret, address.place, repository)
            # User and password are sent as the registry asks for them.
            endpoint = await self._endpoint(namespace, where, secret, stored, {})
            registry = RegistryServer(self._access(namespace), endpoint, self._platform.proxy)
            return await oci_tag.resolved(registry, address, stored.login)
        stored = await self._login(namespace, secret, scheme)
        if not stored.token and is_platform_hub(request.endpoint, self._platform.hub):
            stored = replace(stored, token=self._platform.token)
        endpoint = await self._endpoint(namespace, where, secret, stored, stored.headers)
        hub = RegistryServer(self._access(namespace), endpoint, self._platform.proxy)
        return await hub_revision.resolved(hub, address)

    def _address(self, endpoint: str, address: Address) -> str:
        """Returns where the registry of a URI is."""
        if endpoint:
            return endpoint
        if address.scheme == "oci":
            return f"https://{registry_server(address.place)}"
        return self._platform.hub

    def _client(self, namespace: str, request: ResolveRequest) -> Client:
        """Returns what the registry of `request` counts requests by."""
        try:
            host = urlsplit(self._address(request.endpoint, parse(request.uri))).netloc
        except (UriInvalid, ValueError):
            host = ""
        return namespace, request.secret, host

    async def _endpoint(
        self,
        namespace: str,
        address: str,
        secret: str | None,
        stored: ServerLogin,
        headers: Mapping[str, str],
    ) -> Endpoint:
        """Raises Unresolved."""
        tls, ca = None, self._platform.ca
        trusted = {}
        if stored.certificates is not None:
            trusted[f"Secret/{secret}: ca.crt"] = stored.certificates
        if ca and address.startswith("https://"):
            bundle = await self._cached(namespace, ("ConfigMap", *ca), authorities, *ca)
            trusted[f"ConfigMap/{ca[0]}: {ca[1]}"] = bundle.certificates or ""
        if trusted:
            try:
                text = "\n".join(trusted.values())
                tls = await self._authorities.context(namespace, text, system=True)
            except InvalidCertificates as error:
                text = f"{' or '.join(trusted)} is not a certificate in PEM"
                raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
            except Unavailable as error:
                raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, str(error)) from error
        return Endpoint(address, _PATIENCE, headers, tls, stored.secrets)

    async def _login(
        self, namespace: str, secret: str | None, scheme: str, host: str = ""
    ) -> ServerLogin:
        """Raises Unresolved."""
        if secret is None:
            return ServerLogin()
        return await self._cached(namespace, (secret, scheme, host), login, secret, scheme, host)

    async def _cached(
        self,
        namespace: str,
        what: tuple[str, ...],
        reader: Callable[..., Awaitable[ServerLogin]],
        *arguments: str,
    ) -> ServerLogin:
        """Returns what was read under the name `what`, at most a minute ago. Raises Unresolved."""
        now, place = self._clock(), (namespace, *what)
        cached = self._logins.get(place)
        if cached and cached.until > now:
            return cached.login
        read = await reader(self._api, namespace, *arguments)
        self._logins.pop(place, None)
        self._logins[place] = _CachedLogin(read, now + _SECRET_SECONDS)
        while len(self._logins) > _MOST_SECRETS or self._size > _MOST_BYTES:
            del self._logins[oldest_of_largest(self._logins, lambda place: place[0])]
        return read

    @property
    def _size(self) -> int:
        """Bytes of different certificates. Most namespaces have those of their company."""
        texts = {cached.login.certificates or "" for cached in self._logins.values()}
        return sum(map(len, texts))
