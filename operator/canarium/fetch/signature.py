"""Signatures in the format of OpenSSF model signing 1.0 (decisions 0046 and 0082).

The file is a Sigstore bundle (JSON) around a DSSE envelope. Its payload is an in-toto statement
with the digest of each file. The payload is not parsed before its signature is verified.

Format: https://github.com/sigstore/model-transparency, https://github.com/secure-systems-lab/dsse.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canarium.fetch.errors import FetchError
from canarium.fetch.signer import Signer, Trust, base64_of, invalid, member
from canarium.untrusted.quoting import quoted

#: About 15,000 files. Parsing a hostile file of this size takes less than 150 MB.
_LARGEST = 4 << 20
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """What a signer has signed. `digest` is that of the statement: the SHA-256 over the digests of
    all `files` (name → SHA-256 in hex)."""

    signer: Signer
    subject: str
    digest: str
    files: Mapping[str, str]


def read_statement(path: Path, trust: Trust) -> SignedStatement:
    """Returns the statement in the file at `path` that a signer whom the spec trusts has signed.

    Raises FetchError.
    """
    bundle = _json(_content(path), "the signature")
    kind = member(bundle, "mediaType", str)
    if kind != _BUNDLE:
        raise invalid(f"the signature has the format {quoted(kind, 80)}, not {_BUNDLE}")
    material = member(bundle, "verificationMaterial", dict)
    envelope = member(bundle, "dsseEnvelope", dict)
    payload = base64_of(member(envelope, "payload", str), "payload")
    signatures = member(envelope, "signatures", list)
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise invalid(f"the signature file has {len(signatures)} signatures instead of one")
    signature = base64_of(member(signatures[0], "sig", str), "signature")
    if member(envelope, "payloadType", str) != _PAYLOAD:
        raise invalid(f"the payload of the signature is not {_PAYLOAD}")
    signed = b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
    signer = trust.signer(material, signature, signed)
    return _statement(_json(payload, "the signed statement"), signer)


def _content(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise FetchError("SignatureMissing", f"{path.name!r} is not a file")
    with path.open("rb") as source:
        content = source.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise invalid(f"the signature file is larger than {_LARGEST >> 20} MiB")
    return content


def _statement(statement: Mapping[str, Any], signer: Signer) -> SignedStatement:
    if member(statement, "_type", str) != _STATEMENT:
        raise invalid(f"the signed statement is not of type {_STATEMENT}")
    if member(statement, "predicateType", str) != _PREDICATE:
        raise invalid(f"the signed statement is not of type {_PREDICATE}")
    subjects = member(statement, "subject", list)
    if len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise invalid(f"the signed statement has {len(subjects)} subjects instead of one")
    predicate = member(statement, "predicate", dict)
    method = member(member(predicate, "serialization", dict), "method", str)
    if method != "files":
        raise invalid(f"the signature covers {quoted(method, 40)}, not whole files")
    files: dict[str, str] = {}
    whole = hashlib.sha256()
    for resource in member(predicate, "resources", list):
        name = member(resource, "name", str)
        algorithm, digest = member(resource, "algorithm", str), member(resource, "digest", str)
        if algorithm != "sha256" or not _HEX.fullmatch(digest):
            raise invalid(f"the signature has a digest by {quoted(algorithm, 40)}, not by sha256")
        if name in files:
            raise invalid(f"the signed statement lists {quoted(name, 100)!r} twice")
        files[name] = digest
        whole.update(bytes.fromhex(digest))
    subject = subjects[0]
    if member(member(subject, "digest", dict), "sha256", str) != whole.hexdigest():
        raise invalid("the digest of the signed statement does not match the files that it lists")
    name = quoted(member(subject, "name", str), 100)
    return SignedStatement(signer, name, f"sha256:{whole.hexdigest()}", files)


def _json(content: bytes, what: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{what} is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise invalid(f"{what} is not a JSON object")
    return parsed
