"""Credentials from the pod's Secret, and keeping them out of every line that is printed.

The Secret's keys reach the container as environment variables with a prefix, so that no key can
change the process itself (LD_PRELOAD, PYTHONPATH), and a Secret that is missing is a plain
configuration error of the pod. Only the keys named here are read.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canarium.fetch.errors import FetchError
from canarium.tls import relax_libraries

PREFIX = "CANARIUM_CREDENTIAL_"
#: Object store → the Secret's keys that are understood.
_STORE_KEYS: dict[str, tuple[str, ...]] = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    ),
    "gs": ("service-account.json", "key.json"),
    "az": (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
    ),
}
#: The same for every scheme. A tracking server may leave reading to the store of its artifacts.
KEYS: dict[str, tuple[str, ...]] = {
    **_STORE_KEYS,
    "hf": ("HF_TOKEN",),
    "mlflow": (
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        *(key for keys in _STORE_KEYS.values() for key in keys),
    ),
    "http": ("username", "password", "token"),
    "https": ("username", "password", "token"),
    "oci": (".dockerconfigjson", "username", "password"),
}
#: A private certificate authority, for every scheme.
CA = "ca.crt"
#: Keys of a Secret, and of a key in JSON, that are not secret: their values may be in messages.
_PLAIN = frozenset(
    {
        CA,
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "MLFLOW_TRACKING_USERNAME",
        "username",
        "email",
        "type",
        "project_id",
        "client_email",
        "client_id",
        "auth_uri",
        "token_uri",
        "auth_provider_x509_cert_url",
        "client_x509_cert_url",
        "universe_domain",
    }
)
_HIDDEN = "[hidden]"
#: In mlflow://model@alias, the part before the @ is not a user.
_URL_SECRETS = re.compile(r"((?<!mlflow)://)[^/@\s]+@|(\?)[^\s'\"]+")
_SHORTEST_SECRET = 4


@dataclass(frozen=True)
class StoreCredentials:
    """Returns the options of one scheme from the keys of the Secret; `endpoint`: the store's own
    address."""

    scheme: str
    values: Mapping[str, str] = field(default_factory=dict)
    endpoint: str | None = None

    def get(self, key: str) -> str | None:
        return self.values.get(key) or None

    def both(self, first: str, second: str) -> tuple[str, str] | None:
        """Returns two keys that are only valid together. Raises FetchError if one is missing."""
        a, b = self.get(first), self.get(second)
        if bool(a) != bool(b):
            missing = second if a else first
            raise FetchError("InvalidCredentials", f"the Secret has no key {missing}")
        return (a, b) if a and b else None

    def json(self, *keys: str) -> dict[str, Any] | None:
        """Returns the first of `keys` as a JSON object. Raises FetchError if it is not one."""
        for key in keys:
            text = self.get(key)
            if text is None:
                continue
            try:
                document = json.loads(text)
            except ValueError:
                document = None
            if not isinstance(document, dict):
                raise FetchError(
                    "InvalidCredentials", f"the Secret's key {key} is not a JSON object"
                )
            return document
        return None


def read(scheme: str, environment: Mapping[str, str], endpoint: str | None) -> StoreCredentials:
    """Returns the credentials for `scheme` from the environment of the process.

    Raises FetchError when a Secret is there and has no key that the scheme supports.
    """
    provided = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    known = KEYS.get(scheme, ())
    values = {key: provided[key] for key in (*known, CA) if provided.get(key)}
    if provided and not values:
        text = f"the Secret has the keys {', '.join(sorted(provided))}, but {scheme}:// reads "
        raise FetchError("InvalidCredentials", text + (", ".join(known) or "none"))
    return StoreCredentials(scheme, values, endpoint)


def trust(credentials: StoreCredentials, folder: Path, platform: Path | None = None) -> None:
    """Makes the libraries trust the certificate authorities of the Secret and of the file
    `platform` besides the known ones; the list of all is kept in `folder`. To be called before any
    of them is imported. Raises FetchError.
    """
    provided = {f"the Secret's key {CA}": credentials.get(CA)}
    if platform:
        provided["the platform's CA bundle"] = platform.read_text()
    texts = {origin: text for origin, text in provided.items() if text is not None}
    for origin, text in texts.items():
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise FetchError("InvalidCredentials", f"{origin} is not a certificate") from error
    if not texts:
        return
    import certifi

    # An authority that was named explicitly is trusted as it is.
    relax_libraries()
    known = ssl.get_default_verify_paths().cafile or certifi.where()
    path = folder / CA
    path.write_text("\n".join([Path(known).read_text(), *texts.values(), ""]))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        os.environ[name] = str(path)


class Redactor:
    """Hides every secret value, the user in an URL, and an URL's query."""

    def __init__(self, credentials: StoreCredentials) -> None:
        redacted = {key: text for key, text in credentials.values.items() if key not in _PLAIN}
        secrets = set(redacted.values())
        for text in redacted.values():
            secrets |= set(_parts(text))
        self._secrets = sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len)[::-1]

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _URL_SECRETS.sub(lambda m: f"{m[1] or ''}{m[2] or ''}{_HIDDEN}", text)


def _parts(text: str) -> list[str]:
    """Returns the secrets in a JSON value (a service account's key, a registry's passwords) or in a
    connection string."""
    result = re.findall(r"(?:AccountKey|SharedAccessSignature)=([^;]+)", text)
    try:
        pending = [("", json.loads(text))]
    except ValueError:
        return result
    while pending:
        name, node = pending.pop()
        if isinstance(node, dict):
            pending += node.items()
        elif isinstance(node, list):
            pending += [(name, item) for item in node]
        elif isinstance(node, str) and name not in _PLAIN:
            result.append(node)
            result += _password(node) if name == "auth" else ()
    return result


def _password(text: str) -> list[str]:
    """Returns the password of a registry's `auth` entry."""
    try:
        return base64.b64decode(text, validate=True).decode().split(":", 1)[1:]
    except (binascii.Error, UnicodeDecodeError):
        return []
