"""A real MLflow server on loopback, in a separate environment, with a database of SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from fetch.conftest import ROOT, answers
from sandbox import paths
from sandbox.ports import free_ports

PYTHON = ROOT / ".venv-mlflow" / "bin" / "python"


class MlflowServer:
    """MLflow's own application in one process, which serves the artifacts in `folder`.

    `mlflow server` starts the same application in a second process, behind a layer that needs
    numpy. `start` after `kill` finds what was stored before.
    """

    def __init__(self, folder: Path) -> None:
        with paths.locked(ROOT / ".venv-mlflow.lock"):
            subprocess.run(["make", "-s", ".venv-mlflow/.ready"], cwd=ROOT, check=True)
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "flask", "--app", "mlflow.server:app", "run", "--no-reload",
                 "--port", str(self._port)],
                cwd=self._folder,
                stdout=output,
                stderr=output,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self._folder),
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    # What `mlflow server` passes to its application.
                    "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self._folder}/registry.db",
                    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
                    "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self._folder / "artifacts"),
                    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
                },
            )  # fmt: skip
        answers(f"{self.url}/health", 300)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def call(self, method: str, path: str, /, **fields: Any) -> dict[str, Any]:
        """Sends a request of MLflow's REST API; returns its JSON."""
        url, body = f"{self.url}/api/2.0/mlflow/{path}", None
        if method == "GET":
            url += f"?{urllib.parse.urlencode(fields)}"
        else:
            body = json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
        return found

    def put(self, path: str, content: bytes) -> None:
        """Uploads an artifact as MLflow's client does; `path` is below the artifacts' root."""
        url = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{urllib.parse.quote(path)}"
        request = urllib.request.Request(url, content, method="PUT")
        urllib.request.urlopen(request, timeout=60).close()

    def experiment(self, name: str, **fields: str) -> str:
        return str(self.call("POST", "experiments/create", name=name, **fields)["experiment_id"])

    def run(self, experiment: str) -> tuple[str, str]:
        """Starts a run; its id, and the URI of its artifacts."""
        info = self.call("POST", "runs/create", experiment_id=experiment)["run"]["info"]
        return info["run_id"], info["artifact_uri"]

    def register(
        self, model: str, source: str, run: str = "", alias: str = "", **fields: str
    ) -> str:
        """Registers a version of a model, and the model before its first one."""
        try:
            self.call("GET", "registered-models/get", name=model)
        except urllib.error.HTTPError as missing:
            missing.close()
            self.call("POST", "registered-models/create", name=model)
        named = {"name": model, "source": source, "run_id": run, **fields}
        found = self.call("POST", "model-versions/create", **named)
        version = str(found["model_version"]["version"])
        if alias:
            self.point(model, alias, version)
        return version

    def point(self, model: str, alias: str, version: str) -> None:
        """Sets an alias to a version."""
        self.call("POST", "registered-models/alias", name=model, alias=alias, version=version)
