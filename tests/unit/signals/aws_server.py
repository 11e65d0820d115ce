"""A server that speaks PromQL and answers only requests with the signature that botocore computes.

It runs in the environment of the fetcher, which has botocore: `python aws_server.py PORT`.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEYS = Credentials("AKIDEXAMPLE", "a-very-secret-key")
#: Seconds that a request may be old.
_RECENT = 300.0


def is_signed(method: str, path: str, headers: Any, body: bytes) -> bool:
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return False
    fields = dict(part.split("=", 1) for part in rest.split(", "))
    _, _, region, service, _ = fields["Credential"].split("/")
    signed = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
    request = AWSRequest(method, f"https://{headers['Host']}{path}", signed, body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    at = time.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    recent = abs(time.mktime(at) - time.timezone - time.time()) < _RECENT
    auth = SigV4Auth(KEYS, service, region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    same: bool = auth.signature(text, request) == fields["Signature"]
    return same and recent and service == "aps" and region == "eu-central-1"


class Handler(BaseHTTPRequestHandler):
    """Answers with the length of the query."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        if not is_signed(self.command, self.path, self.headers, body):
            self._send(403, {"message": "The request signature we calculated does not match"})
        elif not url.path.endswith("/api/v1/query"):
            self._send(200, {"path": url.path, "body": len(body)})
        else:
            query = parse_qs(url.query)["query"][0]
            value = [time.time(), str(len(query))]
            data = {"resultType": "vector", "result": [{"metric": {}, "value": value}]}
            self._send(200, {"status": "success", "data": data})

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
