"""The program of examples/environments calls a version passed only if MLflow has set the alias.

tests/integration/test_mlflow.py runs it between a real operator and a real MLflow.
"""

from __future__ import annotations

import json
import runpy
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

rule = pytest.mark.rule
PROGRAM = Path(__file__).parents[2] / "examples" / "environments" / "promoter.py"
LOGIN_PAGE = b"<html><title>Log in</title></html>"


class Server(BaseHTTPRequestHandler):
    """Gives every request the same answer."""

    code = 200
    body = b"{}"
    location: str | None = None
    #: The token and the body of each request.
    requests: list[tuple[str | None, Any]]

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.requests.append((self.headers["Authorization"], json.loads(content or b"null")))
        self.send_response(self.code)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Runs a server at a free port; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Rig:
    """The program, its MLflow, and another host."""

    def __init__(self, stack: ExitStack) -> None:
        self.mlflow = type("Mlflow", (Server,), {"requests": []})
        self.other = type("Other", (Server,), {"requests": []})
        self.other_url = stack.enter_context(listening(self.other))
        program = runpy.run_path(str(PROGRAM))
        url = stack.enter_context(listening(self.mlflow))
        settings = {
            "registry": program["Registry"](url, "t0p", "fraud", "production"),
            "token": "gate",
            "log_message": Server.log_message,
        }
        self._url = stack.enter_context(
            listening(type("Promoter", (program["Handler"],), settings))
        )

    def ask(self, uri: str = "mlflow://fraud/7") -> tuple[int, dict[str, str]]:
        """Sends the request of the gate; the code and the answer."""
        body = json.dumps({"uri": uri}).encode()
        request = urllib.request.Request(self._url, body, {"Authorization": "Bearer gate"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(stack)


@rule("R27")
def test_version_has_passed_when_mlflow_has_set_the_alias(rig: Rig) -> None:
    code, answer = rig.ask()
    assert (code, answer["status"]) == (200, "passed")
    expected = {"name": "fraud", "alias": "production", "version": "7"}
    assert rig.mlflow.requests == [("Bearer t0p", expected)]


@rule("R27")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_is_an_error_and_its_host_gets_no_token(rig: Rig, code: int) -> None:
    rig.mlflow.code, rig.mlflow.location = code, f"{rig.other_url}/login"
    status, answer = rig.ask()
    assert (status, "status" in answer) == (502, False)
    assert str(code) in answer["message"]
    assert rig.other.requests == []


@rule("R27")
@pytest.mark.parametrize("code", [401, 502])
def test_error_of_mlflow_is_reported_so_that_the_operator_asks_again(rig: Rig, code: int) -> None:
    rig.mlflow.code, rig.mlflow.body = code, b'{"message": "no"}'
    status, answer = rig.ask()
    assert (status, "status" in answer) == (502, False)
    assert str(code) in answer["message"]


@rule("R27")
@pytest.mark.parametrize("body", [LOGIN_PAGE, b"[]", b"", b"\xff", b"[" * 60_000])
def test_answer_that_is_not_one_of_mlflow_is_an_error(rig: Rig, body: bytes) -> None:
    rig.mlflow.body = body
    status, answer = rig.ask()
    assert (status, "status" in answer) == (502, False)
    assert "answer" in answer["message"]
