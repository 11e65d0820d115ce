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
