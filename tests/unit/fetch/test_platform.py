"""What a platform configures for every fetch: a proxy, and its own certificate authorities."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher
from fetch.test_private_stores import URIS, authority

__all__ = ["authority"]

#: Resolves nowhere: a request arrives only through the proxy.
STORE = "http://store.invalid"
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
SECRETS = {"az": AZURE, "s3": {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "long-secret"}}


class Proxy(BaseHTTPRequestHandler):
    """A forward proxy before a web server with one file; other stores find nothing."""

    asked: list[str]

    def do_HEAD(self) -> None:
        type(self).asked.append(self.path)
        found = self.path == f"{STORE}/model.bin"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "7" if found else "0")
        self.end_headers()
        if found and self.command == "GET":
            self.wfile.write(b"weights")

    do_GET = do_HEAD

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("scheme", ["http", "s3", "oci", "gs", "az", "hf", "mlflow"])
def test_every_store_is_reached_through_the_proxy(
    fetcher: Fetcher, serve: Callable[[Any], str], scheme: str
) -> None:
    proxy = type("Server", (Proxy,), {"asked": []})
    around = {"HTTP_PROXY": serve(proxy), "http_proxy": serve(proxy)}
    uris = {**URIS, "http": f"{STORE}/model.bin", "mlflow": "mlflow://fraud/1"}
    done = fetcher.run(
        uris[scheme], "--endpoint", STORE, secret=SECRETS.get(scheme, {}), around=around
    )
    assert proxy.asked, done.output
    assert {url.split("/")[2] for url in proxy.asked} == {"store.invalid"}
    if scheme == "http":
        assert done.code == 0, done.output
        assert fetcher.files() == {"model.bin": b"weights"}


@pytest.mark.parametrize("scheme", URIS)
def test_authority_of_the_platform_is_trusted(
    fetcher: Fetcher, authority: tuple[str, str], tmp_path: Path, scheme: str
) -> None:
    url, certificate = authority
    path = tmp_path / "ca.crt"
    path.write_text(certificate)
    done = fetcher.run(
        URIS[scheme].format(url=url), "--endpoint", url, "--ca", str(path),
        secret=SECRETS.get(scheme, {}),
    )  # fmt: skip
    assert done.reason != "UntrustedCertificate", done.output
    assert "certificate" not in done.output.lower()
    if scheme == "https":
        assert fetcher.files() == {"model.bin": b"weights"}


def test_bundle_without_a_certificate_is_reported(fetcher: Fetcher, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_text("not one")
    done = fetcher.run("https://127.0.0.1:1/m", "--ca", str(path))
    assert (done.code, done.reason) == (10, "InvalidCredentials"), done.output
    assert "the platform's CA bundle is not a certificate" in done.report["message"]
