"""Finds the files of a model on a tracking server, and reads small ones that the server serves."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.evaluation.errors import EvaluationError
from canarium.sources.errors import Unresolved
from canarium.sources.tracking_server import TrackingServer

_FILES = "/api/2.0/mlflow-artifacts/artifacts/"


async def folder_of(server: TrackingServer, address: Address) -> str:
    """Returns the URI of the folder of a version, or of a model of a run. Raises Unresolved."""
    if address.place == "runs" and "/" in address.path:
        run, _, path = address.path.partition("/")
        what = f"run {run}"
        body = await server.read("/api/2.0/mlflow/runs/get", what, query={"run_id": run})
        try:
            result, _ = await server.web.evaluate("mlflow_run", body)
        except EvaluationError as error:
            raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{what}: {error}") from error
        return await folder_in_run(server, result, unquote(path))
    model, number = unquote(address.place), address.path
    what = f"version {number} of model {model!r}"
    path = "model-versions/get-download-uri"
    return str((await server.get(path, what, name=model, version=number)).get("artifact_uri") or "")


async def folder_in_run(server: TrackingServer, run: dict[str, Any], path: str) -> str:
    """Returns the URI of `path` in a run that a worker has read; "" if that is unknown.

    Since version 3, MLflow stores models beside the artifacts of their run, under another name.
    Raises Unresolved.
    """
    name, _, below = path.partition("/")
    for identifier in run["models"]:
        what = f"logged model {identifier!r}"
        answer = await server.get(f"logged-models/{quote(identifier, safe='')}", what)
        model = answer.get("model")
        info = model.get("info") if isinstance(model, dict) else None
        if isinstance(info, dict) and info.get("name") == name and info.get("artifact_uri"):
            folder = str(info["artifact_uri"]).rstrip("/")
            return f"{folder}/{below}" if below else folder
    root = str(run["artifacts"]).rstrip("/")
    return f"{root}/{path}" if root else ""


def served(server: TrackingServer, folder: str) -> str | None:
    """Returns the path of a folder that the tracking server serves; None for another store."""
    try:
        parts = urlsplit(folder)
    except ValueError:
        return None
    if parts.scheme != "mlflow-artifacts" or parts.netloc not in ("", server.host):
        return None
    path = unquote(parts.path).strip("/")
    return None if not path or ".." in path.split("/") else path


async def content(
    server: TrackingServer, folder: str, name: str, what: str, longest: int
) -> bytes | None:
    """Returns the file `name` in a folder that the server serves; None if it has more than
    `longest` bytes. Raises Unresolved."""
    body = await server.read(f"{_FILES}{quote(folder)}/{quote(name)}", what)
    return body if len(body) <= longest else None
