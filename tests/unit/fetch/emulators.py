"""Emulators of the clouds' stores, as their makers or others publish them, on loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from fetch.answering import wait_for_answer
from fetch.conftest import PYTHON
from sandbox import paths
from sandbox.ports import free_ports

AZURITE = Path(__file__).parent / "azurite"
#: The account that Azurite has from the start, with its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def gcs(folder: Path) -> Iterator[str]:
    """gcp-storage-emulator with the bucket `models`; its URL."""
    port = free_ports(1)[0]
    words = ["start", "-H", "127.0.0.1", "--port", str(port), "-M", "--default-bucket", "models"]
    with _running([str(PYTHON.with_name("gcp-storage-emulator")), *words], folder / "gcs.log"):
        url = f"http://127.0.0.1:{port}"
        wait_for_answer(url)
        yield url


def put_gcs(url: str, name: str, content: bytes) -> None:
    """Puts an object into the bucket `models`."""
    where = f"{url}/upload/storage/v1/b/models/o?uploadType=media&name={quote(name, safe='')}"
    request = urllib.request.Request(where, content, method="POST")
    request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def azure(folder: Path) -> Iterator[str]:
    """Azurite, Microsoft's own emulator, from npm; the URL of its account."""
    port = free_ports(1)[0]
    words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    # The client's library speaks a newer dialect than the emulator knows by name.
    words += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with _running(["node", str(_azurite()), *words], folder / "azure.log"):
        wait_for_answer(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def _azurite() -> Path:
    """The emulator's program, installed by its lock once."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("npm is not installed; in CI this test must run")
        pytest.skip("needs npm")
    lock = (AZURITE / "hashes.json").read_bytes()
    folder = paths.cache() / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    with paths.locked(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(AZURITE, folder)
            # npm's own name for it; ours describes the content: hashes, without registry addresses.
            (folder / "hashes.json").rename(folder / "package-lock.json")
            quiet = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
            command = ["npm", "ci", "--silent", *quiet]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
            (folder / "done").touch()
    return program


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)
