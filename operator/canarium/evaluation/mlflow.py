"""Reduces what an MLflow server answers about a run and its model to a few short fields.

Every list and text is bounded, so that the result fits into an annotation however large the answer
is; `omitted` counts what is left out.
"""

from __future__ import annotations

import json
import math
from typing import Any

from canarium.evaluation import documents
from canarium.evaluation.errors import ErrorReason, EvaluationError

#: Maximum number of metrics, datasets, and fields of an input or output.
METRICS, DATASETS, FIELDS = 20, 8, 20
#: Maximum number of models of one run.
MODELS = 8
#: Maximum characters of a name, and of a digest, a type or an identifier.
_NAME, _VALUE = 80, 128
_COMMIT, _CONTEXT = "mlflow.source.git.commit", "mlflow.data.context"


def run(body: bytes) -> dict[str, Any]:
    """Returns commit, datasets and metrics from an answer of `runs/get`, and the run's folder.

    Raises EvaluationError.
    """
    whole = _part(documents.parsed(body), "run")
    info, data = _part(whole, "info"), _part(whole, "data")
    facts: dict[str, Any] = {}
    omitted: dict[str, int] = {}
    commit = _tag(data, _COMMIT)
    if commit:
        facts["gitCommit"] = commit
    inputs = _items(_part(whole, "inputs"), "dataset_inputs")
    datasets = [_dataset(one) for one in inputs[:DATASETS]]
    if datasets:
        facts["datasets"] = datasets
    metrics = sorted(_items(data, "metrics"), key=lambda metric: str(metric.get("key", "")))
    values = {_text(m.get("key"), _NAME): _number(m.get("value")) for m in metrics[:METRICS]}
    if values:
        facts["metrics"] = values
    for name, every, most in (("datasets", inputs, DATASETS), ("metrics", metrics, METRICS)):
        if len(every) > most:
            omitted[name] = len(every) - most
    if omitted:
        facts["omitted"] = omitted
    # Since version 3, models are stored beside the artifacts of their run.
    outputs = _items(_part(whole, "outputs"), "model_outputs")[:MODELS]
    return {
        "facts": facts,
        "artifacts": str(info.get("artifact_uri", ""))[:2048],
        "models": [_text(one.get("model_id"), _VALUE) for one in outputs],
    }


def signature(body: bytes) -> dict[str, Any]:
    """Returns the fields of the inputs and outputs from a model's file MLmodel; {} without a
    signature. Raises EvaluationError."""
    stored = _part(model_file(body), "signature")
    sides: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        text = stored.get(side)
        if not isinstance(text, str):
            continue
        fields = documents.parsed(text.encode())
        if isinstance(fields, list):
            sides[side] = [_field(one) for one in fields[:FIELDS]]
            if len(fields) > FIELDS:
                sides.setdefault("omitted", {})[side] = len(fields) - FIELDS
    return sides


def model_file(body: bytes) -> dict[str, Any]:
    """Returns the content of a file MLmodel. Raises EvaluationError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # A safe loader, which creates nothing but plain values.
        whole = yaml.load(body, Loader=loader)
    except (yaml.YAMLError, ValueError) as error:
        raise EvaluationError(ErrorReason.UNREADABLE, "MLmodel is not valid YAML") from error
    return whole if isinstance(whole, dict) else {}


def _dataset(given: dict[str, Any]) -> dict[str, str]:
    stored = _part(given, "dataset")
    facts = {
        "name": _text(stored.get("name"), _NAME),
        "digest": _text(stored.get("digest"), _VALUE),
        "context": _tag(given, _CONTEXT),
    }
    return {name: value for name, value in facts.items() if value}


def _field(given: Any) -> dict[str, str]:
    """Returns name and type of a column, or shape and type of a tensor."""
    if not isinstance(given, dict):
        return {}
    tensor = _part(given, "tensor-spec")
    kind = tensor.get("dtype") if tensor else given.get("type")
    facts = {"name": _text(given.get("name"), _NAME), "type": _text(kind, _VALUE)}
    if tensor:
        facts["shape"] = _text(json.dumps(tensor.get("shape")), _VALUE)
    return {name: value for name, value in facts.items() if value}


def _number(given: Any) -> float | str:
    """Returns a finite number, and any other value as text: JSON has no NaN."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            number = float(given)
        except OverflowError:
            return "Infinity"
        if math.isfinite(number):
            return number
    return _text(given, 16)


def _tag(given: dict[str, Any], name: str) -> str:
    tags = _items(given, "tags")
    return next((_text(tag.get("value"), _VALUE) for tag in tags if tag.get("key") == name), "")


def _text(given: Any, limit: int) -> str:
    return "" if given is None else str(given)[:limit]


def _part(given: Any, name: str) -> dict[str, Any]:
    part = given.get(name) if isinstance(given, dict) else None
    return part if isinstance(part, dict) else {}


def _items(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = given.get(name)
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
