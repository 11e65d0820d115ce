"""Reads Secrets and ConfigMaps of the model's namespace; no other namespace can be named."""

from __future__ import annotations

import base64
import binascii
import ssl

from canarium.api.analysis import Authentication
from canarium.api.reasons import CheckReason
from canarium.api.smoke_tests import ConfigMapKey
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.signals.prometheus import Endpoint

#: Maximum bytes of certificates in base64: they are parsed at every measurement.
_LONGEST_CA = 64 << 10


class Unavailable(Exception):
    """A Secret or ConfigMap cannot be used; the message names it, never its content."""

    reason = CheckReason.INVALID_CREDENTIALS


class NoContent(Unavailable):
    """A ConfigMap does not have the named key."""

    reason = CheckReason.INVALID_CONFIG_MAP


async def endpoint(
    api: Api, namespace: str, url: str, authentication: Authentication | None, patience: float
) -> Endpoint:
    """Returns `url` with the credentials of the Secret of `authentication`. Raises Unavailable."""
    if authentication is None:
        return Endpoint(url, patience=patience)
    name = authentication.secret_name
    try:
        raw = await api.get(resources.SECRETS, namespace, name)
    except ApiError as error:
        raise Unavailable(f"Secret {name}: {error.message or error.reason}") from error
    if len((raw.get("data") or {}).get("ca.crt", "")) > _LONGEST_CA:
        raise Unavailable(f"Secret {name}: ca.crt has more than {_LONGEST_CA >> 10} KiB")
    try:
        data = {k: base64.b64decode(v).decode() for k, v in (raw.get("data") or {}).items()}
        tls = ssl.create_default_context(cadata=data["ca.crt"]) if "ca.crt" in data else None
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        raise Unavailable(f"Secret {name}: its content cannot be read") from error
    headers = {}
    secrets: tuple[str, ...] = ()
    if "token" in data:
        secrets = (data["token"].strip(),)
        headers["Authorization"] = f"Bearer {secrets[0]}"
    elif "username" in data and "password" in data:
        pair = base64.b64encode(f"{data['username']}:{data['password']}".encode()).decode()
        secrets = (data["password"], pair)
        headers["Authorization"] = f"Basic {pair}"
    elif tls is None:
        raise Unavailable(f"Secret {name}: needs token, username and password, or ca.crt")
    return Endpoint(url, patience, headers, tls, secrets)


async def text(api: Api, namespace: str, source: ConfigMapKey) -> str:
    """Returns the content of a ConfigMap's key. Raises NoContent."""
    try:
        raw = await api.get(resources.CONFIG_MAPS, namespace, source.name)
    except ApiError as error:
        raise NoContent(f"ConfigMap {source.name}: {error.message or error.reason}") from error
    content: str | None = (raw.get("data") or {}).get(source.key)
    if content is None:
        raise NoContent(f"ConfigMap {source.name} has no key {source.key}")
    return content
