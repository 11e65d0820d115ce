"""The REST API of an MLflow tracking server, as far as tests and the demo call it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass
class TrackingServer:
    """A server at `url`. Every method raises OSError."""

    url: str

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
            content: dict[str, Any] = json.loads(answer.read() or b"{}")
        return content

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
        created = self.call("POST", "model-versions/create", **named)
        version = str(created["model_version"]["version"])
        if alias:
            self.point(model, alias, version)
        return version

    def point(self, model: str, alias: str, version: str) -> None:
        """Sets an alias to a version."""
        self.call("POST", "registered-models/alias", name=model, alias=alias, version=version)

    def pointed(self, model: str, alias: str) -> str:
        """Returns the version that an alias names."""
        answer = self.call("GET", "registered-models/alias", name=model, alias=alias)
        return str(answer["model_version"]["version"])

    def tags(self, model: str, version: str) -> dict[str, str]:
        """Returns the tags of a version."""
        answer = self.call("GET", "model-versions/get", name=model, version=version)
        return {tag["key"]: tag["value"] for tag in answer["model_version"].get("tags", ())}
