"""A Prometheus on loopback that scrapes one operator every second."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Prometheus:
    """A running server; queries raise AssertionError with its message when it refuses them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def instant(self, query: str, at: float | None = None) -> list[dict[str, Any]]:
        """Returns the series of a query at a time (default: now)."""
        return self._result("query", query=query, **({"time": at} if at else {}))

    def range(self, query: str, start: float, end: float) -> list[dict[str, Any]]:
        """Returns the series of a query, evaluated every second."""
        return self._result("query_range", query=query, start=start, end=end, step=1)

    def values(self, selector: str, label: str) -> list[str]:
        """Returns the values of a label of the series that `selector` selects."""
        path = f"label/{label}/values"
        values: list[str] = self._get(path, {"match[]": selector})["data"]
        return values

    def _result(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        series: list[dict[str, Any]] = self._get(path, parameters)["data"]["result"]
        return series

    def _get(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                body: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert body["status"] == "success", body
        assert not body.get("warnings"), body["warnings"]
        return body


@contextmanager
def running(
    folder: Path, port: int, jobs: list[dict[str, Any]], groups: list[dict[str, Any]] | None = None
) -> Iterator[Prometheus]:
    """Runs a server at `port` with the scrape configurations `jobs` and the `groups` of rules."""
    folder.mkdir()
    config, rules = folder / "prometheus.yml", folder / "rules.yml"
    rules.write_text(json.dumps({"groups": groups or []}))
    timing = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    files = [str(rules)]
    config.write_text(json.dumps({"global": timing, "rule_files": files, "scrape_configs": jobs}))
    command = [
        "prometheus", "--config.file", config, "--storage.tsdb.path", folder / "data",
        "--web.listen-address", f"127.0.0.1:{port}", "--log.level", "warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            server = Prometheus(port)
            _await_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(20)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until a condition holds; raises AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "Prometheus does not see it"
        time.sleep(0.3)


def free_port() -> int:
    """Returns a port of loopback that nothing uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_ready(server: Prometheus, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, "Prometheus ended"
        try:
            with urllib.request.urlopen(f"{server.url}/-/ready", timeout=2):
                return
        except urllib.error.HTTPError as refused:
            refused.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("Prometheus is not ready after 30 s")
