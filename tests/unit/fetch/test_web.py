"""Fetching over HTTP: files and index pages, servers with and without ranges, and their faults."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher

Serve = Callable[[Any], str]
CONTENT = os.urandom(1 << 20) * 20


def folder(root: Path) -> Any:
    class Folder(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(root))

        def log_message(self, *_: Any) -> None:
            pass

    return Folder


class Ranged(BaseHTTPRequestHandler):
    """Serves CONTENT, with ranges; `breaks` answers break off, others ask for a password."""

    breaks = 0
    password: str | None = None
    asked: list[str]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        cls = type(self)
        wanted = base64.b64encode(f"me:{cls.password}".encode()).decode()
        if cls.password and self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_error(401)
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        content = CONTENT[int(found[1]) : int(found[2]) + 1] if found else CONTENT
        self.send_response(206 if found else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if found and len(content) > 1 and cls.breaks:
            cls.breaks -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        cls.asked.append(self.headers.get("Range", ""))
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def ranged(**facts: Any) -> Any:
    return type("Server", (Ranged,), {"asked": [], **facts})


@pytest.mark.parametrize("slash", ["", "/"])
def test_tree_is_read_from_index_pages(
    fetcher: Fetcher, serve: Serve, tmp_path: Path, slash: str
) -> None:
    root = tmp_path / "root"
    (root / "fraud" / "sub dir").mkdir(parents=True)
    (root / "fraud" / "MLmodel").write_bytes(b"x")
    (root / "fraud" / "sub dir" / "wéights").write_bytes(b"y" * 100)
    (root / "secret").write_bytes(b"not below")
    done = fetcher.run(f"{serve(folder(root))}/fraud{slash}")
    assert done.code == 0, done.output
    assert fetcher.files() == {"MLmodel": b"x", "sub dir/wéights": b"y" * 100}


@pytest.mark.parametrize("slash", ["", "/"])
def test_file_is_fetched_from_a_server_without_ranges(
    fetcher: Fetcher, serve: Serve, tmp_path: Path, slash: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "model.bin").write_bytes(CONTENT)
    done = fetcher.run(f"{serve(folder(root))}/model.bin{slash}")
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.bin": CONTENT}


def test_folder_whose_index_html_hides_its_files_is_refused(
    fetcher: Fetcher, serve: Serve, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "fraud" / "docs").mkdir(parents=True)
    (root / "fraud" / "MLmodel").write_bytes(b"x")
    (root / "fraud" / "docs" / "weights").write_bytes(b"w")
    (root / "fraud" / "docs" / "index.html").write_text("<a href='notes.txt'>notes</a>")
    (root / "fraud" / "docs" / "notes.txt").write_bytes(b"n")
    done = fetcher.run(f"{serve(folder(root))}/fraud")
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    assert "/fraud/docs/" in done.report["message"]
    assert "index.html" in done.report["message"]
    (root / "fraud" / "docs" / "index.html").rename(root / "fraud" / "docs" / "page.html")
    again = fetcher.run(f"{serve(folder(root))}/fraud")
    assert again.code == 0, again.output
    assert len(fetcher.files()) == 4


def test_only_interrupted_responses_are_retried(fetcher: Fetcher, serve: Serve) -> None:
    server = ranged(breaks=3)
    done = fetcher.run(f"{serve(server)}/model.bin", "--patience", "20")
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.bin": CONTENT}
    parts = [part for part in server.asked if part not in ("", "bytes=0-0")]
    assert len(parts) == len(set(parts)) == 3, parts


def test_password_is_used_and_never_printed(fetcher: Fetcher, serve: Serve) -> None:
    url = f"{serve(ranged(password='open sesame'))}/model.bin?signature=abc123"
    wrong = fetcher.run(url, secret={"username": "me", "password": "wrong-word"})
    assert (wrong.code, wrong.reason) == (10, "AccessDenied"), wrong.output
    for word in ("wrong-word", "abc123"):
        assert word not in wrong.output + str(wrong.report)
    right = fetcher.run(url, secret={"username": "me", "password": "open sesame"})
    assert right.code == 0, right.output


def test_web_page_is_not_a_model(fetcher: Fetcher, serve: Serve) -> None:
    class Login(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = b"<html><a href='/elsewhere'>log in</a></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(page)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    done = fetcher.run(f"{serve(Login)}/model.bin")
    assert (done.code, done.reason) == (10, "NotFound")
    assert "web page" in done.report["message"]


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "NotFound"), (403, "AccessDenied"), (503, "SourceUnavailable")]
)
def test_status_codes_have_their_reasons(
    fetcher: Fetcher, serve: Serve, status: int, reason: str
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    done = fetcher.run(f"{serve(Refusing)}/model.bin")
    assert done.reason == reason, done.output
    assert ("again in" in done.output) == (status == 503), "what cannot succeed is not tried again"


def test_download_larger_than_the_disk_is_refused_before_it_begins(
    fetcher: Fetcher, serve: Serve
) -> None:
    class Vast(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(206)
            self.send_header("Content-Length", str(10**17 if self.command == "HEAD" else 1))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"x")

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    done = fetcher.run(f"{serve(Vast)}/model.bin")
    assert (done.code, done.reason) == (10, "NoSpace"), done.output
    assert "are free" in done.report["message"]
