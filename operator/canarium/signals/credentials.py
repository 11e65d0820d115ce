"""Reads Secrets and ConfigMaps of the model's namespace; no other namespace can be named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from canarium.api.reasons import CheckReason
from canarium.api.smoke_tests import ConfigMapKey
from canarium.core.evidence.faulty_object import FaultyObject, ObjectProblem
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError

CA = "ca.crt"
#: Maximum bytes of certificates in base64.
_LONGEST_CA = 64 << 10


class Unavailable(Exception):
    """A Secret, a ConfigMap or a token cannot be used; the message names it, never its content."""

    reason = CheckReason.INVALID_CREDENTIALS

    def __init__(
        self,
        text: str,
        reason: CheckReason | None = None,
        *,
        faulty: FaultyObject | None = None,
    ) -> None:
        super().__init__(text)
        self.faulty = faulty
        if reason is not None:
            self.reason = reason


class NoContent(Unavailable):
    """A ConfigMap does not have the named key."""

    reason = CheckReason.INVALID_CONFIG_MAP


@dataclass(frozen=True, slots=True)
class Secret:
    """The content of a Secret, in base64. Every error names the key and what is wrong with it."""

    name: str
    data: Mapping[str, str] = field(repr=False)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str) -> str:
        """Returns the value of `key`. Raises Unavailable if it is missing or not text."""
        if key not in self.data:
            text = f"Secret {self.name} has no key {key}"
            raise Unavailable(text, faulty=self._faulty(key, ObjectProblem.MISSING_KEY))
        try:
            return base64.b64decode(self.data[key]).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            faulty = self._faulty(key, ObjectProblem.NOT_TEXT)
            text = f"Secret {self.name}: the value of {key} is not text"
            raise Unavailable(text, faulty=faulty) from error

    def line(self, key: str) -> str:
        """Returns the value of `key` without surrounding space. Raises Unavailable if a header
        cannot contain it."""
        value = self.text(key).strip()
        if not value:
            text = f"Secret {self.name}: the value of {key} is empty"
            raise Unavailable(text, faulty=self._faulty(key, ObjectProblem.EMPTY))
        if not value.isprintable() or not value.isascii():
            text = f"Secret {self.name}: the value of {key} is not one line of printable characters"
            raise Unavailable(text, faulty=self._faulty(key, ObjectProblem.NOT_ONE_LINE))
        return value

    def authority(self) -> str | None:
        """Returns the certificates in `ca.crt`, which may be invalid; None without this key.

        Raises Unavailable.
        """
        if CA not in self.data:
            return None
        if len(self.data[CA]) > _LONGEST_CA:
            text = f"Secret {self.name}: {CA} has more than {_LONGEST_CA >> 10} KiB"
            raise Unavailable(text, faulty=self._faulty(CA, ObjectProblem.TOO_LONG))
        return self.text(CA)

    def not_a_certificate(self) -> Unavailable:
        """Returns the error for an invalid `ca.crt`."""
        text = f"Secret {self.name}: {CA} is not a certificate in PEM"
        return Unavailable(text, faulty=self._faulty(CA, ObjectProblem.NOT_A_CERTIFICATE))

    def _faulty(self, key: str, problem: ObjectProblem) -> FaultyObject:
        return FaultyObject("Secret", self.name, key, problem)


async def secret(api: Api, namespace: str, name: str) -> Secret:
    """Returns a Secret. Raises Unavailable."""
    try:
        raw = await api.get(resources.SECRETS, namespace, name)
    except ApiError as error:
        text = f"Secret {name}: {error.detail(resources.SECRETS, name)}"
        raise Unavailable(text, faulty=_unread("Secret", name, error)) from error
    return Secret(name, raw.get("data") or {})


async def text(api: Api, namespace: str, source: ConfigMapKey) -> str:
    """Returns the content of a ConfigMap's key. Raises NoContent."""
    try:
        raw = await api.get(resources.CONFIG_MAPS, namespace, source.name)
    except ApiError as error:
        message = f"ConfigMap {source.name}: {error.detail(resources.CONFIG_MAPS, source.name)}"
        raise NoContent(message, faulty=_unread("ConfigMap", source.name, error)) from error
    content: str | None = (raw.get("data") or {}).get(source.key)
    if content is None:
        faulty = FaultyObject("ConfigMap", source.name, source.key, ObjectProblem.MISSING_KEY)
        raise NoContent(f"ConfigMap {source.name} has no key {source.key}", faulty=faulty)
    return content


def _unread(kind: str, name: str, error: ApiError) -> FaultyObject:
    problem = ObjectProblem.NOT_FOUND if error.status == 404 else ObjectProblem.UNREADABLE
    return FaultyObject(kind, name, "", problem)
