"""Receives the webhooks of MLflow, so that Canarium rolls out a moved alias within seconds.

A delivery with a valid signature changes the annotation `canarium.dev/resolve` of each
ModelDeployment in the receiver's namespace that follows the alias; the operator then asks the
registry. Nothing else of a delivery is used, so a false one could only cause a request. One that is
lost is made up for by the interval of `spec.model.follow`.

Only the standard library is needed. Environment: WEBHOOK_SECRET, as registered in MLflow; PORT.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ANNOTATION = "canarium.dev/resolve"
MODELS = "/apis/canarium.dev/v1alpha1/namespaces/{}/modeldeployments"
#: Seconds after which a signed delivery is refused as a replay; its retries are signed again.
OLDEST = 300.0
#: Maximum bytes of a delivery.
LONGEST = 64 << 10
#: Seconds for the API server, and for a client that sends slowly.
PATIENCE = 10.0


def is_signed(secret: str, headers: Message, body: bytes, now: float) -> bool:
    """Returns whether MLflow signed `body` with `secret` in the last minutes.

    The signature is `v1,` and the base64 of an HMAC-SHA256 over ID, timestamp and body.
    """
    stamp, number = headers.get("X-MLflow-Timestamp", ""), headers.get("X-MLflow-Delivery-Id", "")
    if not stamp.isdecimal() or len(stamp) > 16 or abs(now - int(stamp)) > OLDEST:
        return False
    signed = f"{number}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    return hmac.compare_digest(expected, headers.get("X-MLflow-Signature", "").encode())


def follows(model: Mapping[str, Any], name: str, alias: str) -> bool:
    """Returns whether a ModelDeployment follows this alias of a registered model."""
    source = model["spec"]["model"]
    place = source.get("uri", "").removeprefix("mlflow://").split("/")[0]
    named, _, its_alias = place.partition("@")
    return "follow" in source and (unquote(named), its_alias) == (name, alias)


class Cluster:
    """The API server, as the ServiceAccount of this pod."""

    def __init__(self, account: Path, host: str, port: str) -> None:
        self._account, self._url = account, f"https://{host}:{port}"
        self._tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
        self._models = MODELS.format((account / "namespace").read_text().strip())

    def announce(self, name: str, alias: str, token: str) -> int:
        """Changes the annotation of all models that follow the alias; returns how many there are.

        Raises OSError, after all were tried, if any could not be changed.
        """
        listed = self._request("GET", self._models).get("items", ())
        models = [model for model in listed if follows(model, name, alias)]
        failed = []
        for model in models:
            patch = {"metadata": {"annotations": {ANNOTATION: token}}}
            try:
                self._request("PATCH", f"{self._models}/{model['metadata']['name']}", patch)
            except OSError as error:
                refusal = error if isinstance(error, urllib.error.HTTPError) else None
                if not refusal or refusal.code != 404:  # Deleted since it was listed.
                    failed.append(f"{model['metadata']['name']}: {error}")
                if refusal:
                    refusal.close()
        if failed:
            raise OSError("; ".join(failed))
        return len(models)

    def _request(self, method: str, path: str, patch: Any = None) -> Any:
        """Returns the answer. Raises OSError, also if it is not valid."""
        # The kubelet replaces the token before it expires.
        token = (self._account / "token").read_text().strip()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/merge-patch+json",
        }
        content = None if patch is None else json.dumps(patch).encode()
        request = urllib.request.Request(
            self._url + path, data=content, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE, context=self._tls) as answer:
                content = json.load(answer)
        except (ValueError, RecursionError, http.client.HTTPException) as error:
            raise OSError(f"it gave no valid answer: {error}") from error
        if not isinstance(content, dict):
            raise OSError("its answer is not a JSON object")
        return content


class Handler(BaseHTTPRequestHandler):
    """Answers one delivery. MLflow repeats those that are answered with 5xx."""

    timeout = PATIENCE
    cluster: Cluster
    secret: str

    def do_GET(self) -> None:
        """Answers the readiness probe."""
        self._answer(200, "ready")

    def do_POST(self) -> None:
        """Announces the alias that a signed delivery is about."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST:
            self._answer(413, f"a delivery has at most {LONGEST} bytes")
            return
        body = self.rfile.read(int(length))
        if not is_signed(self.secret, self.headers, body, time.time()):
            self._answer(401, "the signature is missing, wrong or too old")
            return
        try:
            event = json.loads(body)
            data = event["data"] if event["entity"] == "model_version_alias" else None
            name, alias = (data["name"], data["alias"]) if data else ("", "")
        except (ValueError, KeyError, TypeError):
            self._answer(400, "the delivery is not an event of a registry")
            return
        if data is None:
            self._answer(200, "this event does not concern an alias")
            return
        try:
            count = self.cluster.announce(name, alias, self.headers["X-MLflow-Delivery-Id"])
        except OSError as error:
            self._answer(502, f"the API server did not accept it: {error}")
            return
        self._answer(200, f"{count} models follow this alias")

    def _answer(self, status: int, text: str) -> None:
        content = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serves until the pod is terminated."""
    folder = os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    Handler.cluster = Cluster(Path(folder), host, port)
    Handler.secret = os.environ["WEBHOOK_SECRET"]
    address = ("", int(os.environ.get("PORT", "8080")))
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
