"""Fetching from Google Cloud Storage and Azure Blob Storage, against their emulators."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import PYTHON, Fetcher
from fetch.emulators import ACCOUNT, KEY, azure, gcs, put_gcs
from sandbox.ports import free_ports

TREE = {"MLmodel": b"flavor: sklearn\n", "data/model.bin": b"\x00\x01" * 5_000_000}
PEM = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs(tmp_path_factory.mktemp("gcs")) as url:
        for name, content in TREE.items():
            put_gcs(url, f"fraud/7/{name}", content)
        put_gcs(url, "fraud/77/other", b"not of this model")
        yield url


@pytest.mark.parametrize("slash", ["", "/"])
def test_tree_is_fetched_from_google(fetcher: Fetcher, google: str, slash: str) -> None:
    done = fetcher.run(f"gs://models/fraud/7{slash}", "--endpoint", google)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE


def test_file_is_fetched_from_google_and_a_missing_object_is_named(
    fetcher: Fetcher, google: str
) -> None:
    done = fetcher.run("gs://models/fraud/7/MLmodel", "--endpoint", google)
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": TREE["MLmodel"]}
    none = fetcher.run("gs://models/none", "--endpoint", google)
    assert (none.code, none.reason) == (10, "NotFound"), none.output


@pytest.mark.parametrize("expired", [False, True])
def test_service_accounts_key_is_changed_for_a_token(
    fetcher: Fetcher, google: str, serve: Callable[[Any], str], expired: bool
) -> None:
    class Tokens(BaseHTTPRequestHandler):
        asked = 0

        def do_POST(self) -> None:
            type(self).asked += 1
            good = {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}
            bad = {"error": "invalid_grant", "error_description": "account key expired"}
            body = json.dumps(bad if expired else good).encode()
            self.send_response(400 if expired else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    key = {
        "type": "service_account",
        "client_email": "reader@project.example",
        "private_key": subprocess.check_output(PEM, text=True, stderr=subprocess.DEVNULL),
        "token_uri": f"{serve(Tokens)}/token",
    }
    secret = {"service-account.json": json.dumps(key)}
    done = fetcher.run("gs://models/fraud/7/MLmodel", "--endpoint", google, secret=secret)
    assert Tokens.asked
    if expired:
        assert (done.code, done.reason) == (10, "CredentialsExpired"), done.output
        assert "account key expired" in done.report["message"]
    else:
        assert done.code == 0, done.output
    assert "PRIVATE KEY" not in done.output


def test_google_permission_error_is_reported(fetcher: Fetcher, serve: Callable[[Any], str]) -> None:
    class Forbidding(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403, "reader lacks storage.objects.get")

        def log_message(self, *_: Any) -> None:
            pass

    done = fetcher.run("gs://models/fraud/7", "--endpoint", serve(Forbidding))
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output


@pytest.mark.parametrize("scheme", ["gs", "az", "hf"])
def test_unavailable_cloud_is_retried_and_then_fails(fetcher: Fetcher, scheme: str) -> None:
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
    nobody = ("--endpoint", f"http://127.0.0.1:{free_ports(1)[0]}")
    done = fetcher.run(f"{scheme}://models/m", *nobody, secret=secret if scheme == "az" else {})
    assert (done.code, done.reason) == (11, "SourceUnavailable"), done.output
    # By the fetcher itself: the libraries' own tries are silent, and take minutes.
    assert "again in 0.5 s" in done.output
    assert "again in 1.0 s" in done.output


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("azure")
    for name, content in TREE.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(content)
    with azure(folder) as url:
        _in_azure(
            "c = s.create_container('models')\n"
            "p = s.create_container('public', public_access='container')\n"
            "p.upload_blob('fraud/MLmodel', b'x')\n"
            f"root = pathlib.Path({str(folder / 'tree')!r})\n"
            "for p in root.rglob('*'):\n"
            "    if p.is_file():\n"
            "        c.upload_blob(f'fraud/7/{p.relative_to(root)}', p.read_bytes())\n",
            url,
        )
        yield url


def _in_azure(code: str, url: str) -> str:
    """Runs `code` where Azure's own library is; `s` is a client of the account."""
    begin = "import datetime, pathlib, sys\nfrom azure.storage.blob import *\n"
    proof = {"account_name": ACCOUNT, "account_key": KEY}
    begin += f"s = BlobServiceClient({url!r}, credential={proof!r})\n"
    return subprocess.check_output([PYTHON, "-c", begin + code], text=True).strip()


