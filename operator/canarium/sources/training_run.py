"""Reads the lineage of a model from its MLflow run: commit, datasets, metrics and signature.

Four requests: the version, where its files are, the run, and the file MLmodel; for the URI of a
run also one for each of its models. Answers that may be large are reduced in a worker process
(R31). What cannot be read is left out, and `unavailable` has the reason: lineage never holds up a
rollout.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.sources.errors import Unresolved
from canarium.sources.model_files import content, folder_in_run, served
from canarium.sources.registry_server import LONGEST
from canarium.sources.tracking_server import TrackingServer
from canarium.untrusted.quoting import quoted

#: Maximum bytes of a document: the record has it as an annotation.
LARGEST = 16 << 10
#: Reasons that another attempt may not meet: a Secret may be created or replaced meanwhile.
_PASSING = frozenset(
    {
        SpecReason.SOURCE_UNAVAILABLE,
        SpecReason.SOURCE_ACCESS_DENIED,
        ErrorReason.UNAVAILABLE,
    }
)
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,255}")


@dataclass
class Lineage:
    """What is known so far; `complete` unless another attempt may find more."""

    facts: dict[str, Any] = field(default_factory=dict)
    unavailable: list[str] = field(default_factory=list)
    complete: bool = True

    def lacks(self, reason: SpecReason | ErrorReason, text: str) -> None:
        """Notes why something could not be read."""
        self.unavailable.append(quoted(text, 300))
        if reason in _PASSING:
            self.complete = False

    def document(self) -> str:
        """Returns everything as JSON of at most `LARGEST` bytes."""
        whole = {**self.facts}
        if self.unavailable:
            whole["unavailable"] = self.unavailable
        cut = []
        for part in ("signature", "metrics", "datasets"):
            if len(_json(whole).encode()) <= LARGEST:
                break
            if whole.pop(part, None):
                cut.append(part)
                whole["unavailable"] = [*self.unavailable, f"too large: {', '.join(cut)}"]
        return _json(whole)


async def read(server: TrackingServer, address: Address) -> Lineage:
    """Returns the lineage of the version or run that `address` names. Never raises Unresolved."""
    lineage = Lineage()
    if address.place == "runs" and "/" in address.path:
        run, _, path = address.path.partition("/")
        folder = None
    else:
        run, folder = await _version(server, unquote(address.place), address.path, lineage)
        path = ""
    if run:
        lineage.facts["runId"] = run
        logged = await _run(server, run, lineage)
        if folder is None and logged:
            folder = await _folder(server, logged, unquote(path), lineage)
    if folder:
        await _signature(server, folder, lineage)
    return lineage


async def _version(
    server: TrackingServer, model: str, number: str, lineage: Lineage
) -> tuple[str, str]:
    """Returns the run that logged a version, and the URI of its files; "" for what is unknown."""
    what = f"version {number} of model {model!r}"
    run = folder = ""
    try:
        answer = await server.get("model-versions/get", what, name=model, version=number)
        version = answer.get("model_version")
        run = str((version if isinstance(version, dict) else {}).get("run_id") or "")
        if not _RUN.fullmatch(run):
            text = f"{what} was registered without a run"
            run = ""
            lineage.lacks(SpecReason.SOURCE_NOT_FOUND, text)
        path = "model-versions/get-download-uri"
        answer = await server.get(path, what, name=model, version=number)
        folder = str(answer.get("artifact_uri") or "")
    except Unresolved as error:
        lineage.lacks(error.reason, str(error))
    return run, folder


async def _folder(server: TrackingServer, run: dict[str, Any], path: str, lineage: Lineage) -> str:
    try:
        return await folder_in_run(server, run, path)
    except Unresolved as error:
        lineage.lacks(error.reason, str(error))
        return ""


async def _run(server: TrackingServer, run: str, lineage: Lineage) -> dict[str, Any] | None:
    """Adds what the run has logged; returns where its files are, None if that is unknown."""
    what = f"run {run}"
    try:
        path = "/api/2.0/mlflow/runs/get"
        body = await server.read(path, what, query={"run_id": run})
        result, _ = await server.web.evaluate("mlflow_run", body)
    except Unresolved as error:
        lineage.lacks(error.reason, str(error))
    except EvaluationError as error:
        lineage.lacks(error.reason, f"{what}: {error}")
    else:
        lineage.facts.update(_quoted(result["facts"]))
        return result
    return None


async def _signature(server: TrackingServer, folder: str, lineage: Lineage) -> None:
    what = "signature (MLmodel)"
    path = served(server, folder)
    if path is None:
        text = f"{what}: the tracking server does not serve the files of the model"
        lineage.lacks(SpecReason.SOURCE_NOT_FOUND, text)
        return
    try:
        body = await content(server, path, "MLmodel", what, LONGEST)
        if body is None:
            text = f"{what}: it is larger than {LONGEST >> 10} KiB"
            lineage.lacks(SpecReason.SOURCE_NOT_FOUND, text)
            return
        result, _ = await server.web.evaluate("mlflow_signature", body)
    except Unresolved as error:
        lineage.lacks(error.reason, str(error))
    except EvaluationError as error:
        lineage.lacks(error.reason, f"{what}: {error}")
    else:
        if result["signature"]:
            lineage.facts["signature"] = _quoted(result["signature"])


def _quoted(value: Any) -> Any:
    """Returns a JSON value whose texts and names are escaped."""
    if isinstance(value, dict):
        return {quoted(name): _quoted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    return quoted(value) if isinstance(value, str) else value


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
