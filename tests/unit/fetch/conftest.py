"""The fetcher as a process in its own environment, and the real stores that it talks to."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fetch.answering import wait_for_answer
from fetch.registries import Registry
from sandbox import paths
from sandbox.ports import free_ports

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-fetch" / "bin" / "python"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-very-secret-key"}


@dataclass(frozen=True)
class Outcome:
    """How a fetch ended: its exit code, its report, and all that it printed."""

    code: int
    report: dict[str, Any]
    output: str

    @property
    def reason(self) -> str | None:
        return self.report.get("reason")

    @property
    def digest(self) -> str:
        return str(self.report["digest"])


class Fetcher:
    """Runs `canarium fetch` into `folder/models`, as the init container does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "models"

    def command(self, uri: str, *options: str) -> list[str]:
        report = self.folder / "report.json"
        report.write_text("")  # as a pod has it
        words = [uri, str(self.target), "--report", str(report), *options]
        # The machine's disk may be as full as it likes.
        return [str(PYTHON), "-m", "canarium", "fetch", "--reserve", "0", *words]

    def partial_bytes(self) -> int:
        """Waits for the first bytes of a fetch that has begun; how many there are."""
        parts = self.folder / ".models.fetch" / "parts"
        while not any(p.stat().st_size for p in parts.glob("*.part")):
            time.sleep(0.005)
        return sum(p.stat().st_size for p in parts.glob("*.part"))

    def start(
        self,
        uri: str,
        *options: str,
        secret: dict[str, str] | None = None,
        around: dict[str, str] | None = None,
        before: Iterable[str] = (),
    ) -> subprocess.Popen[str]:
        environment = {
            "PYTHONPATH": str(ROOT / "operator"),
            "PATH": os.environ["PATH"],
            # In a pod, only the volume of the model can be written.
            "HOME": "/proc/nowhere",
            # Never ask for an identity outside this machine.
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
            **{f"CANARIUM_CREDENTIAL_{key}": value for key, value in (secret or {}).items()},
            **(around or {}),
        }
        return subprocess.Popen(
            [*before, *self.command(uri, *options)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        output, _ = process.communicate(timeout=120)
        report = self.folder / "report.json"
        said = report.read_text()
        note = json.loads(said) if said else {}
        return Outcome(process.returncode, note, output)

    def run(
        self,
        uri: str,
        *options: str,
        secret: dict[str, str] | None = None,
        around: dict[str, str] | None = None,
        before: Iterable[str] = (),
    ) -> Outcome:
        """A fetch with two seconds of patience, unless `options` set another; `around` is what
        the platform puts into its environment, `before` a program that starts it.
        """
        words = (uri, "--patience", "2", *options)
        return self.end(self.start(*words, secret=secret, around=around, before=before))

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.target)): path.read_bytes()
            for path in self.target.rglob("*")
            if path.is_file()
        }


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    with paths.locked(ROOT / ".venv-fetch.lock"):
        subprocess.run(["make", "-s", ".venv-fetch/.ready"], cwd=ROOT, check=True)


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path)


class S3:
    """A moto server as a separate process; `start` after `kill` forgets its content."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log, self._environment = log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(PYTHON.with_name("moto_server")), "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment, "AWS_EC2_METADATA_DISABLED": "true"},
                cwd=self._log.parent,
            )
        wait_for_answer(self.url)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def put(self, path: str, content: bytes | None = None) -> None:
        """Puts an object at `bucket/key`, or makes a bucket; moto looks only for a signature."""
        request = urllib.request.Request(f"{self.url}/{path}", data=content, method="PUT")
        request.add_header("Content-Type", "application/octet-stream")
        signed = "Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        request.add_header("Authorization", f"AWS4-HMAC-SHA256 {signed}")
        urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3") / "log")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """A registry for all tests, which use different repositories."""
    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Starts an HTTP server with a handler class on a port of loopback; its URL."""
    from http.server import ThreadingHTTPServer

    servers: list[ThreadingHTTPServer] = []

    def start(handler: Any) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
