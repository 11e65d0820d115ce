"""What people see of a model: the command line, and the pages of the dashboard."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Any

from sandbox import Sandbox, clients


class CommandLine:
    """`kubectl modeldeploy` with the kubeconfig of a sandbox, in a namespace."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self._namespace = namespace
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(sandbox.kubeconfig),
            "KUBECTL": str(clients.find("kubectl")),
            "NO_COLOR": "1",
        }

    def run(self, verb: str, *words: str) -> str:
        """What a verb prints. AssertionError if it fails."""
        done = subprocess.run(
            self._command(verb, *words),
            env=self._environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{verb}: {done.stderr.strip()}"
        return done.stdout

    def json(self, verb: str, *words: str) -> Any:
        """The JSON that a verb prints."""
        return json.loads(self.run(verb, *words))

    @contextmanager
    def dashboard(self) -> Iterator[Dashboard]:
        """Serves the pages while the block runs."""
        process = subprocess.Popen(
            self._command("dashboard"), env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        try:
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address, "the dashboard has not started"
            yield Dashboard(address[0])
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()

    def _command(self, verb: str, *words: str) -> list[str]:
        program = [sys.executable, "-m", "canarium_cli.main"]
        return [*program, verb, *words, "-n", self._namespace]


class Dashboard:
    """The pages at an address that contains a key, which a cookie replaces."""

    def __init__(self, address: str) -> None:
        self._base = address.partition("/?")[0]
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._opener.open(address, timeout=30).close()

    def text(self, path: str) -> str:
        """The text of a page without its markup, in single spaces."""
        with self._opener.open(f"{self._base}{path}", timeout=30) as answer:
            page = re.sub(r"<(script|style|svg).*?</\1>", " ", answer.read().decode(), flags=re.S)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
