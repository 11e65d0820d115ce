"""Adds the credentials that a model names to the addresses of its requests."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from canarium.api.authentication import Authentication, OAuth2, SecretHeader, SigV4
from canarium.core.evidence.faulty_object import FaultyObject, ObjectProblem
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals import credentials, oauth2
from canarium.signals.access import NamespaceAccess
from canarium.signals.authorities import Authorities, InvalidCertificates
from canarium.signals.credentials import CA, Secret, Unavailable
from canarium.signals.endpoint import Endpoint
from canarium.signals.sigv4 import AwsKeys, SigV4Signer
from canarium.signals.token_cache import Expiring, TokenCache
from canarium.signals.workload_identity import WorkloadIdentity, host_of


class Authenticator:
    """Reads Secrets at each use, so that an edit applies at once; caches tokens, and certificates.

    `access` returns the share of a namespace: token servers are reached under the same rules as
    all other servers that users name.
    """

    def __init__(
        self,
        api: Api,
        access: Callable[[str], NamespaceAccess],
        timing: Timing | None = None,
        identity: WorkloadIdentity | None = None,
    ) -> None:
        self._api, self._access, self._timing = api, access, timing or Timing()
        self._identity = identity or WorkloadIdentity(timing=timing)
        self._tokens = TokenCache(self._timing.clock)
        self.authorities = Authorities(self._timing)

    async def endpoint(
        self, namespace: str, url: str, authentication: Authentication | None, patience: float
    ) -> Endpoint:
        """Returns `url` with the credentials of `authentication`. Raises Unavailable."""
        plain = Endpoint(url, patience)
        if authentication is None:
            return plain
        if authentication.secret_name is None:
            return await self._workload(plain, authentication)
        secret = await credentials.secret(self._api, namespace, authentication.secret_name)
        plain = replace(plain, tls=await self._trust(namespace, secret))
        if authentication.headers:
            return _headers(plain, secret, authentication.headers)
        if authentication.oauth2:
            return await self._oauth2(plain, namespace, secret, authentication.oauth2)
        if authentication.sig_v4:
            return self._sig_v4(plain, secret, authentication.sig_v4)
        return with_login(plain, secret)

    async def close(self) -> None:
        """Ends requests for tokens."""
        await self._tokens.close()
        await self.authorities.close()
        await self._identity.close()

    async def _oauth2(
        self, plain: Endpoint, namespace: str, secret: Secret, settings: OAuth2
    ) -> Endpoint:
        client = secret.line("client-id"), secret.line("client-secret")

        async def obtain() -> Expiring[str]:
            tls = await self._trust(namespace, secret, system=True)
            return await oauth2.obtain(self._access(namespace), settings, client, tls)

        key = (namespace, _digest(settings.model_dump_json(), *client, secret.data.get(CA, "")))
        token = await self._tokens.get(key, obtain)
        return _bearer(plain, token, lambda _: self._tokens.forget(key))

    async def _trust(
        self, namespace: str, secret: Secret, *, system: bool = False
    ) -> ssl.SSLContext | None:
        """Returns the trust in `ca.crt`, and with `system` in the authorities of the system; None
        without this key. Raises Unavailable."""
        certificates = secret.authority()
        if certificates is None:
            return None
        try:
            return await self.authorities.context(namespace, certificates, system=system)
        except InvalidCertificates as error:
            raise secret.not_a_certificate() from error

    async def _workload(self, plain: Endpoint, authentication: Authentication) -> Endpoint:
        """Raises Unavailable unless an administrator allows the host."""
        provider = authentication.workload_identity or ""
        url = self._identity.allowed(provider, plain.url)
        return await self.with_identity(replace(plain, url=url), provider, authentication.sig_v4)

    async def with_identity(
        self, plain: Endpoint, provider: str, signature: SigV4 | None
    ) -> Endpoint:
        """Returns `plain`, whose URL an administrator chose or allowed, with the operator's
        identity. Raises Unavailable."""
        if signature:
            keys, key = await self._identity.aws()
            refused = partial(self._identity.refused, key)
            return _signed(plain, keys, signature, self._timing.now, refused)
        token, key = await self._identity.bearer(provider, host_of(plain.url))
        return _bearer(plain, token, partial(self._identity.refused, key))

    def _sig_v4(self, plain: Endpoint, secret: Secret, settings: SigV4) -> Endpoint:
        token = "AWS_SESSION_TOKEN"
        keys = AwsKeys(
            secret.line("AWS_ACCESS_KEY_ID"),
            secret.line("AWS_SECRET_ACCESS_KEY"),
            secret.line(token) if token in secret else None,
        )
        return _signed(plain, keys, settings, self._timing.now)


def with_login(plain: Endpoint, secret: Secret) -> Endpoint:
    """Returns `plain` with a token, or with username and password.

    Raises Unavailable if the Secret has neither, and no authority.
    """
    if "token" in secret:
        return _bearer(plain, secret.line("token"))
    if "username" in secret or "password" in secret:
        user, password = secret.text("username"), secret.text("password")
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        return replace(plain, headers=headers, secrets=(password, pair))
    if CA not in secret:
        text = f"Secret {secret.name}: needs token, username and password, or ca.crt"
        faulty = FaultyObject("Secret", secret.name, "", ObjectProblem.MISSING_KEY)
        raise Unavailable(text, faulty=faulty)
    return plain


def _headers(plain: Endpoint, secret: Secret, names: list[SecretHeader]) -> Endpoint:
    """Raises Unavailable."""
    headers = {header.name: secret.line(header.key) for header in names}
    return replace(plain, headers=headers, secrets=tuple(headers.values()))


def _bearer(plain: Endpoint, token: str, refused: Callable[[int], None] | None = None) -> Endpoint:
    headers = {"Authorization": f"Bearer {token}"}
    return replace(plain, headers=headers, secrets=(token,), refused=refused)


def _signed(
    plain: Endpoint,
    keys: AwsKeys,
    settings: SigV4,
    now: Callable[[], float],
    refused: Callable[[int], None] | None = None,
) -> Endpoint:
    hidden = tuple(x for x in (keys.secret_access_key, keys.session_token) if x)
    signer = SigV4Signer(keys, settings.region, settings.service, now)
    return replace(plain, signer=signer, secrets=hidden, refused=refused)


def _digest(*parts: str) -> str:
    """Returns a digest of secrets, so that a key does not contain them."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
