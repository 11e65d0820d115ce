"""Starting Prometheus in a native sandbox."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import machine
from sandbox.api import until
from sandbox.backends import NotOffered
from sandbox.cluster import Sandbox
from sandbox.nodefiles import NODE_ADDRESS
from sandbox.options import Mode
from sandbox.parts import Part, write_whole
from sandbox.progress import Progress

_TARGETS = Path(__file__).parent / "targets.py"
_PORT = 9090
_CONFIG = "prometheus.yml"


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes each model's pods; `up` makes one. It ends with its sandbox."""

    sandbox: Sandbox

    #: For pods and for `Sandbox.forward`.
    target = f"{NODE_ADDRESS}:{_PORT}"

    @classmethod
    def up(
        cls,
        sandbox: Sandbox,
        *,
        label: str = "canarium.dev/model",
        interval: str = "1s",
        progress: Progress | None = None,
    ) -> Prometheus:
        """Starts what does not run; scrapes pods that have `label`, all `interval`.

        Raises PartFailed, NoMode, NotOffered.
        """
        if sandbox.mode is not Mode.NATIVE:
            raise NotOffered(f"{sandbox.mode}: Prometheus runs on a native node")
        progress = progress or Progress(quiet=sandbox.options.quiet)
        machine.ensure({"prometheus": "prometheus"}, sandbox.options, progress)
        instance = cls(sandbox)
        instance._start(label, interval)
        instance.await_ready()
        return instance

    @property
    def server(self) -> Part:
        return self.sandbox.part("prometheus")

    @property
    def url(self) -> str:
        """For pods: the operator asks here."""
        return f"http://{self.target}"

    def query(self, promql: str) -> list[Mapping[str, Any]]:
        """The vector that an instant query gives now. Raises OSError."""
        words = urllib.parse.urlencode({"query": promql})
        with (
            self.sandbox.forward(self.target) as way,
            urllib.request.urlopen(f"{way.url}/api/v1/query?{words}", timeout=5) as answer,
        ):
            series: list[Mapping[str, Any]] = json.load(answer)["data"]["result"]
        return series

    def await_ready(self) -> None:
        """Waits until it answers queries."""
        with self.sandbox.forward(self.target) as way:
            until(lambda: _answers(f"{way.url}/-/ready"), self.server, "ready")

    def _start(self, label: str, interval: str) -> None:
        folder = self.sandbox.folder
        targets, config = folder / "targets.json", folder / _CONFIG
        job = {"job_name": "models", "file_sd_configs": [{"files": [str(targets)]}]}
        timing = {"scrape_interval": interval, "scrape_timeout": "1s"}
        write_whole(config, json.dumps({"global": timing, "scrape_configs": [job]}))
        entering = self.sandbox.backend.entering(node=True)
        kubeconfig = folder / "prometheus.kubeconfig"
        words: list[str | Path] = [sys.executable, "-I", _TARGETS, kubeconfig, label, targets]
        self.sandbox.part("prometheus-targets").start(words, entering=entering)
        self.server.start(command(folder, "prometheus", self.target), entering=entering)


def command(folder: Path, data: str, address: str) -> list[str | Path]:
    """A server that listens on `address` and keeps its data in `<folder>/<data>`."""
    server = shutil.which("prometheus") or "prometheus"
    return [
        server, "--config.file", folder / _CONFIG, "--storage.tsdb.path", folder / data,
        "--web.listen-address", address, "--log.level", "warn",
        "--storage.tsdb.retention.time", "2h",
    ]  # fmt: skip


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
