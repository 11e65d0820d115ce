"""The receiver of examples/registry-webhook tries every model, however the API server fails.

tests/integration/test_registry_webhook.py runs it with a real API server and a real MLflow.
"""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

rule = pytest.mark.rule
PROGRAM = Path(__file__).parents[2] / "examples" / "registry-webhook" / "receiver.py"
SOURCE = {"model": {"uri": "mlflow://fraud@champion", "follow": {}}}
#: How the API server answers a patch, by the name of the model: code, length, body.
ANSWERS: dict[str, tuple[int, int, bytes]] = {
    "html": (200, 6, b"<html>"),
    "list": (200, 2, b"[]"),
    "deep": (200, 60_000, b"[" * 60_000),
    "short": (200, 99, b"{}"),
    "denied": (403, 2, b"{}"),
    "gone": (404, 2, b"{}"),
    "good": (200, 2, b"{}"),
}
#: Models whose patch gets no answer at all.
SILENT, CLOSED = "silent", "closed"


class ApiServer(BaseHTTPRequestHandler):
    """Answers one request as `ANSWERS` states."""

    patched: list[str]
    ended: threading.Event

    def do_GET(self) -> None:
        names = (SILENT, CLOSED, *ANSWERS)
        self._send(
            200, json.dumps({"items": [{"metadata": {"name": n}, "spec": SOURCE} for n in names]})
        )

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rpartition("/")[2]
        self.patched.append(name)
        if name == SILENT:
            self.ended.wait(30)
        elif name != CLOSED:
            code, length, body = ANSWERS[name]
            self._send(code, body.decode(), length)

    def _send(self, code: int, body: str, length: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""


@pytest.fixture
def api_server() -> Iterator[tuple[str, list[str]]]:
    """The address of an API server, and the models that it was asked to patch."""
    state: dict[str, Any] = {"patched": [], "ended": threading.Event()}
    handler = type("Handler", (ApiServer,), state)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", state["patched"]
        state["ended"].set()
        server.shutdown()
        thread.join()


@rule("R26")
def test_every_model_is_tried_however_the_others_fail(
    api_server: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, patched = api_server
    cluster_class = runpy.run_path(str(PROGRAM))["Cluster"]
    cluster_class._request.__globals__["PATIENCE"] = 0.5
    (tmp_path / "token").write_text("t0ken")
    cluster = cluster_class.__new__(cluster_class)
    cluster._account, cluster._url, cluster._models = tmp_path, url, "/models"
    cluster._tls = None
    with pytest.raises(OSError, match=r"^silent: ") as failed:
        cluster.announce("fraud", "champion", "delivery-1")
    assert patched == [SILENT, CLOSED, *ANSWERS]
    reasons = dict(one.split(": ", 1) for one in str(failed.value).split("; "))
    assert set(reasons) == {*patched} - {"gone", "good"}
    assert "timed out" in reasons[SILENT]
    assert reasons["denied"] == "HTTP Error 403: Forbidden"
    assert reasons["list"] == "its answer is not a JSON object"
    for name in ("html", "deep", "short"):
        assert reasons[name].startswith("it gave no valid answer: "), name
