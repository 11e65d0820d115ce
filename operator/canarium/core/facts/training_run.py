"""Facts about the training run from which a model was registered: its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.uri import UriInvalid, parse
from canarium.core.facts.revision import Record


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request for the lineage of a revision: the URI of its version or run, which cannot move,
    the address of the tracking server, and the Secret with credentials."""

    revision: str
    uri: str
    endpoint: str
    secret: str | None


def run_request(record: Record, model: Mapping[str, Any]) -> RunRequest | None:
    """Returns the request about the version or run of a record; None if its model is not from a
    tracking server. `model` is spec.model."""
    uri = record.resolved or record.uri or ""
    if not model.get("endpoint"):
        return None
    try:
        address = parse(uri)
    except UriInvalid:
        return None
    if address.scheme != "mlflow" or address.moves:
        return None
    secret = (model.get("credentials") or {}).get("secretName")
    return RunRequest(record.revision, uri, model["endpoint"], secret)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What the tracking server knows, as a JSON object, or in it why that is unavailable."""

    request: RunRequest
    document: str
