"""Public keys that signatures of models are verified with: `spec.model.verify.key`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from canarium.fetch.errors import FetchError
from canarium.fetch.signer import Signer, invalid
from canarium.untrusted.quoting import quoted

FIELD = "spec.model.verify.key"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
#: A ConfigMap has 1 MiB at most; each key is tried on a signature that names none.
_LARGEST, _MOST = 1 << 20, 32
#: Curve → hash, as OpenSSF model signing combines them.
CURVES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An ECDSA key. `fingerprint` is the SHA-256 of its PEM file as `openssl` writes it, in hex:
    signatures name their key by it."""

    key: ec.EllipticCurvePublicKey
    fingerprint: str

    def has_signed(self, signature: bytes, content: bytes) -> bool:
        """Returns whether `signature` is one of this key over `content`."""
        try:
            self.key.verify(signature, content, ec.ECDSA(CURVES[self.key.curve.name]))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeyTrust:
    """Keys, of which one has to have signed."""

    keys: tuple[PublicKey, ...]

    def signer(self, material: Mapping[str, Any], signature: bytes, content: bytes) -> Signer:
        """Returns which key signed `content`. Raises FetchError unless one of them did."""
        if "certificate" in material or "x509CertificateChain" in material:
            text = f"the signature was made with a certificate, and {FIELD} requires one made with "
            raise invalid(f"{text}a key; set spec.model.verify.certificateIdentity instead")
        public = material.get("publicKey")
        hint = public.get("hint") if isinstance(public, dict) else None
        named = [key for key in self.keys if not hint or key.fingerprint == hint]
        known = ", ".join(f"sha256:{key.fingerprint}" for key in self.keys)
        if not named:
            raise invalid(f"the model is signed by the key sha256:{quoted(hint, 64)}, and {FIELD} "
                          f"has {known}")  # fmt: skip
        for key in named:
            if key.has_signed(signature, content):
                return Signer(key.fingerprint)
        raise invalid(f"the signature is not one of the keys in {FIELD}: {known}")


def read_keys(path: Path) -> KeyTrust:
    """Returns the keys of a PEM file, of which each may have signed: one, or several while keys are
    rotated, several. Raises FetchError, which names the field, if any of them cannot be used."""
    blocks = read_blocks(path, FIELD, "PUBLIC KEY")
    return KeyTrust(tuple(_key(pem, kind, n) for n, (kind, pem) in enumerate(blocks, 1)))


def read_blocks(path: Path, field: str, kind: str) -> list[tuple[str, bytes]]:
    """Returns kind and text of each block of a PEM file; `field` of the spec has it, and should
    have blocks of `kind`. Raises FetchError."""
    try:
        with path.open("rb") as source:
            content = source.read(_LARGEST + 1)
    except OSError as error:
        raise unusable(field, f"cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise unusable(field, "is larger than 1 MiB")
    blocks = list(_BLOCK.finditer(content))
    rest = _BLOCK.sub(b"", content)
    if not blocks or b"-----BEGIN" in rest:
        raise unusable(field, f"is not in PEM format (-----BEGIN {kind}-----)")
    if len(blocks) > _MOST:
        what = "keys" if kind == "PUBLIC KEY" else "certificates"
        raise unusable(field, f"has {len(blocks)} {what}; at most {_MOST} are supported")
    return [(block[1].decode(), block[0]) for block in blocks]


def _key(pem: bytes, kind: str, number: int) -> PublicKey:
    if "PRIVATE KEY" in kind:
        text = f"has a private key (block {number}): set the public key, and replace this pair of "
        raise unusable(FIELD, f"{text}keys if others can read it")
    if kind == "CERTIFICATE":
        text = f"has a certificate (block {number}): set its public key instead, or set "
        raise unusable(FIELD, f"{text}certificateIdentity and certificateAuthorities")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise unusable(FIELD, f"has no valid public key (block {number}, {kind})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "of another kind"
        raise unusable(
            FIELD,
            f"has a key (block {number}) that is {name}; supported are ECDSA keys on the curves "
            "P-256, P-384 and P-521",
        )
    canonical = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(key, hashlib.sha256(canonical).hexdigest())


def unusable(field: str, text: str) -> FetchError:
    """Returns the error for a `field` of the spec without keys or certificates to verify with."""
    return FetchError("InvalidVerificationKey", f"{field} {text}")
