"""A real MLflow server on loopback, in a separate environment, with a database of SQLite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fetch.answering import wait_for_answer
from fetch.conftest import ROOT
from sandbox import paths
from sandbox.ports import free_ports
from support.tracking import TrackingServer

PYTHON = ROOT / ".venv-mlflow" / "bin" / "python"


class MlflowServer(TrackingServer):
    """MLflow's own application in one process, which serves the artifacts in `folder`.

    `mlflow server` starts the same application in a second process, behind a layer that needs
    numpy. `start` after `kill` finds what was stored before. `environment` is added to its own.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        with paths.locked(ROOT / ".venv-mlflow.lock"):
            subprocess.run(["make", "-s", ".venv-mlflow/.ready"], cwd=ROOT, check=True)
        self._port = free_ports(1)[0]
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._folder, self._environment = folder, environment
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
                    **self._environment,
                },
            )  # fmt: skip
        wait_for_answer(f"{self.url}/health", 300)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None
