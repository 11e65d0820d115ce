"""Models signed with certificates: which authority vouches, for whom, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher, Outcome
from fetch.signatures.conftest import Serve, bundle, refused
from fetch.test_web import folder
from support.signing import (
    AUTHORITY,
    SIGNS,
    Issued,
    KeyPair,
    authority,
    issue,
    library_accepts_certificate,
    sign_with_certificate,
)

# Slow because of OpenSSF's command: a second of CPU time for each signature.
pytestmark = [pytest.mark.rule("R7"), pytest.mark.slow]
IDENTITY = "release@example.com"
NAMED = (*SIGNS, f"subjectAltName=email:{IDENTITY}")


@pytest.fixture(scope="module")
def root(keys: Path) -> Issued:
    return authority(keys, "root")


@pytest.fixture(scope="module")
def stranger(keys: Path) -> Issued:
    return authority(keys, "stranger")


@pytest.fixture(scope="module")
def release(keys: Path, root: Issued) -> Issued:
    """The certificate that the spec asks for."""
    return issue(keys, "release-certificate", root, *NAMED)


Verify = Callable[..., Outcome]


@pytest.fixture
def verify(fetcher: Fetcher, serve: Serve, model: Path) -> Verify:
    """Fetches the model, as signed by `identity` with a certificate of `authorities`."""

    def run(authorities: Path, identity: str = IDENTITY) -> Outcome:
        options = (f"--authorities={authorities}", f"--identity={identity}")
        return fetcher.run(f"{serve(folder(model.parent))}/fraud/", *options)

    return run


def test_certificate_of_an_authority_is_accepted_and_its_identity_is_reported(
    verify: Verify, model: Path, root: Issued, release: Issued
) -> None:
    sign_with_certificate(model, release, root.certificate)
    done = verify(root.certificate)
    assert done.code == 0, done.output
    statement = json.loads(base64.b64decode(bundle(model)["dsseEnvelope"]["payload"]))
    assert done.report["signature"] == {
        "key": release.fingerprint,
        "identity": IDENTITY,
        "subject": "fraud",
        "digest": f"sha256:{statement['subject'][0]['digest']['sha256']}",
    }
    assert library_accepts_certificate(model, root.certificate)


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("URI:https://ci.example.com/fraud", ()),
        ("DNS:ci.example.com", ("extendedKeyUsage=codeSigning",)),
        ("DNS:ci.example.com", ("extendedKeyUsage=critical,anyExtendedKeyUsage",)),
    ],
)
def test_intermediate_authority_and_other_names_are_accepted(
    verify: Verify,
    model: Path,
    keys: Path,
    root: Issued,
    stranger: Issued,
    name: str,
    purpose: tuple[str, ...],
) -> None:
    """The authority between is in the signature alone, and one of two authorities is the root."""
    middle = issue(keys, "middle", root, *AUTHORITY, *purpose)
    leaf = issue(keys, "leaf", middle, *SIGNS, f"subjectAltName={name},email:a@example.com",
                 curve="ec_paramgen_curve:secp384r1")  # fmt: skip
    sign_with_certificate(model, leaf, middle.certificate)
    both = keys / "both.pem"
    both.write_bytes(stranger.certificate.read_bytes() + root.certificate.read_bytes())
    identity = name.partition(":")[2]
    done = verify(both, identity)
    assert done.code == 0, done.output
    assert done.report["signature"]["identity"] == identity
    assert library_accepts_certificate(model, root.certificate)


def test_expired_certificate_stays_accepted_as_by_the_library(
    verify: Verify, model: Path, keys: Path, root: Issued
) -> None:
    """Pods of a serving version start at any time; what revokes is the spec."""
    old = issue(keys, "old", root, *NAMED, days="0")
    sign_with_certificate(model, old, root.certificate)
    assert library_accepts_certificate(model, root.certificate)
    done = verify(root.certificate)
    assert done.code == 0, done.output


def other_identity(keys: Path, root: Issued, stranger: Issued) -> Issued:
    return issue(keys, "alice", root, *SIGNS, "subjectAltName=email:alice@example.com")


def identity_as_common_name(keys: Path, root: Issued, stranger: Issued) -> Issued:
    return issue(keys, IDENTITY, root, *SIGNS)


def other_authority(keys: Path, root: Issued, stranger: Issued) -> Issued:
    return issue(keys, "forged", stranger, *NAMED)


def not_for_signing(keys: Path, root: Issued, stranger: Issued) -> Issued:
    usage = ("keyUsage=keyAgreement", "extendedKeyUsage=serverAuth")
    return issue(keys, "server", root, *usage, f"subjectAltName=email:{IDENTITY}")


def web_server(keys: Path, root: Issued, stranger: Issued) -> Issued:
    """With the usages of a server's certificate for TLS, and the name of the spec."""
    usage = ("keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth")
    return issue(keys, "web", root, *usage, f"subjectAltName=email:{IDENTITY}")


