"""The revision that a spec leads to, and the fields that decide it (R1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canarium.api.uri import UriInvalid, parse
from canarium.core.facts.revision import (
    Record,
    digest_matches,
    find,
    identity_v1,
    new_record,
    recorded_version,
    resolved_facts,
    seal_is_valid,
)

Raw = Mapping[str, Any]
_VERDICT = "canarium.dev/verdict"
#: In the place of a name that is not known yet.
UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class Change:
    """A field with another value; None where it is absent. `decides`: part of the identity."""

    path: str
    before: Any
    after: Any
    decides: bool


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """`existing` is a stored revision of the same identity; `quarantined`: it failed before;
    `resolved`: False for a new one, whose name follows from what its URI names when it is stored.
    """

    revision: str
    existing: bool
    quarantined: bool
    resolved: bool = True


def revision_of(spec: Raw, records: Sequence[Raw]) -> RevisionPlan:
    """Returns the revision of a raw spec among the ControllerRevisions of the model."""
    stored = [_record(raw) for raw in records]
    existing = find(spec, stored)
    if existing is not None:
        return RevisionPlan(existing.revision, True, existing.verdict is not None)
    if _moves(spec):
        return RevisionPlan(UNRESOLVED, False, False, resolved=False)
    return RevisionPlan(new_record(spec, stored).revision, False, False)


def _moves(spec: Raw) -> bool:
    try:
        return parse(str((spec.get("model") or {}).get("uri") or "")).moves
    except UriInvalid:
        return False


def _record(raw: Raw) -> Record:
    metadata, data = raw["metadata"], raw.get("data") or {}
    algorithm, digest = str(data.get("algorithm", "")), str(data.get("digest", ""))
    resolved, spec_digest = resolved_facts(algorithm, data.get("identity"))
    return Record(
        revision=str(metadata.get("labels", {}).get("canarium.dev/revision", "")),
        number=int(raw.get("revision") or 0),
        algorithm=algorithm,
        digest=digest,
        identity={},
        version=recorded_version(data),
        served=None,
        verdict=metadata.get("annotations", {}).get(_VERDICT),
        intact=digest_matches(algorithm, digest, data.get("identity")) and seal_is_valid(data),
        resolved=resolved,
        spec_digest=spec_digest,
    )


def changes(before: Raw, after: Raw) -> list[Change]:
    """Returns the fields of two raw specs that differ."""
    one, other = identity_v1(before), identity_v1(after)
    listed = [Change(f"spec.{p}", a, b, True) for p, a, b in _differences(one, other, "")]
    decided = {change.path for change in listed}
    for path, old, new in _differences(before, after, ""):
        if f"spec.{path}" not in decided:
            listed.append(Change(f"spec.{path}", old, new, False))
    return listed


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            below = f"{path}.{key}" if path else str(key)
            yield from _differences(before.get(key), after.get(key), below)
    elif before != after:
        yield path, before, after
