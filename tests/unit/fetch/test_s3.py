"""Fetching from a real S3 server over HTTP, with all of its faults."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from canarium.fetch import download
from canarium.fetch.source import SourceFile
from canarium.fetch.workspace import Workspace
from fetch.conftest import KEYS, S3, Fetcher

TREE = {"MLmodel": b"flavor: sklearn\n", "data/model.bin": b"\x00\x01" * 5000, "a/b/c.txt": b""}


@pytest.fixture
def bucket(s3: S3, request: pytest.FixtureRequest) -> str:
    name = hashlib.sha1(request.node.name.encode()).hexdigest()[:20]
    s3.put(name)
    return name


def filled(s3: S3, bucket: str, tree: dict[str, bytes] = TREE) -> None:
    for name, content in tree.items():
        s3.put(f"{bucket}/fraud/7/{name}", content)


@pytest.mark.parametrize("slash", ["", "/"])
def test_tree_is_fetched_with_or_without_a_trailing_slash(
    fetcher: Fetcher, s3: S3, bucket: str, slash: str
) -> None:
    filled(s3, bucket)
    s3.put(f"{bucket}/fraud/7/", b"")  # what consoles make of "new folder"
    s3.put(f"{bucket}/fraud/77/other", b"not of this model")
    done = fetcher.run(f"s3://{bucket}/fraud/7{slash}", "--endpoint", s3.url, secret=KEYS)
    assert done.code == 0, done.output
    assert fetcher.files() == TREE
    assert done.report["files"] == 3


def test_single_file_is_fetched_alone(fetcher: Fetcher, s3: S3, bucket: str) -> None:
    s3.put(f"{bucket}/model.joblib", b"weights")
    done = fetcher.run(f"s3://{bucket}/model.joblib", "--endpoint", s3.url, secret=KEYS)
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.joblib": b"weights"}


def packed(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in TREE.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind.removeprefix('tar.')}") as archive:
            for name, content in TREE.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_archive_has_the_digest_of_the_tree_in_it(
    fetcher: Fetcher, s3: S3, bucket: str, tmp_path: Path
) -> None:
    filled(s3, bucket)
    tree = fetcher.run(f"s3://{bucket}/fraud/7", "--endpoint", s3.url, secret=KEYS)
    for kind in ("zip", "tar.gz", "tar.bz2", "tar.xz"):
        content = packed(kind)
        s3.put(f"{bucket}/model.{kind}", content)
        (tmp_path / kind).mkdir()
        other = Fetcher(tmp_path / kind)
        own = f"sha256:{hashlib.sha256(content).hexdigest()}"
        # The file's own SHA-256 is taken for `digest` as well: it is what people have at hand.
        done = other.run(
            f"s3://{bucket}/model.{kind}", "--endpoint", s3.url, "--digest", own, secret=KEYS
        )
        assert done.code == 0, done.output
        assert other.files() == TREE
        assert done.digest == tree.digest


def test_digest_of_the_spec_is_verified(fetcher: Fetcher, s3: S3, bucket: str) -> None:
    filled(s3, bucket)
    uri, options = f"s3://{bucket}/fraud/7", ("--endpoint", s3.url)
    good = fetcher.run(uri, *options, secret=KEYS).digest
    wrong = fetcher.run(uri, *options, "--digest", f"sha256:{'0' * 64}", secret=KEYS)
    assert (wrong.code, wrong.reason) == (10, "DigestMismatch")
    assert good in wrong.report["message"]
    assert fetcher.run(uri, *options, "--digest", good, secret=KEYS).code == 0


def test_bytes_swapped_under_the_same_uri_are_noticed_by_the_pin(
    fetcher: Fetcher, s3: S3, bucket: str, tmp_path: Path
) -> None:
    filled(s3, bucket)
    uri, options = f"s3://{bucket}/fraud/7", ("--endpoint", s3.url)
    pin = tmp_path / "pin"
    pin.write_text(fetcher.run(uri, *options, secret=KEYS).digest + "\n")
    s3.put(f"{bucket}/fraud/7/MLmodel", b"flavor: sklearN\n")
    (tmp_path / "second").mkdir()
    second = Fetcher(tmp_path / "second")
    done = second.run(uri, *options, "--pin", str(pin), secret=KEYS)
    assert (done.code, done.reason) == (10, "ArtifactChanged")
    assert not second.target.exists(), "nothing that was refused is left to be served"
    # The pod that has the old bytes is started again, on the disk that it had.
    assert fetcher.run(uri, *options, "--pin", str(pin), secret=KEYS).code == 0


def test_missing_object_is_reported(fetcher: Fetcher, s3: S3, bucket: str) -> None:
    done = fetcher.run(f"s3://{bucket}/nothing/here", "--endpoint", s3.url, secret=KEYS)
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    assert "spec.model.uri" in done.report["message"]


def test_wrong_credentials_are_refused_and_never_printed(fetcher: Fetcher, tmp_path: Path) -> None:
    server = S3(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="4")
    server.start()
    try:
        server.put("locked")
        server.put("locked/model.bin", b"weights")
        done = fetcher.run("s3://locked/model.bin", "--endpoint", server.url, secret=KEYS)
    finally:
        server.kill()
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output
    assert "credentials.secretName" in done.report["message"]
    for secret in KEYS.values():
        assert secret not in done.output + str(done.report)


def test_expired_credentials_are_reported(fetcher: Fetcher, serve: Callable[[Any], str]) -> None:
    """As S3 answers: 400 and not 403, and on HEAD without a word."""

    class Late(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            text = (
                "<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
            )
            body = f'<?xml version="1.0"?>{text}'.encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    secret = {**KEYS, "AWS_SESSION_TOKEN": "a-session-that-is-over"}
    done = fetcher.run("s3://models/fraud/7", "--endpoint", serve(Late), secret=secret)
    assert (done.code, done.reason) == (10, "CredentialsExpired"), done.output
    assert "renew the credentials in the Secret" in done.report["message"]


def test_half_a_secret_names_the_other_half(fetcher: Fetcher, s3: S3) -> None:
    half = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}
    done = fetcher.run("s3://b/m", "--endpoint", s3.url, secret=half)
    assert done.reason == "InvalidCredentials"
    assert "AWS_SECRET_ACCESS_KEY" in done.report["message"]


def test_secret_for_something_else_names_what_is_read(fetcher: Fetcher, s3: S3) -> None:
    done = fetcher.run("s3://b/m", "--endpoint", s3.url, secret={"password": "hunter22"})
    assert done.reason == "InvalidCredentials"
    assert "AWS_ACCESS_KEY_ID" in done.report["message"]
    assert "hunter22" not in done.output


def passing_to(s3: S3) -> Any:
    """A proxy before `s3` that notes which bytes of objects it was asked for."""

    class Passing(BaseHTTPRequestHandler):
        asked: ClassVar[list[tuple[int, int]]] = []

        def do_GET(self) -> None:
            passed = urllib.request.Request(f"{s3.url}{self.path}", method=self.command)
            for name in ("Authorization", "Range", "X-Amz-Date", "X-Amz-Content-Sha256"):
                if self.headers.get(name):
                    passed.add_header(name, self.headers[name])
            with urllib.request.urlopen(passed, timeout=30) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("connection", "server", "date"):
                        self.send_header(name, value)
                self.end_headers()
            if self.command == "GET" and self.path.split("?")[0].endswith(".bin"):
                first, _, last = (
                    self.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
                )
                self.asked.append((int(first), int(last or len(body) - 1) + 1))
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Passing


def test_download_continues_after_the_server_restarts(fetcher: Fetcher, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 96
    server = S3(tmp_path / "log")
    server.start()
    server.put("models")
    server.put("models/model.bin", content)
    process = fetcher.start(
        "s3://models/model.bin", "--endpoint", server.url, "--patience", "60", secret=KEYS
    )
    try:
        fetcher.partial_bytes()
        server.kill()
        assert fetcher.partial_bytes() < len(content), "it was killed too late for this test"
        time.sleep(1.5)
        # The restarted server is empty: it must not be asked before it has the model again.
        process.send_signal(signal.SIGSTOP)
        server.start()
        server.put("models")
        server.put("models/model.bin", content)
        process.send_signal(signal.SIGCONT)
        done = fetcher.end(process)
    finally:
        server.kill()
        process.kill()
        process.communicate()
    assert done.code == 0, done.output
    assert "again in" in done.output
    assert fetcher.files()["model.bin"] == content


def test_restarted_fetcher_downloads_only_what_is_missing(
    fetcher: Fetcher, s3: S3, bucket: str, serve: Callable[[Any], str]
) -> None:
    content = os.urandom(1 << 20) * 96
    s3.put(f"{bucket}/model.bin", content)
    uri = f"s3://{bucket}/model.bin"
    process = fetcher.start(uri, "--endpoint", s3.url, secret=KEYS)
    parts = fetcher.folder / ".models.fetch" / "parts"
    while not any(p.stat().st_size for p in parts.glob("*.part")):
        time.sleep(0.005)
    process.kill()
    process.communicate()
    had = sum(p.stat().st_size for p in parts.glob("*.part"))
    assert 0 < had < len(content)
    passing = passing_to(s3)
    done = fetcher.run(uri, "--endpoint", serve(passing), secret=KEYS)
    assert done.code == 0, done.output
    assert fetcher.files()["model.bin"] == content
    ranges = sorted(passing.asked)
    assert ranges[0][0] == had
    assert sum(end - start for start, end in ranges) == len(content) - had


def test_unavailable_source_fails(fetcher: Fetcher, tmp_path: Path) -> None:
    server = S3(tmp_path / "log")
    done = fetcher.run("s3://b/m", "--endpoint", server.url, secret=KEYS)
    assert (done.code, done.reason) == (11, "SourceUnavailable"), done.output
    assert "tried for 2 s" in done.report["message"]


def test_partial_file_from_before_a_node_restart_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's length is on the disk before its bytes are: after a crash it may hold anything."""
    entry = SourceFile("model.bin", "models/model.bin", 100, "ETag:1")
    before = download.part_of(tmp_path, entry)
    before.write_bytes(b"w" * 50)
    assert download.downloaded(tmp_path, entry) == 50
    monkeypatch.setattr(download, "_BOOT", "another")
    assert download.downloaded(tmp_path, entry) == 0
    place = Workspace(tmp_path / "models", 0, None)
    place.prepare()
    for name in (before.name, download.part_of(place.parts, entry).name, "other.part"):
        (place.parts / name).write_bytes(b"w")
    place.forget([entry])
    assert [p.name for p in place.parts.iterdir()] == [download.part_of(place.parts, entry).name]