def any_purpose_without_signatures(keys: Path, root: Issued, stranger: Issued) -> Issued:
    usage = ("keyUsage=keyAgreement", "extendedKeyUsage=anyExtendedKeyUsage")
    return issue(keys, "any", root, *usage, f"subjectAltName=email:{IDENTITY}")


def authority_of_web_servers(keys: Path, root: Issued, stranger: Issued) -> Issued:
    above = issue(keys, "web-authority", root, *AUTHORITY, "extendedKeyUsage=serverAuth")
    return issue(keys, "below-web-authority", above, *NAMED)


def below_a_certificate_that_is_no_authority(keys: Path, root: Issued, stranger: Issued) -> Issued:
    return issue(keys, "below", issue(keys, "employee", root, *NAMED), *NAMED)


def an_authority_itself(keys: Path, root: Issued, stranger: Issued) -> Issued:
    return issue(keys, "sub", root, "basicConstraints=critical,CA:TRUE",
                 "keyUsage=critical,keyCertSign,digitalSignature",
                 f"subjectAltName=email:{IDENTITY}")  # fmt: skip


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            other_identity,
            (
                "is for e-mail address alice@example.com, not for e-mail address "
                "release@example.com",
            ),
        ),
        (identity_as_common_name, ("is for none, not for",)),
        (other_authority, ("no authority in spec.model.verify.certificateAuthorities",)),
        (not_for_signing, ("is not for signatures",)),
        (web_server, ("is not for signatures: its extended key usage has neither codeSigning",)),
        (any_purpose_without_signatures, ("its key usage has no digitalSignature",)),
        (authority_of_web_servers, ("not for issuing certificates that sign code",)),
        (below_a_certificate_that_is_no_authority, ("no authority in",)),
        (an_authority_itself, ("is that of an authority",)),
    ],
)
def test_certificate_that_the_spec_does_not_trust_is_refused(
    verify: Verify,
    fetcher: Fetcher,
    model: Path,
    keys: Path,
    root: Issued,
    stranger: Issued,
    make: Callable[[Path, Issued, Issued], Issued],
    words: tuple[str, ...],
) -> None:
    signer = make(keys, root, stranger)
    sign_with_certificate(model, signer, signer.authority, root.certificate)
    refused(verify(root.certificate), fetcher, "SignatureInvalid", *words)


@pytest.mark.parametrize(
    ("name", "identity", "words"),
    [
        ("URI:ci.team-b.example.com", "ci.team-b.example.com", "for URI ci.team-b.example.com, "),
        (
            "email:ci.team-b.example.com",
            "ci.team-b.example.com",
            "for e-mail address ci.team-b.example.com, not for DNS name ci.team-b.example.com",
        ),
        ("URI:release@example.com", IDENTITY, "not for e-mail address release@example.com"),
        ("DNS:ci.team-b.example.com", "ci.team-b.example.com", "no authority in"),
    ],
)
def test_constraint_of_an_authority_is_not_bypassed_by_a_name_of_another_kind(
    verify: Verify,
    fetcher: Fetcher,
    model: Path,
    keys: Path,
    root: Issued,
    name: str,
    identity: str,
    words: str,
) -> None:
    """The authority may issue for team A alone; its constraint is one of DNS names."""
    team = issue(
        keys, "team-a", root, *AUTHORITY, "nameConstraints=permitted;DNS:team-a.example.com"
    )
    leaf = issue(keys, "team-b-leaf", team, *SIGNS, f"subjectAltName={name}")
    sign_with_certificate(model, leaf, team.certificate)
    refused(verify(root.certificate, identity), fetcher, "SignatureInvalid", words)


