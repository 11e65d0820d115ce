"""Signatures in the format of OpenSSF model signing 1.0, made with a key (decision 0046).

The file is a Sigstore bundle (JSON) around a DSSE envelope. Its payload is an in-toto statement
with the digest of each file. The payload is not parsed before its signature is verified.

Format: https://github.com/sigstore/model-transparency, https://github.com/secure-systems-lab/dsse.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from canarium.fetch.errors import FetchError
from canarium.fetch.public_keys import FIELD, PublicKey
from canarium.untrusted.quoting import quoted

#: About 15,000 files. Parsing a hostile file of this size takes less than 150 MB.
_LARGEST = 4 << 20
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_HEX = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """What a key has signed. `digest` is that of the statement: the SHA-256 over the digests of all
    `files` (name → SHA-256 in hex); `key` is the fingerprint of the key."""

    key: str
    subject: str
    digest: str
    files: Mapping[str, str]


def read_statement(path: Path, keys: list[PublicKey]) -> SignedStatement:
    """Returns the statement that one of `keys` signed in the file at `path`. Raises FetchError."""
    bundle = _json(_content(path), "the signature")
    kind = _at(bundle, "mediaType", str)
    if kind != _BUNDLE:
        raise _invalid(f"the signature has the format {quoted(kind, 80)}, not {_BUNDLE}")
    material = _at(bundle, "verificationMaterial", dict)
    if "certificate" in material or "x509CertificateChain" in material:
        raise _invalid("the signature was made with a certificate; only signatures made with a key "
                       "are supported")  # fmt: skip
    envelope = _at(bundle, "dsseEnvelope", dict)
    payload = _base64(_at(envelope, "payload", str), "payload")
    signatures = _at(envelope, "signatures", list)
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise _invalid(f"the signature file has {len(signatures)} signatures instead of one")
    signature = _base64(_at(signatures[0], "sig", str), "signature")
    if _at(envelope, "payloadType", str) != _PAYLOAD:
        raise _invalid(f"the payload of the signature is not {_PAYLOAD}")
    public = material.get("publicKey")
    hint = public.get("hint") if isinstance(public, dict) else None
    signed = b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
    key = _signer(keys, hint, signature, signed)
    return _statement(_json(payload, "the signed statement"), key)


def _content(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise FetchError("SignatureMissing", f"{path.name!r} is not a file")
    with path.open("rb") as source:
        content = source.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise _invalid(f"the signature file is larger than {_LARGEST >> 20} MiB")
    return content


def _signer(keys: list[PublicKey], hint: object, signature: bytes, content: bytes) -> str:
    """Returns the fingerprint of the key that signed `content`."""
    named = [key for key in keys if not hint or key.fingerprint == hint]
    known = ", ".join(f"sha256:{key.fingerprint}" for key in keys)
    if not named:
        raise _invalid(f"the model is signed by the key sha256:{quoted(hint, 64)}, and {FIELD} has "
                       f"{known}")  # fmt: skip
    for key in named:
        if key.has_signed(signature, content):
            return key.fingerprint
    raise _invalid(f"the signature is not one of the keys in {FIELD}: {known}")


def _statement(statement: Mapping[str, Any], key: str) -> SignedStatement:
    if _at(statement, "_type", str) != _STATEMENT:
        raise _invalid(f"the signed statement is not of type {_STATEMENT}")
    if _at(statement, "predicateType", str) != _PREDICATE:
        raise _invalid(f"the signed statement is not of type {_PREDICATE}")
    subjects = _at(statement, "subject", list)
    if len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise _invalid(f"the signed statement has {len(subjects)} subjects instead of one")
    predicate = _at(statement, "predicate", dict)
    method = _at(_at(predicate, "serialization", dict), "method", str)
    if method != "files":
        raise _invalid(f"the signature covers {quoted(method, 40)}, not whole files")
    files: dict[str, str] = {}
    whole = hashlib.sha256()
    for resource in _at(predicate, "resources", list):
        name = _at(resource, "name", str)
        algorithm, digest = _at(resource, "algorithm", str), _at(resource, "digest", str)
        if algorithm != "sha256" or not _HEX.fullmatch(digest):
            raise _invalid(f"the signature has a digest by {quoted(algorithm, 40)}, not by sha256")
        if name in files:
            raise _invalid(f"the signed statement lists {quoted(name, 100)!r} twice")
        files[name] = digest
        whole.update(bytes.fromhex(digest))
    subject = subjects[0]
    if _at(_at(subject, "digest", dict), "sha256", str) != whole.hexdigest():
        raise _invalid("the digest of the signed statement does not match the files that it lists")
    name = quoted(_at(subject, "name", str), 100)
    return SignedStatement(f"sha256:{key}", name, f"sha256:{whole.hexdigest()}", files)


def _json(content: bytes, what: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{what} is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise _invalid(f"{what} is not a JSON object")
    return parsed


def _at(holder: object, name: str, kind: type[T]) -> T:
    """Returns the member `name` of a JSON object. Raises FetchError if it is not of `kind`."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        raise _invalid(f"the signature has no valid field {name!r}")
    return value


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"the {what} in the signature file is not valid base64") from error


def _invalid(text: str) -> FetchError:
    return FetchError("SignatureInvalid", text)
