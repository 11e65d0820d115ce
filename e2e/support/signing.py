"""Models that are signed as users sign them: keys by OpenSSL, signatures by `model_signing`."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import paths
from support.images import ROOT

#: An environment with OpenSSF's library, its command, and `cryptography`.
ENVIRONMENT = ROOT / ".venv-signing"
PYTHON = ENVIRONMENT / "bin" / "python"
SIGN = str(PYTHON.with_name("model_signing"))


@dataclass(frozen=True)
class KeyPair:
    """The files of a pair of keys."""

    private: Path
    public: Path

    @property
    def fingerprint(self) -> str:
        """What `sha256sum` prints for the public key."""
        return f"sha256:{hashlib.sha256(self.public.read_bytes()).hexdigest()}"


def make_environment() -> None:
    """Installs the locked library, unless it is installed already."""
    with paths.locked(ROOT / ".venv-signing.lock"):
        subprocess.run(["make", "-s", f"{ENVIRONMENT.name}/.ready"], cwd=ROOT, check=True)


def key_pair(folder: Path, name: str, curve: str = "prime256v1") -> KeyPair:
    """Makes an ECDSA key, as docs/guides/signatures.md describes."""
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}.pub")
    make = ["openssl", "ecparam", "-name", curve, "-genkey", "-noout", "-out", str(pair.private)]
    publish = ["openssl", "ec", "-in", str(pair.private), "-pubout", "-out", str(pair.public)]
    for command in (make, publish):
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    return pair


def sign(model: Path, key: KeyPair, *options: str, signature: str = "model.sig") -> None:
    """Signs a folder by the command of OpenSSF's library, into a file of the folder."""
    command = [SIGN, "sign", "key", str(model), "--private_key", str(key.private)]
    target = ["--signature", str(model / signature)]
    subprocess.run([*command, *target, *options], check=True, capture_output=True, timeout=60)


def library_accepts(model: Path, key: KeyPair, signature: str = "model.sig") -> bool:
    """Whether OpenSSF's own verification accepts the folder."""
    command = [SIGN, "verify", "key", str(model), "--public_key", str(key.public)]
    done = subprocess.run(
        [*command, "--signature", str(model / signature)], capture_output=True, timeout=60
    )
    return done.returncode == 0


@dataclass(frozen=True)
class Issued:
    """A certificate, its private key, and the certificate and key of the authority above it."""

    certificate: Path
    private: Path
    authority: Path
    authority_key: Path

    @property
    def fingerprint(self) -> str:
        """The digest of its public key, as of a key without a certificate."""
        words = ["openssl", "x509", "-in", str(self.certificate), "-noout", "-pubkey"]
        done = subprocess.run(words, check=True, capture_output=True, timeout=30)
        return f"sha256:{hashlib.sha256(done.stdout).hexdigest()}"


#: Extensions of a certificate that signs, without its name, and of an authority.
SIGNS = ("keyUsage=critical,digitalSignature", "extendedKeyUsage=codeSigning")
AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")


def authority(folder: Path, name: str) -> Issued:
    """Makes an authority that has signed itself."""
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    if not certificate.exists():
        _openssl("req", "-x509", *_request(name, private, *AUTHORITY), "-days", "3650",
                 "-out", str(certificate))  # fmt: skip
    return Issued(certificate, private, certificate, private)


def issue(
    folder: Path,
    name: str,
    above: Issued,
    *extensions: str,
    days: str = "90",
    curve: str = "ec_paramgen_curve:prime256v1",
) -> Issued:
    """Makes a certificate with `extensions`, issued by the authority `above`."""
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    request = folder / f"{name}.csr"
    _openssl("req", *_request(name, private, *extensions, curve=curve), "-out", str(request))
    _openssl("x509", "-req", "-in", str(request), "-CA", str(above.certificate),
             "-CAkey", str(above.private), "-days", days, "-copy_extensions", "copy",
             "-out", str(certificate))  # fmt: skip
    return Issued(certificate, private, above.certificate, above.private)


def sign_with_certificate(model: Path, signer: Issued, *above: Path) -> None:
    """Signs a folder with a certificate, and stores those `above` it in the signature too."""
    words = ["--private_key", str(signer.private), "--signing_certificate", str(signer.certificate)]
    chain = [word for path in above for word in ("--certificate_chain", str(path))]
    command = [SIGN, "sign", "certificate", str(model), *words, *chain]
    target = ["--signature", str(model / "model.sig")]
    subprocess.run([*command, *target], check=True, capture_output=True, timeout=60)


def library_accepts_certificate(model: Path, authority: Path) -> bool:
    """Whether OpenSSF's own verification accepts the folder."""
    command = [SIGN, "verify", "certificate", str(model), "--certificate_chain", str(authority)]
    done = subprocess.run(
        [*command, "--signature", str(model / "model.sig")], capture_output=True, timeout=60
    )
    return done.returncode == 0


def _request(
    name: str, private: Path, *extensions: str, curve: str = "ec_paramgen_curve:prime256v1"
) -> list[str]:
    added = [word for extension in extensions for word in ("-addext", extension)]
    key = ["-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", str(private)]
    return [*key, "-subj", f"/CN={name}", *added]


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)
