"""Stores with access control: private registries, private certificate authorities, and the
identity that a platform gives a pod by its service account."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

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
def test_private_registry_requires_the_right_password(
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


def test_token_that_expires_during_a_pull_is_renewed(fetcher: Fetcher, private: Start) -> None:
    url, door = private(kind="bearer", until=4)
    secret = {"username": "me", "password": "hunter22"}
    uri = f"oci://{url.removeprefix('http://')}/m:1"
    done = fetcher.run(uri, "--endpoint", url, secret=secret)
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.bin": CONTENT}
    assert len(door.tokens) >= 2


@contextmanager
def secured(folder: Path, handler: Any) -> Iterator[tuple[str, str]]:
    """An HTTPS server whose certificate is its own authority; its URL and the certificate."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", certificate.read_text()
        server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A secured server of plain files."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "root").mkdir()
    (folder / "root" / "model.bin").write_bytes(b"weights")

    class Folder(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder / "root"))

        def log_message(self, *_: Any) -> None:
            pass

    with secured(folder, Folder) as server:
        yield server


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
def test_private_authority_is_trusted_from_the_secret(
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


def test_invalid_authority_is_reported(fetcher: Fetcher) -> None:
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
    # Keys of a role begin so; and no request was sent without them.
    asked = [one for one in said if "/identity/m" in one["url"]]
    assert asked
    assert all("Credential=ASIA" in str(one["headers"].get("Authorization")) for one in asked)
    assert "a-projected-token" not in done.output


class Google(BaseHTTPRequestHandler):
    """The metadata server of a node, and a bucket that lets its token in; both answer in JSON."""

    shown: ClassVar[list[str | None]] = []
    answers: ClassVar[dict[str, Any]] = {
        "/computeMetadata/v1/instance/service-accounts/default/token": {
            "access_token": "a-pods-token", "expires_in": 3600, "token_type": "Bearer",
        },
        "/computeMetadata/v1/instance/service-accounts/default/": {
            "email": "reader@project.example", "scopes": [], "aliases": ["default"],
        },
        "/computeMetadata/v1/project/project-id": "project",
        "/storage/v1/b/models/o/MLmodel": {
            "name": "MLmodel", "bucket": "models", "size": "7", "generation": "1",
            "updated": "2026-01-01T00:00:00Z", "timeCreated": "2026-01-01T00:00:00Z",
        },
        "/download/storage/v1/b/models/o/MLmodel": "weights",
    }  # fmt: skip

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        found = self.answers.get(path, {} if path == "/" else None)
        if "/storage/" in path:
            self.shown.append(self.headers.get("Authorization"))
        body = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Metadata-Flavor", "Google")
        plain = isinstance(found, str)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_google_metadata_server_is_the_identity_of_a_pod(
    fetcher: Fetcher, serve: Callable[[Any], str], tmp_path: Path
) -> None:
    host = serve(Google).removeprefix("http://")
    around = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "NO_GCE_CHECK": "false"}
    with secured(tmp_path, Google) as (url, certificate):
        secret = {"ca.crt": certificate}
        done = fetcher.run("gs://models/MLmodel", "--endpoint", url, secret=secret, around=around)
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": b"weights"}
    assert set(Google.shown) == {"Bearer a-pods-token"}
    assert "a-pods-token" not in done.output


class Microsoft(BaseHTTPRequestHandler):
    """Who changes a pod's token for one of Azure, and a container that lets that in."""

    protocol_version = "HTTP/1.1"
    changed: ClassVar[list[str]] = []
    shown: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.changed.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        token = {"access_token": "an-azure-token", "expires_in": 3600, "token_type": "Bearer"}
        self.answer(json.dumps(token).encode(), "application/json")

    def do_GET(self) -> None:
        self.shown.append(self.headers.get("Authorization"))
        if "comp=list" in self.path:
            blob = (
                "<Blob><Name>MLmodel</Name><Properties><Content-Length>7</Content-Length>"
                "<Etag>1</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>"
            )
            text = f"<EnumerationResults><Blobs>{blob}</Blobs><NextMarker/></EnumerationResults>"
            self.answer(text.encode(), "application/xml")
        else:
            self.answer(b"weights", "application/octet-stream")

    do_HEAD = do_GET

    def answer(self, body: bytes, kind: str) -> None:
        ranged = "x-ms-range" in self.headers
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("x-ms-blob-type", "BlockBlob")
        if ranged:
            self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_azure_webhook_is_the_identity_of_a_pod(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-projected-token")
    with secured(tmp_path, Microsoft) as (url, certificate):
        around = {
            "AZURE_CLIENT_ID": "reader",
            "AZURE_TENANT_ID": "tenant",
            "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
            "AZURE_AUTHORITY_HOST": url,
        }
        secret = {"AZURE_STORAGE_ACCOUNT_NAME": "fraud", "ca.crt": certificate}
        done = fetcher.run("az://models/MLmodel", "--endpoint", url, secret=secret, around=around)
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": b"weights"}
    assert any("client_assertion=a-projected-token" in form for form in Microsoft.changed)
    assert set(Microsoft.shown) == {"Bearer an-azure-token"}
    for token in ("a-projected-token", "an-azure-token"):
        assert token not in done.output
