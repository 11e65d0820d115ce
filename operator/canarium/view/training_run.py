"""The training run of a revision, as its record has it: for people, and as a JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from canarium import GROUP
from canarium.view.objects import Raw, annotation, items, part, text

ANNOTATION = f"{GROUP}/training-run"
#: Characters of an annotation that are read; the operator writes at most a quarter of that.
_LONGEST = 64 << 10


def training_run(record: Raw) -> Raw | None:
    """Returns what the tracking server knew about the model of a ControllerRevision; None if its
    record has nothing, or if a user has damaged it."""
    stored = annotation(record, ANNOTATION)
    if not stored or len(stored) > _LONGEST:
        return None
    try:
        run = json.loads(stored)
    except (ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) and run else None


def described(run: Raw | None) -> tuple[tuple[str, str], ...]:
    """Returns the parts of a training run as name and text, those that it has."""
    if run is None:
        return ()
    facts = (
        ("Run", text(run, "runId")),
        ("Git commit", text(run, "gitCommit")),
        ("Datasets", ", ".join(_dataset(one) for one in items(run, "datasets"))),
        ("Metrics", ", ".join(f"{k} = {v}" for k, v in part(run, "metrics").items())),
        ("Inputs", _fields(items(part(run, "signature"), "inputs"))),
        ("Outputs", _fields(items(part(run, "signature"), "outputs"))),
        ("Not shown", ", ".join(_omitted(run))),
        ("Unavailable", "; ".join(_texts(run, "unavailable"))),
    )
    return tuple((name, value) for name, value in facts if value)


def _dataset(one: Raw) -> str:
    digest, context = text(one, "digest"), text(one, "context")
    known = text(one, "name") + (f"@{digest}" if digest else "")
    return f"{known} ({context})" if context else known


def _fields(fields: Iterable[Raw]) -> str:
    return ", ".join(
        " ".join(x for x in (text(f, "name"), text(f, "type"), text(f, "shape")) if x)
        for f in fields
    )


def _omitted(run: Raw) -> list[str]:
    counts = {**part(run, "omitted"), **part(part(run, "signature"), "omitted")}
    return [f"{count} more {name}" for name, count in counts.items()]


def _texts(run: Raw, name: str) -> list[str]:
    entries: Any = run.get(name)
    return [x for x in entries if isinstance(x, str)] if isinstance(entries, list) else []
