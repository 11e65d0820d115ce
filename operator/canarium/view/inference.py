"""A request to a model: which path and body it has, and which revision answered it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.effective_traffic import REVISION_HEADER
from canarium.core.facts.revision import recorded_version
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, number, part, text
from canarium.view.revisions import role_of
from canarium.view.tree import Role

#: Protocol → the smallest body that its servers accept, where `name` is the model.
_BODIES = {
    "V1": '{"instances": [[0.0]]}',
    "V2": '{"inputs": [{"name": "input-0", "shape": [1, 1], "datatype": "FP32", "data": [0.0]}]}',
    "OpenAI": '{"model": "%s", "prompt": "Hello", "max_tokens": 8}',
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `source` is where path and body are from; `body` is None for a GET."""

    path: str
    body: str | None
    source: str
    #: Whether the body is a guess, which a model may reject.
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Which revision answered, and how that is known; an empty revision is unknown."""

    revision: str
    how: str


def server_of(objects: Objects, revision: str) -> Raw:
    """Returns the server that a revision's runtime was rendered to: `protocol`, `predictPath`."""
    record = next((x for x in objects.records if label(x, REVISION_LABEL) == revision), None)
    return part(record, "data", "runtime", "server")


def usual_request(objects: Objects, revision: str) -> Request | None:
    """Returns a request that the model's server accepts: its first smoke test over HTTP, or else a
    minimal one of the protocol of its runtime; None if neither is known."""
    server = server_of(objects, revision)
    predict = text(server, "predictPath")
    for test in items(part(objects.model, "spec", "rollout"), "smokeTests"):
        path = text(test, "path") or predict
        if not path or any(name in test for name in ("grpc", "bodyFrom", "port", "fromSignature")):
            continue
        body = test.get("body")
        sent = None if body is None else body if isinstance(body, str) else json.dumps(body)
        if text(test, "method") in ("", "GET" if sent is None else "POST"):
            return Request(path, sent, "the model's smoke test")
    body = _BODIES.get(text(server, "protocol"), "")
    if not predict or not body:
        return None
    name = text(part(objects.model, "metadata"), "name")
    filled = body.replace("%s", name)
    source = f"a minimal body of the protocol {text(server, 'protocol')}"
    return Request(predict, filled, source, guessed=True)


def origin(objects: Objects, headers: Mapping[str, str], body: str) -> Origin:
    """Returns which revision answered.

    A route that the operator created names it in a header. Otherwise an answer of the Open
    Inference Protocol names the version of the model, which decides if a single running revision
    has that version.
    """
    named = headers.get(REVISION_HEADER, "")
    if named:
        return Origin(named, f"header {REVISION_HEADER}")
    version = _model_version(body)
    if version:
        running = {label(x, REVISION_LABEL) for x in objects.deployments}
        same = [
            label(x, REVISION_LABEL)
            for x in objects.records
            if recorded_version(part(x, "data")) == version and label(x, REVISION_LABEL) in running
        ]
        if len(same) == 1:
            return Origin(same[0], "model_version in the answer")
    only = [x for x in _with_traffic(objects) if x]
    if len(only) == 1:
        return Origin(only[0], "no other revision has traffic")
    return Origin("", "neither a header nor the answer names it")


def role(objects: Objects, revision: str) -> Role:
    """Returns what a revision is to its model."""
    return role_of(objects.model, revision)


def _with_traffic(objects: Objects) -> list[str]:
    """Returns the revisions that receive traffic, wanted or effective, as the status has it."""
    live = [part(objects.model, "status", x) for x in ("stable", "candidate", "previous")]
    return [
        text(x, "revision") for x in live if number(x, "weight") or number(x, "effectiveWeight")
    ]


def _model_version(body: str) -> str:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return text(answer, "model_version") if isinstance(answer, Mapping) else ""
