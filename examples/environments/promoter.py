"""Moves the alias of production to each version that has passed in staging.

It is the system of a web gate before the end of the bake in staging: the operator sends the version
there, and this program sets ALIAS in MLflow to it. The model in production follows that alias.

The operator asks again until it gets an answer, and never after that. An MLflow that is away only
delays the alias. After an answer that was lost, the alias is set again. That changes nothing,
unless a person has moved it back in the meantime: then it moves forward again.

Only the standard library is needed. Environment: TOKEN, which the Secret of the gate has too;
MODEL, the registered model; ALIAS; MLFLOW_TRACKING_URI, and MLFLOW_TRACKING_TOKEN if it needs one;
PORT.
"""

from __future__ import annotations

import hmac
import http.client
import json
import os
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

#: Maximum bytes of a request.
LONGEST = 64 << 10
#: Seconds for MLflow, and for a client that sends slowly. The operator waits for 10.
PATIENCE = 8.0


class RefusedRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error: its host must not get the token, nor its login page count as an
    answer."""

    def redirect_request(self, *_: Any) -> None:
        """Returns no request to follow, so that the redirect is raised as HTTPError."""


class Registry:
    """A registered model of an MLflow server."""

    def __init__(self, server: str, token: str, model: str, alias: str) -> None:
        self._url = f"{server.rstrip('/')}/api/2.0/mlflow/registered-models/alias"
        self._token, self.model, self.alias = token, model, alias
        self._opener = urllib.request.build_opener(RefusedRedirects)

    def version(self, uri: str) -> str | None:
        """Returns the version that `uri` names, if it is one of the model."""
        name, _, version = uri.removeprefix("mlflow://").partition("/")
        return version if unquote(name) == self.model and version.isdecimal() else None

    def point(self, version: str) -> None:
        """Sets the alias. Raises OSError, also if the answer is not one of MLflow."""
        body = json.dumps({"name": self.model, "alias": self.alias, "version": version}).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url, data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=PATIENCE) as response:
                answer = json.loads(response.read(LONGEST))
        except (ValueError, RecursionError, http.client.HTTPException) as error:
            raise OSError(f"it gave no valid answer: {error}") from error
        if not isinstance(answer, dict):
            raise OSError("its answer is not a JSON object")


class Handler(BaseHTTPRequestHandler):
    """Answers one request of a gate."""

    timeout = PATIENCE
    registry: Registry
    token: str

    def do_GET(self) -> None:
        """Answers the readiness probe."""
        self._answer(200, "ready")

    def do_POST(self) -> None:
        """Sets the alias to the version in the request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST:
            self._answer(413, f"a request has at most {LONGEST} bytes")
            return
        body = self.rfile.read(int(length))
        shown = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(shown, f"Bearer {self.token}".encode()):
            self._answer(401, "the token is missing or wrong")
            return
        try:
            version = self.registry.version(str(json.loads(body)["uri"]))
        except (ValueError, KeyError, TypeError):
            self._answer(400, "the body is not a request of a gate")
            return
        if version is None:
            self._answer(200, f"not a version of {self.registry.model}", "rejected")
            return
        try:
            self.registry.point(version)
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            self._answer(502, f"MLflow did not accept it: {error}")
            return
        self._answer(200, f"{self.registry.alias} names version {version}", "passed")

    def _answer(self, code: int, message: str, status: str | None = None) -> None:
        content: dict[str, Any] = {"message": message}
        if status:
            content["status"] = status
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serves until the pod is terminated."""
    settings = os.environ
    Handler.token = settings["TOKEN"]
    Handler.registry = Registry(
        settings["MLFLOW_TRACKING_URI"],
        settings.get("MLFLOW_TRACKING_TOKEN", ""),
        settings["MODEL"],
        settings["ALIAS"],
    )
    address = ("", int(settings.get("PORT", "8080")))
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
