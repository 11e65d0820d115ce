"""What differs between two revisions of a model, field by field, from their ControllerRevisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from canarium import GROUP
from canarium.core.facts.revision import recorded_version
from canarium.view.history import HistoryEntry
from canarium.view.objects import Objects, Raw, annotation, label, number, part, text

_REVISION = f"{GROUP}/revision"
#: Fields of the pod template that differ between any two revisions.
_OWN = (f"metadata.labels.{_REVISION}",)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; a side is None where the revision does not have the field."""

    field: str
    before: str | None
    after: str | None


def find(objects: Objects, word: str) -> Raw | None:
    """Returns the record that `word` names: a revision, its number, or a version that only one
    revision has."""
    for record in objects.records:
        if label(record, _REVISION) == word or str(number(record, "revision")) == word:
            return record
    same = [x for x in objects.records if recorded_version(part(x, "data")) == word]
    return same[0] if len(same) == 1 else None


def usual_pair(model: Raw, objects: Objects) -> tuple[str, str] | None:
    """Returns the revisions that people want to compare: stable with the candidate, or with the
    failed one; otherwise stable with the one that it replaced. None if there is only one."""
    status = part(model, "status")
    stable = text(part(status, "stable"), "revision")
    other = text(part(status, "candidate"), "revision") or text(part(status, "failure"), "revision")
    if stable and other and stable != other:
        return stable, other
    record = find(objects, stable) if stable else None
    before = text(part(status, "previous"), "revision") or text(part(record, "data"), "after")
    return (before, stable) if before and find(objects, before) else None


def differences(
    before: Raw, after: Raw, entries: Mapping[str, HistoryEntry], *, pod: bool = False
) -> tuple[Difference, ...]:
    """Returns the fields that differ between two records, sorted by name.

    Compared are the fields of the spec that decide what serves, its lineage, the runtime that was
    rendered, the digests of images and of the model, its signature, and with `pod` the rendered pod
    template.
    """
    left, right = (dict(_fields(record, entries, pod)) for record in (before, after))
    return tuple(
        Difference(name, left.get(name), right.get(name))
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    )


def _fields(
    record: Raw, entries: Mapping[str, HistoryEntry], pod: bool
) -> Iterator[tuple[str, str]]:
    data = part(record, "data")
    # What the user wrote; the model's own part also has its lineage.
    yield from _leaves("", {**part(data, "identity"), "model": part(data, "model")})
    yield from _leaves("rendered runtime", _without_body(part(data, "runtime")))
    entry = entries.get(label(record, _REVISION))
    if entry:
        for name in sorted({x.partition("=")[0] for x in entry.image_digests}):
            digests = [x.partition("=")[2] for x in entry.image_digests if x.startswith(f"{name}=")]
            yield f"image digest of {name}", ", ".join(digests)
    for name in ("artifact", "signature"):
        noted = annotation(record, f"{GROUP}/{name}")
        if noted:
            yield name, noted
    if pod:
        for name, value in _leaves("", part(data, "template")):
            if name not in _OWN:
                yield f"pod template {name}", value


def _without_body(runtime: Raw) -> Raw:
    """Returns what identifies a runtime; its body is in the pod template."""
    return {k: v for k, v in runtime.items() if isinstance(v, str)}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields each leaf with its path. Entries of a list with names are addressed by name, so that
    one that is added does not move the others."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list):
        names = [x.get("name") if isinstance(x, Mapping) else None for x in value]
        named = all(isinstance(x, str) for x in names) and len(set(names)) == len(names)
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}[{names[index] if named else index}]", inner)
    elif path:
        yield path, value if isinstance(value, str) else json.dumps(value)
