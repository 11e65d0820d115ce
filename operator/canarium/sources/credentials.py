"""Credentials for a tracking server, from the Secret that the fetcher uses as well."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from canarium.api.reasons import SpecReason
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.sources.errors import Unresolved

#: Maximum bytes of certificates in base64.
_LONGEST_CA = 64 << 10
_TOKEN, _CA = "MLFLOW_TRACKING_TOKEN", "ca.crt"
_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@dataclass(frozen=True, slots=True)
class ServerLogin:
    """What a Secret has for a tracking server: headers, the secrets in them, and certificates."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    certificates: str | None = field(default=None, repr=False)


async def login(api: Api, namespace: str, secret: str) -> ServerLogin:
    """Returns the credentials in `secret`. Raises Unresolved.

    A Secret without keys of a tracking server has only those of its store.
    """
    try:
        raw = await api.get(resources.SECRETS, namespace, secret)
    except ApiError as error:
        text = f"Secret/{secret}: {error.message or error.reason}"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
    stored = raw.get("data") or {}
    if len(stored.get(_CA, "")) > _LONGEST_CA:
        text = f"Secret/{secret}: {_CA} is larger than {_LONGEST_CA >> 10} KiB"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
    try:
        used = (_TOKEN, *_LOGIN, _CA)
        data = {key: base64.b64decode(stored[key]).decode() for key in used if key in stored}
    except (binascii.Error, UnicodeDecodeError) as error:
        text = f"Secret/{secret}: its content cannot be read"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
    certificates = data.get(_CA)
    if _TOKEN in data:
        token = data[_TOKEN].strip()
        return ServerLogin({"Authorization": f"Bearer {token}"}, (token,), certificates)
    if all(key in data for key in _LOGIN):
        user, password = (data[key].strip() for key in _LOGIN)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return ServerLogin({"Authorization": f"Basic {pair}"}, (password, pair), certificates)
    return ServerLogin(certificates=certificates)
