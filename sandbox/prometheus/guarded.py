"""A second Prometheus over the same targets, which answers by TLS and to a login only."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from sandbox.api import until
from sandbox.nodefiles import NODE_ADDRESS
from sandbox.parts import Part, write_whole
from sandbox.pki import Authority
from sandbox.prometheus import instance
from sandbox.prometheus.instance import Prometheus

_PORT = 9091
#: bcrypt of PASSWORD; Prometheus takes nothing else.
_HASHED = "$2b$04$CanariumSandboxOfTest.eDQeuOkdCuo.AG.0/ObpVn9QjVEUYv2"


@dataclass(frozen=True)
class Guarded:
    """`up` makes one beside a `Prometheus`. It ends with its sandbox."""

    beside: Prometheus

    username, password = "canarium", "let me in"
    url = f"https://{NODE_ADDRESS}:{_PORT}"

    @classmethod
    def up(cls, beside: Prometheus) -> Guarded:
        """Starts it unless it runs. Raises PartFailed."""
        guarded = cls(beside)
        guarded._start()
        target = f"{NODE_ADDRESS}:{_PORT}"
        with beside.sandbox.forward(target) as way:
            port = way.url.rpartition(":")[2]
            until(
                lambda: guarded._answers(f"https://127.0.0.1:{port}/-/ready"),
                guarded.server,
                "ready",
            )
        return guarded

    @property
    def server(self) -> Part:
        return self.beside.sandbox.part("prometheus-guarded")

    @property
    def authority(self) -> str:
        """The certificate of the authority that signed its own, in PEM; no other client trusts
        it."""
        return self._authority.certificate.read_text()

    @property
    def _authority(self) -> Authority:
        return Authority(self.beside.sandbox.folder / "prometheus-pki")

    def _start(self) -> None:
        folder = self.beside.sandbox.folder
        self._authority.make()
        self._authority.serving("server", [NODE_ADDRESS, "127.0.0.1"], [])
        certificate, key = self._authority.pair("server")
        guard = folder / "prometheus-guard.json"
        tls = {"cert_file": str(certificate), "key_file": str(key)}
        write_whole(
            guard,
            json.dumps({"tls_server_config": tls, "basic_auth_users": {self.username: _HASHED}}),
        )
        words: list[str | Path] = ["--web.config.file", guard]
        command = instance.command(folder, "prometheus-guarded", f"{NODE_ADDRESS}:{_PORT}")
        self.server.start(
            [*command, *words], entering=self.beside.sandbox.backend.entering(node=True)
        )

    def _answers(self, url: str) -> bool:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {pair}"})
        trust = ssl.create_default_context(cadata=self.authority)
        with urllib.request.urlopen(request, timeout=2, context=trust) as answer:
            return bool(answer.status == 200)
