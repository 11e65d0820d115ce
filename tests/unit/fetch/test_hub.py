"""Fetching from the Hugging Face hub, of which a small stand-in speaks the part that is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pytest

from fetch.conftest import Fetcher

rule = pytest.mark.rule
COMMIT, OTHER = "4f1c2d9" + "0" * 33, "a" * 40
TREE = {
    "config.json": b'{"a": 1}',
    "sub dir/weights.safetensors": b"w" * 20_000_000,
    ".gitattributes": b"*.safetensors filter=lfs\n",
}
#: Kept in the hub's large-file store, whose SHA-256 it reports.
LARGE = ("sub dir/weights.safetensors",)


class Hub(BaseHTTPRequestHandler):
    """One model of two commits; `main` is the first, and moves once it was asked for."""

    token: ClassVar[str | None] = None
    lies = False
    tree: ClassVar[dict[str, bytes]] = TREE
    large: ClassVar[tuple[str, ...]] = LARGE
    asked: ClassVar[list[str]] = []
    #: Branches and tags; what no commit has the name of is none.
    heads: ClassVar[dict[str, str]] = {"main": COMMIT, "v2": OTHER}

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self.answer(json.loads(self.rfile.read(length) or b"{}"))

    def answer(self, body: Any = None) -> None:
        cls, path = type(self), unquote(urlsplit(self.path).path)
        cls.asked.append(path)
        if cls.token and self.headers.get("Authorization") != f"Bearer {cls.token}":
            self.say(401, {"error": "Invalid credentials"}, **{"X-Error-Code": "GatedRepo"})
            return
        words = path.strip("/").split("/")
        if words[:2] == ["api", "models"]:
            self.about("/".join(words[2:4]), words[4:], body)
        elif words[2:3] == ["resolve"]:
            self.file(words[3], "/".join(words[4:]))
        else:
            self.say(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})

    def about(self, model: str, words: list[str], body: Any) -> None:
        if model != "example/fraud":
            self.say(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
            return
        what = words[0] if words else "revision"
        revision = words[1] if len(words) > 1 else "main"
        commit = self.heads.get(revision, revision)
        if commit not in (COMMIT, OTHER):
            code = {"X-Error-Code": "RevisionNotFound"}
            self.say(404, {"error": f"Invalid rev id: {revision}"}, **code)
        elif what == "revision":
            self.say(200, {"id": model, "sha": commit, "siblings": []})
        elif what == "tree":
            self.say(200, self.below("/".join(words[2:])))
        else:
            paths = body.get("paths", [])
            self.say(200, [e for e in self.below("") if e["path"] in paths])

    def below(self, folder: str) -> list[dict[str, Any]]:
        head = f"{folder}/" if folder else ""
        found: list[dict[str, Any]] = []
        for name in {n.rsplit("/", 1)[0] for n in self.tree if "/" in n and n.startswith(head)}:
            found.append({"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
        for name, content in self.tree.items():
            if not name.startswith(head):
                continue
            oid = hashlib.sha1(content).hexdigest()
            entry = {"type": "file", "path": name, "oid": oid, "size": len(content)}
            if name in self.large:
                sha = hashlib.sha256(b"other" if self.lies else content).hexdigest()
                entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 130}
            found.append(entry)
        return found

    def file(self, commit: str, name: str) -> None:
        content, code, length = self.tree.get(name), 200, self.headers.get("Range")
        if content is None or commit not in (COMMIT, OTHER):
            self.say(404, {"error": "Entry not found"}, **{"X-Error-Code": "EntryNotFound"})
            return
        if length:
            low, high = length.removeprefix("bytes=").split("-")
            content, code = content[int(low) : int(high) + 1], 206
        self.raw(code, content, **{"X-Repo-Commit": commit, "ETag": '"x"'})

    def say(self, code: int, found: Any, **headers: str) -> None:
        self.raw(
            code, json.dumps(found).encode(), **{"Content-Type": "application/json"}, **headers
        )

    def raw(self, code: int, content: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(serve: Callable[[Any], str]) -> Callable[..., tuple[str, Any]]:
    """Starts a hub; its URL and its class, which knows what it was asked."""

    def start(**facts: Any) -> tuple[str, Any]:
        served = type("Served", (Hub,), {"asked": [], **facts})
        return serve(served), served

    return start


Start = Callable[..., tuple[str, Any]]


@pytest.mark.parametrize("slash", ["", "/"])
def test_branch_is_fetched_at_its_commit(fetcher: Fetcher, hub: Start, slash: str) -> None:
    url, served = hub()
    done = fetcher.run(f"hf://example/fraud@main{slash}", "--endpoint", url)
    assert done.code == 0, done.output
    assert fetcher.files() == {n: c for n, c in TREE.items() if n != ".gitattributes"}
    files = [path for path in served.asked if "/resolve/" in path]
    assert files
    assert all(f"/resolve/{COMMIT}/" in path for path in files), files


def test_file_of_a_model_at_one_commit(fetcher: Fetcher, hub: Start) -> None:
    url, _ = hub()
    done = fetcher.run(f"hf://example/fraud@{OTHER}/config.json", "--endpoint", url)
    assert done.code == 0, done.output
    assert fetcher.files() == {"config.json": b'{"a": 1}'}


@pytest.mark.parametrize("model", ["example/none", "example/fraud@nowhere", "example/fraud/none"])
def test_missing_model_is_reported(fetcher: Fetcher, hub: Start, model: str) -> None:
    url, _ = hub()
    done = fetcher.run(f"hf://{model}", "--endpoint", url)
    assert (done.code, done.reason) == (10, "NotFound"), done.output


def test_gated_model_needs_the_right_token(fetcher: Fetcher, hub: Start) -> None:
    url, _ = hub(token="hf_right")
    uri, options = "hf://example/fraud", ("--endpoint", url)
    for secret in ({}, {"HF_TOKEN": "hf_expired"}):
        done = fetcher.run(uri, *options, secret=secret)
        assert (done.code, done.reason) == (10, "AccessDenied"), done.output
        assert "hf_expired" not in done.output + str(done.report)
    right = fetcher.run(uri, *options, secret={"HF_TOKEN": "hf_right"})
    assert right.code == 0, right.output


@rule("R31")
@pytest.mark.parametrize("named", ["", "/"])
def test_token_of_the_platform_is_sent_to_its_own_hub(
    fetcher: Fetcher, hub: Start, named: str
) -> None:
    url, _ = hub(token="hf_platform")
    around = {"HF_TOKEN": "hf_platform", "HF_ENDPOINT": url}
    options = ("--endpoint", f"{url}{named}") if named else ()
    done = fetcher.run("hf://example/fraud@main/config.json", *options, around=around)
    assert done.code == 0, done.output


@rule("R31")
def test_token_of_the_platform_is_not_sent_to_the_hub_of_a_model(
    fetcher: Fetcher, hub: Start
) -> None:
    """Anyone who writes a model chooses its endpoint."""
    url, served = hub(shown=[])
    served.answer = _noting(served.answer)
    for around in (
        {"HF_TOKEN": "hf_platform"},
        {"HF_TOKEN": "hf_platform", "HF_ENDPOINT": "https://hub.example"},
    ):
        uri = "hf://example/fraud@main/config.json"
        done = fetcher.run(uri, "--endpoint", url, around=around)
        assert done.code == 0, done.output
    assert served.shown
    assert set(served.shown) == {None}


def _noting(answer: Callable[..., None]) -> Callable[..., None]:
    """Notes what each request shows."""

    def noted(self: Any, body: Any = None) -> None:
        type(self).shown.append(self.headers.get("Authorization"))
        answer(self, body)

    return noted


def test_bytes_that_differ_from_the_digest_of_the_hub_are_refused(
    fetcher: Fetcher, hub: Start
) -> None:
    url, _ = hub(lies=True)
    done = fetcher.run("hf://example/fraud", "--endpoint", url)
    assert (done.code, done.reason) == (10, "CorruptArtifact"), done.output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--allow=*.safetensors"], {"sub dir/weights.safetensors"}),
        (["--allow=*.json", "--allow=sub dir/"], set(TREE) - {".gitattributes"}),
        (["--ignore=*.safetensors"], {"config.json"}),
        (["--allow=*", "--ignore=sub*"], {"config.json"}),
    ],
)
def test_patterns_choose_the_files_of_a_repository(
    fetcher: Fetcher, hub: Start, options: list[str], expected: set[str]
) -> None:
    url, served = hub()
    done = fetcher.run("hf://example/fraud", "--endpoint", url, *options)
    assert done.code == 0, done.output
    assert set(fetcher.files()) == expected
    fetched = {path.partition(f"{COMMIT}/")[2] for path in served.asked if "/resolve/" in path}
    assert fetched == expected, "nothing else is asked for"


def test_patterns_that_match_no_file_are_an_error(fetcher: Fetcher, hub: Start) -> None:  # I12
    url, _ = hub()
    done = fetcher.run("hf://example/fraud", "--endpoint", url, "--allow=*.gguf")
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    assert "allowPatterns" in done.report["message"]
