"""Credentials for a registry, from the Secret that the fetcher uses as well."""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canarium.api.oci import DockerLogin, LoginMissing, chosen_login, docker_logins
from canarium.api.reasons import SpecReason
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import parsed_object
from canarium.untrusted.quoting import quoted

#: Maximum bytes of certificates, and of a Docker configuration, in base64.
_LONGEST_CA, _LONGEST_CONFIG = 64 << 10, 256 << 10
#: Maximum bytes of the platform's certificates; those of all public authorities have 220 KiB.
_LONGEST_BUNDLE = 512 << 10
_CA, _DOCKER = "ca.crt", ".dockerconfigjson"
#: Scheme → key of a token that is sent as it is.
_TOKENS = {"mlflow": "MLFLOW_TRACKING_TOKEN", "hf": "HF_TOKEN"}
#: Scheme → keys of a user and a password.
_LOGINS = {
    "mlflow": ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
    "oci": ("username", "password"),
}


@dataclass(frozen=True, slots=True)
class ServerLogin:
    """What a Secret has for a registry: a token, or user and password, or those of several
    repositories, and certificates."""

    token: str | None = field(default=None, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    docker: tuple[DockerLogin, ...] = field(default=(), repr=False)
    certificates: str | None = field(default=None, repr=False)

    def of_repository(self, secret: str | None, host: str, repository: str) -> ServerLogin:
        """Returns what is for one repository of `host`. Raises Unresolved."""
        if not self.docker:
            return self
        try:
            return replace(self, login=chosen_login(self.docker, host, repository), docker=())
        except LoginMissing as error:
            raise _unusable(secret or "", quoted(error, 300)) from error

    @property
    def headers(self) -> Mapping[str, str]:
        """The header that proves who asks; {} without credentials."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Basic {self._pair}"} if self.login else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message."""
        if self.token:
            return (self.token,)
        return (self.login[1], self._pair) if self.login else ()

    @property
    def _pair(self) -> str:
        return base64.b64encode(":".join(self.login or ()).encode()).decode()


async def login(api: Api, namespace: str, secret: str, scheme: str, host: str = "") -> ServerLogin:
    """Returns the credentials in `secret` for a registry of `scheme`; `host` is that of the URI,
    under which a Docker configuration lists them. Raises Unresolved.

    A Secret for mlflow:// without keys of a tracking server has only those of its store.
    """
    try:
        raw = await api.get(resources.SECRETS, namespace, secret)
    except ApiError as error:
        raise _unusable(secret, error.message or error.reason) from error
    stored = raw.get("data") or {}
    for key, longest in ((_CA, _LONGEST_CA), (_DOCKER, _LONGEST_CONFIG)):
        if len(stored.get(key, "")) > longest:
            raise _unusable(secret, f"{key} is larger than {longest >> 10} KiB")
    token, keys = _TOKENS.get(scheme), _LOGINS.get(scheme, ())
    used = (_CA, *((token,) if token else ()), *keys, *((_DOCKER,) if scheme == "oci" else ()))
    try:
        data = {key: base64.b64decode(stored[key]).decode() for key in used if key in stored}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unusable(secret, "its content cannot be read") from error
    certificates = data.get(_CA)
    if token in data:
        return ServerLogin(token=data[token].strip(), certificates=certificates)
    if _DOCKER in data:
        logins = _docker(data[_DOCKER], host, secret)
        return ServerLogin(docker=logins, certificates=certificates)
    if keys and all(key in data for key in keys):
        user, password = (data[key].strip() for key in keys)
        return ServerLogin(login=(user, password), certificates=certificates)
    if scheme != "mlflow" and not certificates:
        known = ", ".join(key for key in used if key != _CA)
        raise _unusable(secret, f"it has none of the keys that {scheme}:// reads: {known}")
    return ServerLogin(certificates=certificates)


async def authorities(api: Api, namespace: str, name: str, key: str) -> ServerLogin:
    """Returns the certificates in `key` of a ConfigMap, as a login without credentials.

    Raises Unresolved.
    """
    what = f"ConfigMap/{name}"
    try:
        raw = await api.get(resources.CONFIG_MAPS, namespace, name)
    except ApiError as error:
        text = f"{what}: {error.message or error.reason}"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text) from error
    content = (raw.get("data") or {}).get(key)
    if not isinstance(content, str) or len(content) > _LONGEST_BUNDLE:
        wrong = f"is larger than {_LONGEST_BUNDLE >> 10} KiB" if content else "is missing"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, f"{what}: its key {key} {wrong}")
    # Namespaces with the same content share its memory.
    return ServerLogin(certificates=sys.intern(content))


def _docker(text: str, host: str, secret: str) -> tuple[DockerLogin, ...]:
    config = parsed_object(text.encode())
    if config is None:
        raise _unusable(secret, f"{_DOCKER} is not a JSON object")
    try:
        return docker_logins(config, host)
    except LoginMissing as error:
        raise _unusable(secret, quoted(error, 300)) from error


def _unusable(secret: str, why: str) -> Unresolved:
    return Unresolved(SpecReason.SOURCE_ACCESS_DENIED, f"Secret/{secret}: {why}")
