"""Resolves the runtime that a spec refers to: by name or by format, the narrower scope first.

Resolved when a revision is stored, and kept in its record: a runtime that is edited later changes
no running pod (R1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import yaml

from canarium.api.reasons import SpecReason
from canarium.api.runtime import BUILT_IN
from canarium.render.errors import RuntimeInvalid

#: Fields of a runtime that only serve to select it.
SELECTION_FIELDS = frozenset({"formats", "description"})


@dataclass(frozen=True)
class RuntimeTemplate:
    """A runtime's stored `spec`, its name, and its scope."""

    kind: str
    name: str
    spec: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Returns the SHA-256 of the fields that decide how a server runs, as canonical JSON."""
        decisive = {key: value for key, value in self.spec.items() if key not in SELECTION_FIELDS}
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{'built-in runtime' if self.kind == BUILT_IN else self.kind} {self.name}"


@cache
def built_in() -> Mapping[str, RuntimeTemplate]:
    """Returns the runtimes that ship with the operator, by name."""
    templates = {}
    for entry in files("canarium.runtimes").iterdir():
        if entry.name.endswith(".yaml"):
            body = yaml.safe_load(entry.read_text())
            name = body["metadata"]["name"]
            templates[name] = RuntimeTemplate(BUILT_IN, name, body["spec"])
    return templates


@dataclass(frozen=True)
class Catalog:
    """All runtimes that a namespace may use, by scope and name."""

    namespaced: Mapping[str, RuntimeTemplate] = field(default_factory=dict)
    cluster: Mapping[str, RuntimeTemplate] = field(default_factory=dict)
    builtin: Mapping[str, RuntimeTemplate] = field(default_factory=built_in)

    def scopes(self) -> Iterator[Mapping[str, RuntimeTemplate]]:
        """Yields the runtimes of each scope, the narrowest first."""
        return iter((self.namespaced, self.cluster, self.builtin))

    def choose(self, spec: Mapping[str, Any]) -> RuntimeTemplate | None:
        """Returns the runtime that a raw `spec` selects; None for an image without a runtime.

        Raises RuntimeInvalid: UnknownRuntime, UnknownFormat or AmbiguousFormat.
        """
        own = spec.get("runtime") or {}
        if own.get("name"):
            return self._named(own["name"])
        return None if own.get("image") else self._fitting(spec.get("model") or {})

    def _named(self, name: str) -> RuntimeTemplate:
        for scope in self.scopes():
            if name in scope:
                return scope[name]
        known = ", ".join(sorted({name for scope in self.scopes() for name in scope}))
        raise RuntimeInvalid(
            SpecReason.UNKNOWN_RUNTIME,
            f"spec.runtime.name: there is no runtime {name}; known: {known}",
        )

    def _fitting(self, model: Mapping[str, Any]) -> RuntimeTemplate:
        wanted, version = model.get("format"), model.get("formatVersion")
        for scope in self.scopes():
            fitting = [(r, p) for r in scope.values() for p in _priorities(r, wanted, version)]
            if not fitting:
                continue
            best = max(priority for _, priority in fitting)
            chosen = sorted((r for r, p in fitting if p == best), key=lambda r: r.name)
            if len(chosen) == 1:
                return chosen[0]
            raise RuntimeInvalid(
                SpecReason.AMBIGUOUS_FORMAT,
                f"spec.model.format: {wanted} is served by {' and '.join(map(str, chosen))} with "
                f"equal priority: set spec.runtime.name to one of them",
            )
        word = f"{wanted} {version}" if version else str(wanted)
        known = sorted(
            {f["name"] for s in self.scopes() for r in s.values() for f in _automatic(r)}
        )
        raise RuntimeInvalid(
            SpecReason.UNKNOWN_FORMAT,
            f"spec.model.format: no runtime serves {word}; known: {', '.join(known)}; or set "
            "spec.runtime.name or spec.runtime.image",
        )


def _automatic(runtime: RuntimeTemplate) -> list[Mapping[str, Any]]:
    return [f for f in runtime.spec.get("formats") or () if f.get("autoSelect", True)]


def _priorities(runtime: RuntimeTemplate, wanted: str | None, version: str | None) -> list[int]:
    """Returns the priority of `runtime` for a format; empty when it does not match."""
    return [
        f.get("priority", 0)
        for f in _automatic(runtime)
        if f["name"] == wanted and _serves(f.get("versions"), version)
    ]


def _serves(versions: list[str] | None, version: str | None) -> bool:
    if not versions or not version:
        return True
    return any(version == v or version.startswith(f"{v}.") for v in versions)
