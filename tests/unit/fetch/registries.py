"""A real OCI registry on loopback, and a doorman before it as private registries have them."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import subprocess
import tarfile
import urllib.request
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from fetch.answering import wait_for_answer
from sandbox.binaries import find
from sandbox.ports import free_ports

TITLE = "org.opencontainers.image.title"


class Registry:
    """The registry of go-containerregistry on a port of loopback."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.host = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [str(find("crane")), "registry", "serve", "--address", self.host],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_answer(f"http://{self.host}/v2/")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def push(self, repository: str, tag: str, *layers: dict[str, Any]) -> str:
        """An artifact of `layers` (content, mediaType, annotations); its manifest's digest."""
        described = [
            {
                "mediaType": layer.get("mediaType", "application/octet-stream"),
                "digest": self._blob(repository, layer["content"]),
                "size": len(layer["content"]),
                "annotations": layer.get("annotations", {}),
            }
            for layer in layers
        ]
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2}
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind,
                "artifactType": "application/vnd.example.model",
                "config": {**empty, "digest": self._blob(repository, b"{}")},
                "layers": described,
            }
        ).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def _blob(self, repository: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content)
        return digest

    def _send(
        self, method: str, path: str, content: bytes, kind: str = "application/octet-stream"
    ) -> None:
        request = urllib.request.Request(f"http://{self.host}{path}", content, method=method)
        request.add_header("Content-Type", kind)
        urllib.request.urlopen(request, timeout=10).close()


def packed(tree: dict[str, bytes], how: str = "gz") -> bytes:
    """A tar of `tree`, packed by gzip or not at all."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{how}") as archive:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Doorman(BaseHTTPRequestHandler):
    """Passes requests to the registry at `host` for those who show that they are `user`.

    `kind` is "basic", or "bearer": then a token of this server's own is asked for. After `until`
    requests, all tokens issued so far are void.
    """

    host: ClassVar[str]
    kind: ClassVar[str] = "basic"
    user: ClassVar[str] = "me:hunter22"
    until: ClassVar[int] = 1000
    tokens: ClassVar[dict[str, bool]] = {}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        cls = type(self)
        basic = f"Basic {base64.b64encode(cls.user.encode()).decode()}"
        shown = self.headers.get("Authorization", "")
        if self.path.startswith("/token"):
            if shown != basic:
                self.say(401, {"details": "incorrect username or password"})
                return
            token = f"token-{len(cls.tokens)}"
            cls.tokens[token] = True
            self.say(200, {"token": token, "expires_in": 60})
        elif cls.kind == "basic" and shown == basic:
            self.passed()
        elif cls.kind == "bearer" and cls.tokens.get(shown.removeprefix("Bearer ")):
            cls.until -= 1
            if cls.until == 0:
                cls.tokens.update(dict.fromkeys(cls.tokens, False))
            self.passed()
        else:
            here = f"http://{self.headers['Host']}"
            bearer = f'Bearer realm="{here}/token",service="r",scope="repository:m:pull"'
            how = 'Basic realm="r"' if cls.kind == "basic" else bearer
            self.say(401, {"errors": [{"code": "UNAUTHORIZED"}]}, how)

    def passed(self) -> None:
        way = http.client.HTTPConnection(type(self).host, timeout=10)
        kept = {k: v for k, v in self.headers.items() if k in ("Accept", "Range")}
        way.request("GET", self.path, headers=kept)
        answer = way.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Range", "Docker-Content-Digest"):
            if answer.headers.get(name):
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        way.close()

    def say(self, code: int, found: Any, how: str | None = None) -> None:
        content = json.dumps(found).encode()
        self.send_response(code)
        if how:
            self.send_header("WWW-Authenticate", how)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
