"""Caches ModelGates, and finds those that a spec refers to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.core.facts.gates import LONGEST_JOB
from canarium.engine.cache.children import Raw
from canarium.kube import resources
from canarium.kube.cache import Cache


@dataclass(frozen=True, slots=True)
class CachedGate:
    """A ModelGate with its Job, as canonical JSON; "" if that is too long for a record."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    job: str


def model_gate(raw: Raw) -> CachedGate:
    meta = raw["metadata"]
    job = json.dumps(raw["spec"]["job"], sort_keys=True, separators=(",", ":"))
    job = job if len(job) <= LONGEST_JOB else ""
    version = int(meta["resourceVersion"])
    return CachedGate(meta["namespace"], meta["name"], meta["uid"], version, job)


class ModelGates:
    """The ModelGates of all namespaces. `changed(namespace, name)` is called for each change."""

    def __init__(self, changed: Callable[[str, str], None]) -> None:
        self._changed = changed
        self._gates: Cache[CachedGate] = Cache(model_gate, self._notify)
        self.caches = {resources.MODEL_GATES: self._gates}

    def named(self, namespace: str, spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Returns the ModelGates that a raw `spec` names and that exist: their name and Job."""
        gates = ((name, self._gates.items.get((namespace, name))) for name in names(spec))
        return tuple((name, gate.job) for name, gate in gates if gate)

    def _notify(self, old: CachedGate | None, new: CachedGate | None) -> None:
        some = new or old
        assert some is not None
        self._changed(some.namespace, some.name)


def names(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yields the names of the ModelGates that a raw `spec` refers to, in its order."""
    for gate in (spec.get("rollout") or {}).get("gates") or ():
        name = (gate.get("job") or {}).get("modelGate")
        if name:
            yield name
