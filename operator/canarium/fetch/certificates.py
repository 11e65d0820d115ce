"""Certificates that may sign models: `spec.model.verify.certificateIdentity`.

A signature contains the certificate of its signer and those above it. An authority of the spec has
to be the root of that chain, and the certificate has to name the identity of the spec. OpenSSF's
library verifies the chain alone, so that it accepts every certificate of an authority.

Nothing proves when a signature was made, so a chain has to be valid when its first certificate
became so, as in the library: a model stays verified after the certificate has expired.

Constraints of an authority apply to names of one kind, so the identity is compared with names of
its kind alone: an authority that may only issue for some DNS names can write each of the others
into a URI or an e-mail address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from canarium.fetch.public_keys import CURVES, PublicKey, read_blocks, unusable
from canarium.fetch.signer import Signer, base64_of, invalid, member
from canarium.untrusted.quoting import quoted

FIELD = "spec.model.verify.certificateAuthorities"
#: Certificates in a signature, bytes of each, and authorities between a certificate and its root.
_MOST, _LARGEST, _DEEPEST = 10, 64 << 10, 8
#: What the library raises for a certificate with a malformed or unknown part.
_UNREADABLE = (
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)
#: Extended key usages of certificates that sign models, or that issue those.
_SIGNING = frozenset({ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
#: Kinds of names that an identity can be, and what messages call them.
_KINDS: Mapping[type[x509.GeneralName], str] = {
    x509.RFC822Name: "e-mail address",
    x509.UniformResourceIdentifier: "URI",
    x509.DNSName: "DNS name",
}


@dataclass(frozen=True, slots=True)
class CertificateTrust:
    """Authorities, of which one has to vouch for the certificate of `identity`."""

    authorities: tuple[x509.Certificate, ...]
    identity: str

    def signer(self, material: Mapping[str, Any], signature: bytes, content: bytes) -> Signer:
        """Returns who signed `content`. Raises FetchError unless the certificate in `material` is
        one of the identity, is trusted, and has signed it."""
        first, rest = _chain(material)
        self._trusted(first, rest)
        names, wanted = _names(first), (_kind(self.identity), self.identity)
        if wanted not in names:
            known = ", ".join(_described(*name, 100) for name in names) or "none"
            raise invalid(
                f"the certificate of the signature is for {known}, not for "
                f"{_described(*wanted, 200)} (spec.model.verify.certificateIdentity)"
            )
        _for_signing(first)
        key = _key(first)
        if not key.has_signed(signature, content):
            raise invalid("the signature is not one of the certificate in it")
        return Signer(key.fingerprint, self.identity)

    def _trusted(self, first: x509.Certificate, rest: list[x509.Certificate]) -> None:
        try:
            authority = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
                x509.KeyUsage, verification.Criticality.AGNOSTIC, _authority_usage
            )
            # The defaults ask authorities for clientAuth, which a client verifier is for.
            authority = authority.may_be_present(
                x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _authority_purpose
            )
            policy = verification.PolicyBuilder().store(verification.Store(self.authorities))
            policy = policy.time(first.not_valid_before_utc.replace(tzinfo=None))
            policy = policy.max_chain_depth(_DEEPEST).extension_policies(
                ca_policy=authority, ee_policy=verification.ExtensionPolicy.permit_all()
            )
            policy.build_client_verifier().verify(first, rest)
        except (verification.VerificationError, *_UNREADABLE) as error:
            text = f"no authority in {FIELD} vouches for the certificate of the signature"
            raise invalid(f"{text}: {quoted(error, 200)}") from error


def read_authorities(path: Path, identity: str) -> CertificateTrust:
    """Returns the certificates in a PEM file. Raises FetchError, which names the field."""
    certificates = []
    for number, (kind, pem) in enumerate(read_blocks(path, FIELD, "CERTIFICATE"), 1):
        if kind != "CERTIFICATE":
            raise unusable(FIELD, f"has a {kind.lower()} (block {number}): set certificates alone")
        try:
            certificates.append(x509.load_pem_x509_certificate(pem))
        except _UNREADABLE as error:
            raise unusable(FIELD, f"has no valid certificate (block {number})") from error
    return CertificateTrust(tuple(certificates), identity)


def _chain(material: Mapping[str, Any]) -> tuple[x509.Certificate, list[x509.Certificate]]:
    if "certificate" in material:
        raise invalid("the signature was made with a Sigstore identity; only certificates that an "
                      f"authority in {FIELD} has issued are supported")  # fmt: skip
    chain = material.get("x509CertificateChain")
    if chain is None:
        raise invalid("the signature was made with a key; spec.model.verify.certificateIdentity "
                      "requires one made with a certificate")  # fmt: skip
    entries = member(chain, "certificates", list)
    if not 0 < len(entries) <= _MOST:
        raise invalid(f"the signature has {len(entries)} certificates instead of 1 to {_MOST}")
    certificates = []
    for entry in entries:
        content = base64_of(member(entry, "rawBytes", str), "certificate")
        try:
            if len(content) > _LARGEST:
                raise ValueError("too large")
            certificates.append(x509.load_der_x509_certificate(content))
        except _UNREADABLE as error:
            raise invalid("the signature has a certificate that cannot be read") from error
    return certificates[0], certificates[1:]


def _names(certificate: x509.Certificate) -> list[tuple[str, str]]:
    """Returns the e-mail addresses, URIs and DNS names of a certificate, each with its kind."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    except _UNREADABLE as error:
        text = "the certificate of the signature has extensions that cannot be read"
        raise invalid(text) from error
    known = ((_KINDS.get(type(name)), name.value) for name in extension.value)
    return [(kind, str(value)) for kind, value in known if kind]


