"""Stores that do not let everybody in: private registries, authorities of one's own, and the
identity that a platform gives a pod by its service account."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fetch.conftest import S3, Fetcher
from fetch.registries import TITLE, Doorman, Registry

CONTENT = b"weights" * 6_000_000


@pytest.fixture
def private(registry: Registry, serve: Callable[[Any], str]) -> Callable[..., tuple[str, Any]]:
    """Starts a doorman before a registry that has `m:1`; its URL and its class."""
    registry.push("m", "1", {"content": CONTENT, "annotations": {TITLE: "model.bin"}})

    def start(**facts: Any) -> tuple[str, Any]:
        kept = {"host": registry.host, "tokens": {}, **facts}
        door = type("Door", (Doorman,), kept)
        return serve(door), door

    return start


Start = Callable[..., tuple[str, Any]]


def pull_secret(host: str, user: str, password: str) -> dict[str, str]:
    """What `kubectl create secret docker-registry` makes."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    entry = {"username": user, "password": password, "auth": auth}
    return {".dockerconfigjson": json.dumps({"auths": {host: entry}})}


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_private_registry_is_opened_by_the_right_password_alone(
    fetcher: Fetcher, private: Start, kind: str
) -> None:
    url, door = private(kind=kind)
    host = url.removeprefix("http://")
    uri, options = f"oci://{host}/m:1", ("--endpoint", url)
    for secret in ({}, pull_secret(host, "me", "a-wrong-one")):
        done = fetcher.run(uri, *options, secret=secret)
        assert (done.code, done.reason) == (10, "AccessDenied"), done.output
        assert "a-wrong-one" not in done.output + str(done.report)
    for secret in (pull_secret(host, "me", "hunter22"), {"username": "me", "password": "hunter22"}):
        done = fetcher.run(uri, *options, secret=secret)
        assert done.code == 0, done.output
        assert fetcher.files() == {"model.bin": CONTENT}
    assert bool(door.tokens) == (kind == "bearer")


def test_a_token_that_expires_while_a_model_is_pulled_is_asked_for_anew(
    fetcher: Fetcher, private: Start
) -> None:
    url, door = private(kind="bearer", until=4)
    secret = {"username": "me", "password": "hunter22"}
    uri = f"oci://{url.removeprefix('http://')}/m:1"
    done = fetcher.run(uri, "--endpoint", url, secret=secret)
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.bin": CONTENT}
    assert len(door.tokens) >= 2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An HTTPS server whose certificate is its own authority; its URL and the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "root").mkdir()
    (folder / "root" / "model.bin").write_bytes(b"weights")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip

    class Folder(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder / "root"))

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Folder) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", certificate.read_text()
        server.shutdown()


#: Each by another library: aiohttp, botocore, requests, google's, azure's and httpx.
URIS = {
    "https": "{url}/model.bin",
    "s3": "s3://models/m",
    "oci": "oci://registry/m:1",
    "gs": "gs://models/m",
    "az": "az://models/m",
    "hf": "hf://owner/m",
}


@pytest.mark.parametrize("scheme", URIS)
def test_an_authority_of_ones_own_is_trusted_when_the_secret_has_it(
    fetcher: Fetcher, authority: tuple[str, str], scheme: str
) -> None:
    url, certificate = authority
    uri, options = URIS[scheme].format(url=url), ("--endpoint", url)
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
    secret = account if scheme == "az" else {}
    done = fetcher.run(uri, *options, secret=secret)
    assert (done.code, done.reason) == (10, "UntrustedCertificate"), done.output
    assert "ca.crt" in done.report["message"]
    done = fetcher.run(uri, *options, secret={**secret, "ca.crt": certificate})
    if scheme == "https":
        assert done.code == 0, done.output
        assert fetcher.files() == {"model.bin": b"weights"}
    else:
        # It is a server of plain files: what counts is that it was heard.
        assert done.reason not in (None, "UntrustedCertificate"), done.output
        assert "certificate" not in done.output.lower()


def test_an_authority_that_is_no_certificate_says_so(fetcher: Fetcher) -> None:
    done = fetcher.run("https://127.0.0.1:1/m", secret={"ca.crt": "not one"})
    assert (done.code, done.reason) == (10, "InvalidCredentials"), done.output


def test_without_a_secret_the_service_accounts_identity_is_used(
    fetcher: Fetcher, s3: S3, tmp_path: Path
) -> None:
    """As the platform's webhook gives it: a role, and a token in a file."""
    s3.put("identity")
    s3.put("identity/m", b"weights")
    token = tmp_path / "token"
    token.write_text("a-projected-token")
    around = {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ENDPOINT_URL_STS": s3.url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    recorder = f"{s3.url}/moto-api/recorder"
    for word in ("reset-recording", "start-recording"):
        urllib.request.urlopen(f"{recorder}/{word}", b"", timeout=10).close()
    done = fetcher.run("s3://identity/m", "--endpoint", s3.url, around=around)
    urllib.request.urlopen(f"{recorder}/stop-recording", b"", timeout=10).close()
    with urllib.request.urlopen(f"{recorder}/download-recording", timeout=10) as answer:
        said = [json.loads(line) for line in answer]
    assert done.code == 0, done.output
    form = next(one["body"] for one in said if one["method"] == "POST")
    assert b"Action=AssumeRoleWithWebIdentity" in base64.b64decode(form), said
    # Keys of a role begin so; and no request went without them.
    asked = [one for one in said if "/identity/m" in one["url"]]
    assert asked
    assert all("Credential=ASIA" in str(one["headers"].get("Authorization")) for one in asked)
    assert "a-projected-token" not in done.output
