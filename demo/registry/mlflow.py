"""MLflow in a pod, as the story uses it: the server, its store and access log, and a training
pipeline."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from demo.registry.images import IMAGE
from sandbox import Forward, Sandbox
from support.tracking import TrackingServer

HERE = Path(__file__).parent
MODEL, ALIAS = "fraud", "champion"
_REQUEST = re.compile(r'(\d+\.\d+\.\d+\.\d+):\d+ - "\w+ (/api/[^ ?"]+)')
#: What a path is for.
_PURPOSE = {
    "/api/2.0/mlflow/registered-models/alias": "alias",
    "/api/2.0/mlflow/model-versions/set-tag": "tags",
}


def restarted(pods: list[dict[str, Any]]) -> list[str]:
    """The containers of `pods` that have restarted."""
    return [
        state["name"]
        for pod in pods
        for state in pod["status"].get("containerStatuses", ())
        if state["restartCount"]
    ]


class Mlflow:
    """The server of a namespace."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self._sandbox, self._namespace = sandbox, namespace
        self._kubectl("apply", "-f", str(HERE / "mlflow.yaml"))
        self._kubectl("rollout", "status", "deployment/mlflow", "--timeout=300s")
        address = self._kubectl("get", "service", "mlflow", "-o", "jsonpath={.spec.clusterIP}")
        self.way: Forward = sandbox.forward(f"{address}:5000")
        self.tracking = TrackingServer(self.way.url)
        self._store = f"{address}:9000"

    def title(self) -> str:
        """The title of MLflow's own page."""
        with urllib.request.urlopen(f"{self.way.url}/", timeout=30) as answer:
            title = re.search(r"<title>(.*?)</title>", answer.read().decode())
        return title[1] if title else ""

    def start_training(self, version: int, commit: str) -> None:
        """Starts the pipeline that trains and registers a version."""
        container = {
            "name": "train",
            "image": IMAGE,
            "command": ["python3", "/app/train.py", str(version), commit],
            "env": [{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow:5000"}],
        }
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"train-{version}"},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
            },
        }
        self._kubectl("apply", "-f", "-", stdin=json.dumps(job))

    def trained(self, version: int, seconds: float = 180) -> str:
        """Waits for a pipeline; returns the version that it has registered. AssertionError with its
        log if it fails."""
        path = f"/apis/batch/v1/namespaces/{self._namespace}/jobs/train-{version}"
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end and not (status.get("succeeded") or status.get("failed")):
            status = self._sandbox.get(path).get("status", {})
            time.sleep(0.3)
        log = self._kubectl("logs", f"job/train-{version}")
        assert status.get("succeeded"), f"the training of version {version} failed: {log[-500:]}"
        return log.split()[-1]

    def stored(self) -> list[str]:
        """The names of the objects in the bucket of the server."""
        way = self._sandbox.forward(self._store)
        request = urllib.request.Request(f"{way.url}/mlflow?list-type=2&max-keys=1000")
        scope = "Credential=mlflow/20260101/us-east-1/s3/aws4_request"
        signed = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
        request.add_header("Authorization", signed)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return re.findall(r"<Key>(.*?)</Key>", answer.read().decode())
        finally:
            way.close()

    def restarted(self) -> list[str]:
        """The containers that have restarted."""
        path = f"/api/v1/namespaces/{self._namespace}/pods?labelSelector=app%3Dmlflow"
        return restarted(self._sandbox.get(path)["items"])

    def requests(self) -> Counter[str]:
        """Requests of the operator's pods so far, by purpose: alias, tags, lineage and example."""
        pods = self._sandbox.get("/api/v1/namespaces/canarium/pods")["items"]
        addresses = {pod["status"].get("podIP") for pod in pods}
        log = self._kubectl("logs", "deployment/mlflow", "-c", "mlflow", "--tail=-1")
        return Counter(
            _PURPOSE.get(path, "lineage and example")
            for address, path in _REQUEST.findall(log)
            if address in addresses
        )

    def _kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self._sandbox.kubectl("-n", self._namespace, *words, stdin=stdin)
