"""Public keys that signatures of models are verified with: `spec.model.verify.key`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from canarium.fetch.errors import FetchError

FIELD = "spec.model.verify.key"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
#: A ConfigMap has 1 MiB at most; each key is tried on a signature that names none.
_LARGEST, _MOST = 1 << 20, 32
#: Curve → hash, as OpenSSF model signing combines them.
_HASHES: dict[str, hashes.HashAlgorithm] = {
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
            self.key.verify(signature, content, ec.ECDSA(_HASHES[self.key.curve.name]))
        except InvalidSignature:
            return False
        return True


def read_keys(path: Path) -> list[PublicKey]:
    """Returns the keys of a PEM file, of which each may have signed: one, or several while keys are
    rotated, several. Raises FetchError, which names the field, if any of them cannot be used."""
    try:
        with path.open("rb") as source:
            content = source.read(_LARGEST + 1)
    except OSError as error:
        raise _unusable(f"cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise _unusable("is larger than 1 MiB")
    blocks = list(_BLOCK.finditer(content))
    rest = _BLOCK.sub(b"", content)
    if not blocks or b"-----BEGIN" in rest:
        raise _unusable("is not in PEM format (-----BEGIN PUBLIC KEY-----)")
    if len(blocks) > _MOST:
        raise _unusable(f"has {len(blocks)} keys; at most {_MOST} are supported")
    return [_key(block[0], block[1].decode(), n) for n, block in enumerate(blocks, 1)]


def _key(pem: bytes, kind: str, number: int) -> PublicKey:
    if "PRIVATE KEY" in kind:
        raise _unusable(f"has a private key (block {number}): set the public key, and replace this "
                        "pair of keys if others can read it")  # fmt: skip
    if kind == "CERTIFICATE":
        raise _unusable(f"has a certificate (block {number}): set its public key instead")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(f"has no valid public key (block {number}, {kind})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "of another kind"
        raise _unusable(
            f"has a key (block {number}) that is {name}; supported are ECDSA keys on the curves "
            "P-256, P-384 and P-521"
        )
    canonical = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(key, hashlib.sha256(canonical).hexdigest())


def _unusable(text: str) -> FetchError:
    return FetchError("InvalidVerificationKey", f"{FIELD} {text}")