def _sas(url: str, ends: datetime) -> str:
    may = "ResourceTypes(container=True, object=True), AccountSasPermissions(read=True, list=True)"
    when = f"datetime.datetime.fromisoformat({ends.isoformat()!r})"
    return _in_azure(f"print(generate_account_sas({ACCOUNT!r}, {KEY!r}, {may}, {when}))", url)


@pytest.mark.parametrize("slash", ["", "/"])
def test_tree_is_fetched_from_azure(fetcher: Fetcher, microsoft: str, slash: str) -> None:
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}
    done = fetcher.run(f"az://models/fraud/7{slash}", "--endpoint", microsoft, secret=secret)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE
    none = fetcher.run("az://models/none", "--endpoint", microsoft, secret=secret)
    assert (none.code, none.reason) == (10, "NotFound"), none.output


#: Nothing on this machine may be asked who we are.
NOBODY = {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}


def test_public_container_is_read_without_any_identity(fetcher: Fetcher, microsoft: str) -> None:
    account = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT}
    options = ("--endpoint", microsoft)
    done = fetcher.run("az://public/fraud", *options, secret=account, around=NOBODY)
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": b"x"}
    closed = fetcher.run("az://models/fraud/7", *options, secret=account, around=NOBODY)
    assert closed.code == 10, closed.output
    assert closed.reason in ("AccessDenied", "NotFound"), closed.output


def test_refused_identity_does_not_become_anonymous(fetcher: Fetcher, microsoft: str) -> None:
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT}
    around = {**NOBODY, "AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token"}
    done = fetcher.run("az://public/fraud", secret=secret, around=around)
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output


def test_connection_string_is_sufficient(fetcher: Fetcher, microsoft: str) -> None:
    text = f"BlobEndpoint={microsoft};AccountName={ACCOUNT};AccountKey={KEY}"
    secret = {"AZURE_STORAGE_CONNECTION_STRING": text}
    done = fetcher.run("az://models/fraud/7/MLmodel", secret=secret)
    assert done.code == 0, done.output
    assert KEY not in done.output


def test_shared_access_signature_serves_until_it_has_expired(
    fetcher: Fetcher, microsoft: str
) -> None:
    now = datetime.now(UTC)
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT}
    good = secret | {"AZURE_STORAGE_SAS_TOKEN": _sas(microsoft, now + timedelta(hours=1))}
    old = secret | {"AZURE_STORAGE_SAS_TOKEN": _sas(microsoft, now - timedelta(hours=1))}
    options = ("az://models/fraud/7/MLmodel", "--endpoint", microsoft)
    late = fetcher.run(*options, secret=old)
    assert (late.code, late.reason) == (10, "AccessDenied"), late.output
    done = fetcher.run(*options, secret=good)
    assert done.code == 0, done.output
    assert "sig=" not in done.output + late.output


def test_account_without_a_name_reports_which_key_is_missing(fetcher: Fetcher) -> None:
    done = fetcher.run("az://models/fraud/7")
    assert done.reason == "InvalidCredentials"
    assert "AZURE_STORAGE_ACCOUNT_NAME" in done.report["message"]


def test_wrong_key_of_an_account_is_refused_and_never_printed(
    fetcher: Fetcher, microsoft: str, tmp_path: Path
) -> None:
    wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmc="
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": wrong}
    done = fetcher.run("az://models/fraud/7", "--endpoint", microsoft, secret=secret)
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output
    assert wrong not in done.output