def _kind(identity: str) -> str:
    """Returns the kind of name that `identity` is, by its form."""
    if "://" in identity:
        return _KINDS[x509.UniformResourceIdentifier]
    return _KINDS[x509.RFC822Name if "@" in identity else x509.DNSName]


def _described(kind: str, name: str, longest: int) -> str:
    return f"{kind} {quoted(name, longest)}"


def _for_signing(certificate: x509.Certificate) -> None:
    """Raises FetchError for a certificate that is not for signatures, and for that of an authority.

    Stricter than OpenSSF's library, which accepts digitalSignature beside any extended key usage,
    and so the certificates of web servers.
    """
    extensions = certificate.extensions
    kinds = {type(extension.value): extension.value for extension in extensions}
    constraints = kinds.get(x509.BasicConstraints)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise invalid("the certificate of the signature is that of an authority")
    usage, extended = kinds.get(x509.KeyUsage), kinds.get(x509.ExtendedKeyUsage)
    purposes = extended if isinstance(extended, x509.ExtendedKeyUsage) else None
    if purposes is not None and _SIGNING.isdisjoint(purposes):
        raise invalid("the certificate of the signature is not for signatures: its extended key "
                      "usage has neither codeSigning nor anyExtendedKeyUsage")  # fmt: skip
    signs = isinstance(usage, x509.KeyUsage) and usage.digital_signature
    codes = purposes is not None and ExtendedKeyUsageOID.CODE_SIGNING in purposes
    if not signs and not codes:
        raise invalid("the certificate of the signature is not for signatures: its key usage has "
                      "no digitalSignature, and its extended one no codeSigning")  # fmt: skip


def _key(certificate: x509.Certificate) -> PublicKey:
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise invalid("the certificate of the signature has a key that cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise invalid("the certificate of the signature has a key of a kind that is not supported: "
                      "use ECDSA on the curves P-256, P-384 or P-521")  # fmt: skip
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(key, hashlib.sha256(pem).hexdigest())


def _authority_usage(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    # Authorities without this extension are common.
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("one of the certificates is not for signing certificates")


def _authority_purpose(
    policy: verification.Policy,
    certificate: x509.Certificate,
    purposes: x509.ExtendedKeyUsage | None,
) -> None:
    if purposes is not None and _SIGNING.isdisjoint(purposes):
        raise ValueError("one of the certificates is not for issuing certificates that sign code")