def test_name_that_an_authority_is_limited_to_is_accepted(
    verify: Verify, model: Path, keys: Path, root: Issued
) -> None:
    limits = "nameConstraints=critical,permitted;DNS:team-a.example.com"
    team = issue(keys, "limited", root, *AUTHORITY, limits)
    leaf = issue(keys, "limited-leaf", team, *SIGNS, "subjectAltName=DNS:ci.team-a.example.com")
    sign_with_certificate(model, leaf, team.certificate)
    done = verify(root.certificate, "ci.team-a.example.com")
    assert done.code == 0, done.output
    assert library_accepts_certificate(model, root.certificate)


def test_changed_file_or_statement_is_refused(
    verify: Verify, fetcher: Fetcher, model: Path, root: Issued, release: Issued
) -> None:
    sign_with_certificate(model, release, root.certificate)
    weights = (model / "weights").read_bytes()
    (model / "weights").write_bytes(b"x" + weights[1:])
    refused(verify(root.certificate), fetcher, "SignatureInvalid", "changed after the model")
    (model / "weights").write_bytes(weights)
    signed = bundle(model)
    payload = base64.b64decode(signed["dsseEnvelope"]["payload"]).replace(b"fraud", b"other")
    signed["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (model / "model.sig").write_text(json.dumps(signed))
    refused(verify(root.certificate), fetcher, "SignatureInvalid", "not one of the certificate")


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ({"certificate": {"rawBytes": "AA=="}}, "made with a Sigstore identity"),
        ({"publicKey": {"hint": "a"}}, "made with a key"),
        ({"x509CertificateChain": {"certificates": []}}, "0 certificates instead of 1 to 10"),
        ({"x509CertificateChain": {"certificates": [{}] * 11}}, "11 certificates"),
        ({"x509CertificateChain": []}, "no valid field 'certificates'"),
        ({"x509CertificateChain": {"certificates": [{"rawBytes": "?"}]}}, "not valid base64"),
        ({"x509CertificateChain": {"certificates": [{"rawBytes": "AAAA"}]}}, "cannot be read"),
        (
            {"x509CertificateChain": {"certificates": [{"rawBytes": "A" * 100_000}]}},
            "cannot be read",
        ),
    ],
)
def test_signature_without_a_readable_chain_is_refused(
    verify: Verify,
    fetcher: Fetcher,
    model: Path,
    root: Issued,
    material: dict[str, Any],
    words: str,
) -> None:
    """The folder is signed with a key, whose bundle gets other material."""
    signed = bundle(model)
    signed["verificationMaterial"] = material
    (model / "model.sig").write_text(json.dumps(signed))
    refused(verify(root.certificate), fetcher, "SignatureInvalid", words)


def test_signature_with_a_certificate_is_refused_where_a_key_is_required(
    fetcher: Fetcher, serve: Serve, model: Path, root: Issued, release: Issued, key: KeyPair
) -> None:
    sign_with_certificate(model, release, root.certificate)
    done = fetcher.run(f"{serve(folder(model.parent))}/fraud/", f"--key={key.public}")
    refused(done, fetcher, "SignatureInvalid", "certificateIdentity instead")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda root, key: key.public.read_bytes(), "has a public key (block 1)"),
        (lambda root, key: root.private.read_bytes(), "has a private key (block 1)"),
        (lambda root, key: b"nothing", "not in PEM format (-----BEGIN CERTIFICATE-----)"),
        (lambda root, key: root.certificate.read_bytes() * 33, "33 certificates; at most 32"),
        (
            lambda root, key: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "no valid certificate (block 1)",
        ),
    ],
)
def test_authorities_that_cannot_be_used_are_named_by_their_field(
    verify: Verify,
    fetcher: Fetcher,
    root: Issued,
    key: KeyPair,
    tmp_path: Path,
    content: Callable[[Issued, KeyPair], bytes],
    words: str,
) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(content(root, key))
    done = verify(file)
    refused(done, fetcher, "InvalidVerificationKey", words, "certificateAuthorities")


def test_identity_without_authorities_verifies_nothing_and_ends(
    fetcher: Fetcher, serve: Serve, model: Path
) -> None:
    done = fetcher.run(f"{serve(folder(model.parent))}/fraud/", f"--identity={IDENTITY}")
    assert done.code == 1
    assert "belong together" in done.output
    assert not fetcher.target.exists()
