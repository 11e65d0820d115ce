"""The certificates and keys of a sandbox, made by the openssl command."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the sandbox's own below `folder`, and what it has signed."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    def make(self) -> None:
        """Makes the authority unless it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.certificate.exists():
            return
        extensions = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n"
        config = self._config("ca", f"{extensions}subjectKeyIdentifier = hash\n")
        unsigned = self.folder / "ca.unsigned"
        _openssl(
            "req", "-x509", *_CURVE, "-days", _DAYS, "-subj", "/CN=sandbox-ca",
            "-config", config, "-extensions", "extensions", "-keyout", self.key, "-out", unsigned,
        )  # fmt: skip
        unsigned.replace(self.certificate)

    def serving(self, name: str, addresses: Sequence[str], names: Sequence[str]) -> None:
        """Makes `<name>.crt` and `.key` for a server at the IP addresses and DNS names."""
        alternatives = [f"IP:{a}" for a in addresses] + [f"DNS:{n}" for n in names]
        self._sign(name, f"/CN={name}", "serverAuth", f"subjectAltName = {','.join(alternatives)}")

    def client(self, name: str, subject: str) -> None:
        """Makes `<name>.crt` and `.key` for a client, such as `/O=system:masters/CN=me`."""
        self._sign(name, subject, "clientAuth", "")

    def signing_key(self, name: str) -> Path:
        """Makes the private key `<name>.key` unless it is there."""
        path = self.folder / f"{name}.key"
        if not path.exists():
            _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        return path

    def pair(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of what was signed as `name`."""
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _sign(self, name: str, subject: str, usage: str, more: str) -> None:
        certificate, key = self.pair(name)
        if certificate.exists():
            return
        config = self._config(
            name,
            "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n"
            f"extendedKeyUsage = {usage}\nsubjectKeyIdentifier = hash\n"
            f"authorityKeyIdentifier = keyid\n{more}\n",
        )
        request, unfinished = self.folder / f"{name}.csr", self.folder / f"{name}.unsigned"
        _openssl(
            "req", "-new", *_CURVE, "-subj", subject, "-config", config,
            "-keyout", key, "-out", request,
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", _DAYS, "-extfile", config, "-extensions", "extensions",
            "-out", unfinished,
        )  # fmt: skip
        unfinished.replace(certificate)

    def _config(self, name: str, extensions: str) -> Path:
        path = self.folder / f"{name}.cnf"
        path.write_text(
            "[req]\ndistinguished_name = subject\nprompt = no\n[subject]\n"
            f"[extensions]\n{extensions}"
        )
        return path


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *(str(word) for word in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
