"""Credentials for a tracking server, from the Secret that the fetcher uses as well."""

from __future__ import annotations

import base64
import binascii
import ssl

from canarium.api.reasons import SpecReason
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.signals.endpoint import Endpoint
from canarium.sources.errors import Unresolved

#: Seconds until an answer has to be complete.
_PATIENCE = 10.0
#: Maximum bytes of certificates in base64: they are parsed for every request.
_LONGEST_CA = 64 << 10
_TOKEN, _CA = "MLFLOW_TRACKING_TOKEN", "ca.crt"
_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


async def endpoint(api: Api, namespace: str, url: str, secret: str | None) -> Endpoint:
    """Returns `url` with the credentials of `secret`. Raises Unresolved.

    A Secret without keys of a tracking server has only those of its store.
    """
    if secret is None:
        return Endpoint(url, _PATIENCE)
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
        tls = ssl.create_default_context() if _CA in data else None
        if tls:
            tls.load_verify_locations(cadata=data[_CA])
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        text = f"Secret/{secret}: its content cannot be read"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
    if _TOKEN in data:
        token = data[_TOKEN].strip()
        return Endpoint(url, _PATIENCE, {"Authorization": f"Bearer {token}"}, tls, (token,))
    if all(key in data for key in _LOGIN):
        user, password = (data[key].strip() for key in _LOGIN)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        return Endpoint(url, _PATIENCE, headers, tls, (password, pair))
    return Endpoint(url, _PATIENCE, tls=tls)
