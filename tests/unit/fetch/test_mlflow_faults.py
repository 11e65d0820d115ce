"""Faults of a tracking server: refusals, strange answers, and an alias that moves meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from fetch.conftest import Fetcher

Serve = Callable[[Any], str]
FILES = {"1": b"one", "2": b"two"}


class Tracking(BaseHTTPRequestHandler):
    """The model `fraud` with two versions, whose alias moves to the next one at each request.

    `away` answers are 503, `asks` is the Authorization it wants, `page` an answer to all requests,
    `files` what every folder lists.
    """

    away = looks = 0
    asks = ""
    page: tuple[int, bytes] | None = None
    status = "READY"
    files: ClassVar[list[dict[str, Any]]] = [{"path": "MLmodel", "is_dir": False, "file_size": "3"}]
    store = "mlflow-artifacts:/1/{version}"

    def do_GET(self) -> None:
        cls, parts = type(self), urlsplit(self.path)
        path = parts.path.removeprefix("/proxy/api/2.0/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if cls.page:
            self.say(*cls.page)
        elif cls.away:
            cls.away -= 1
            self.say(503, b"upstream is away")
        elif cls.asks and self.headers.get("Authorization") != cls.asks:
            self.say(403, {"error_code": "PERMISSION_DENIED", "message": "not for you"})
        elif path.endswith("registered-models/alias"):
            cls.looks += 1
            number = str(cls.looks)
            version = {"name": "fraud", "version": number, "status": cls.status, "run_id": "r"}
            self.say(200, {"model_version": version})
        elif path.endswith("get-download-uri"):
            self.say(200, {"artifact_uri": cls.store.format(version=query["version"])})
        elif path == "mlflow-artifacts/artifacts":
            self.say(200, {"files": cls.files})
        else:
            self.say(200, FILES[path.split("/")[3]])

    def say(self, code: int, found: Any) -> None:
        content = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def tracking(**facts: Any) -> Any:
    return type("Server", (Tracking,), facts)


def fetched(fetcher: Fetcher, serve: Serve, server: Any, **secret: str) -> Any:
    """Fetches fraud@champion from `server`, which is at a path of its address."""
    endpoint = ("--endpoint", f"{serve(server)}/proxy/")
    return fetcher.run("mlflow://fraud@champion", *endpoint, secret=secret)


def test_alias_is_resolved_once_per_fetch(fetcher: Fetcher, serve: Serve) -> None:
    server = tracking(away=1)
    done = fetched(fetcher, serve, server)
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": b"one"}
    assert server.looks == 1
    assert "upstream is away" in done.output


@pytest.mark.parametrize(
    ("wanted", "secret"),
    [
        ("Bearer a-token", {"MLFLOW_TRACKING_TOKEN": "a-token"}),
        (
            f"Basic {base64.b64encode(b'me:hunter22').decode()}",
            {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "hunter22"},
        ),
    ],
)
def test_credentials_are_shown_to_the_server_only(
    fetcher: Fetcher, serve: Serve, wanted: str, secret: dict[str, str]
) -> None:
    server = tracking(asks=wanted)
    wrong = {key: f"{value}-wrong" for key, value in secret.items()}
    for shown in ({}, wrong):
        done = fetched(fetcher, serve, server, **shown)
        assert (done.code, done.reason) == (10, "AccessDenied"), done.output
        assert "not for you" in done.report["message"]
        assert "-wrong" not in done.output + str(done.report)
    assert fetched(fetcher, serve, server, **secret).code == 0


def test_password_without_a_user_is_refused(fetcher: Fetcher, serve: Serve) -> None:
    done = fetched(fetcher, serve, tracking(), MLFLOW_TRACKING_PASSWORD="hunter22")
    assert (done.code, done.reason) == (10, "InvalidCredentials"), done.output


@pytest.mark.parametrize(
    ("facts", "code", "reason", "words"),
    [
        ({"away": 99}, 11, "SourceUnavailable", "upstream is away"),
        ({"page": (200, b"<h1>Sign in</h1>")}, 11, "SourceUnavailable", "spec.model.endpoint"),
        ({"page": (404, b"nginx")}, 10, "NotFound", "spec.model.endpoint"),
        ({"page": (200, b"{" * (17 << 20))}, 11, "SourceUnavailable", "larger than 16 MiB"),
        ({"page": (200, b"{}")}, 10, "NotFound", "names no version"),
        ({"status": "PENDING_REGISTRATION"}, 11, "SourceUnavailable", "being registered"),
        ({"status": "FAILED_REGISTRATION"}, 10, "NotFound", "FAILED_REGISTRATION"),
        ({"files": []}, 10, "NotFound", "has no files"),
        ({"files": [{"path": "../up", "file_size": 1}]}, 10, "UnsafePath", "../up"),
        ({"files": [{"path": "a/b", "file_size": 1}]}, 10, "UnsafePath", "a/b"),
        ({"files": [{"path": "again", "is_dir": True}]}, 10, "UnsafePath", "too long"),
        ({"store": "mlflow-artifacts://other/1"}, 10, "InvalidUri", "served by other"),
        ({"store": "dbfs:/models/1"}, 10, "InvalidUri", "--artifacts-destination"),
        ({"store": "s3://bucket/../1"}, 10, "InvalidUri", "must not contain"),
    ],
)
def test_fault_of_the_server_has_a_reason(
    fetcher: Fetcher, serve: Serve, facts: dict[str, Any], code: int, reason: str, words: str
) -> None:
    done = fetched(fetcher, serve, tracking(**facts))
    assert (done.code, done.reason) == (code, reason), done.output
    assert words in done.report["message"]


def test_tracking_server_that_is_not_named_or_not_there(fetcher: Fetcher) -> None:
    done = fetcher.run("mlflow://fraud/1")
    assert (done.code, done.reason) == (10, "InvalidUri"), done.output
    assert "spec.model.endpoint" in done.report["message"]
    done = fetcher.run("mlflow://fraud/1", "--endpoint", "http://127.0.0.1:1")
    assert (done.code, done.reason) == (11, "SourceUnavailable"), done.output
