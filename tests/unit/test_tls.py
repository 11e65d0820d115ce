"""Certificates without key identifiers and key usage, as those of many clusters and companies.

Python 3.13 refuses them by default. Here every version is as strict.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3.util.ssl_
from kubernetes.aio.client import Configuration

from canarium.kube.trust import Trust
from canarium.signals import authorities
from canarium.tls import relax_libraries
from canarium_dashboard import api

_CONFIGURATION = """[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = none
authorityKeyIdentifier = none
[server]
subjectAltName = DNS:localhost
subjectKeyIdentifier = none
authorityKeyIdentifier = none
"""
_NEW = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates and keys of an authority and of a server: `authority.crt`, `server.key`."""
    made = tmp_path_factory.mktemp("certificates")
    (made / "config").write_text(_CONFIGURATION)
    issuer = ("-CA", "authority.crt", "-CAkey", "authority.key")
    for name, options in {"authority": (), "server": issuer}.items():
        subprocess.run(
            ["openssl", "req", *_NEW, "-config", "config", "-extensions", name, *options,
             "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"],
            cwd=made, check=True, capture_output=True,
        )  # fmt: skip
    return made


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ssl.create_default_context

    def create(*arguments: object, **options: object) -> ssl.SSLContext:
        context = original(*arguments, **options)  # type: ignore[arg-type]
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create)


def of_the_api_server(path: Path) -> ssl.SSLContext:
    configuration = Configuration()
    configuration.ssl_ca_cert = str(path)
    return Trust(configuration, lambda: 0.0).context


TRUSTS: dict[str, Callable[[Path], ssl.SSLContext]] = {
    "API server": of_the_api_server,
    "API server of the dashboard": api.trusting,
    "authority of a user": lambda path: authorities.trusting(path.read_text()),
}


def handshake(client: ssl.SSLContext, folder: Path, name: str) -> None:
    """Connects the client with a server in memory. Raises ssl.SSLError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    assert sides == []


def test_certificate_is_one_that_strict_verification_refuses(folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "authority.crt"))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, folder, "localhost")


@pytest.mark.parametrize("trust", TRUSTS.values(), ids=TRUSTS)
def test_authority_without_formalities_is_accepted(
    trust: Callable[[Path], ssl.SSLContext], folder: Path
) -> None:
    handshake(trust(folder / "authority.crt"), folder, "localhost")


@pytest.mark.parametrize("trust", TRUSTS.values(), ids=TRUSTS)
def test_names_are_verified_nevertheless(
    trust: Callable[[Path], ssl.SSLContext], folder: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(trust(folder / "authority.crt"), folder, "other")


def of_urllib3() -> ssl.SSLContext:
    return urllib3.util.ssl_.create_urllib3_context()


@pytest.mark.parametrize("library", ["Python", "urllib3"])
def test_libraries_accept_the_authority_once_they_are_relaxed(
    library: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = urllib3.util.ssl_
    # Both are put back after the test, which also sees what Python 3.13 does.
    monkeypatch.setattr(ssl, "create_default_context", ssl.create_default_context)
    monkeypatch.setattr(module, "VERIFY_X509_STRICT", module.VERIFY_X509_STRICT)
    monkeypatch.setattr(module, "sys", SimpleNamespace(**vars(sys) | {"version_info": (3, 13)}))

    def connect() -> None:
        context = of_urllib3() if library == "urllib3" else ssl.create_default_context()
        context.load_verify_locations(folder / "authority.crt")
        handshake(context, folder, "localhost")

    with pytest.raises(ssl.SSLCertVerificationError):
        connect()
    relax_libraries()
    connect()
