"""Who signed a model, by the keys or certificates of a spec, and how their bundle is read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from canarium.fetch.errors import FetchError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signer:
    """The fingerprint of the key that signed, and the identity in its certificate."""

    key: str
    identity: str | None = None


class Trust(Protocol):
    """What a spec trusts: keys, or an identity and authorities."""

    def signer(self, material: Mapping[str, Any], signature: bytes, content: bytes) -> Signer:
        """Returns who signed `content`; `material` is what the bundle has to verify that with.

        Raises FetchError unless the spec trusts the signer.
        """
        ...


def member(holder: object, name: str, kind: type[T]) -> T:
    """Returns the member `name` of a JSON object. Raises FetchError if it is not of `kind`."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        raise invalid(f"the signature has no valid field {name!r}")
    return value


def base64_of(text: str, what: str) -> bytes:
    """Returns the content of `text`. Raises FetchError, in which `what` names it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"the {what} in the signature file is not valid base64") from error


def invalid(text: str) -> FetchError:
    """Returns the error for a signature that does not verify."""
    return FetchError("SignatureInvalid", text)
