"""Whether a revision that runs is judged by other checks because a template was edited (R17)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from canarium import GROUP
from canarium.kube import resources
from canarium.render import labels
from simulation.invariants import Invariants
from simulation.server import OPERATOR, Write
from simulation.summary import EXPLORED

_ANNOTATION = f"{GROUP}/check-templates"


class TemplateInvariant:
    """Compares what each write of a record replaces."""

    def __init__(self, checks: Invariants) -> None:
        self._checks = checks

    def see(self, write: Write) -> None:
        if write.resource is not resources.RECORDS or write.actor != OPERATOR or not write.after:
            return
        before, after = _entries(write.before), _entries(write.after)
        if after != before:
            EXPLORED["templates recorded"] += 1
        revision = write.after["metadata"]["labels"][labels.REVISION]
        runs = any(
            one["metadata"]["labels"].get(labels.REVISION) == revision
            for one in self._checks.world.server.all(resources.DEPLOYMENTS, labels.MODEL)
        )
        for use, checks in before.items() if runs else ():
            if after.get(use, checks) != checks:
                text = f"{revision}: {use} has other checks after an edit of the template"
                self._checks.broken("templates", text)


def _entries(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the recorded checks by template and arguments."""
    notes = (record or {"metadata": {}})["metadata"].get("annotations") or {}
    entries = json.loads(notes.get(_ANNOTATION) or "[]")
    return {
        json.dumps([one["kind"], one["name"], one["args"]], sort_keys=True): one["checks"]
        for one in entries
    }
