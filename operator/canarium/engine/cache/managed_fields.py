"""Which fields of an object our field manager owns, as the API server notes in `managedFields`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from canarium import FIELD_MANAGER

Fields = Mapping[str, Any]


def owned_by_us(managed: Iterable[Mapping[str, Any]] | None) -> dict[str, Any] | None:
    """Returns the paths below `spec` that our field manager owns, whether by creating or applying;
    None without `managedFields`."""
    entries = list(managed or ())
    if not entries:
        return None
    owned: dict[str, Any] = {}
    for entry in entries:
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource"):
            spec = (entry.get("fieldsV1") or {}).get("f:spec")
            if spec is not None:
                owned = _union(owned, spec) if owned else spec
    return owned


def scaled_by_other(managed: Iterable[Mapping[str, Any]] | None) -> bool:
    """Returns whether a manager other than ours set `spec.replicas` through the scale subresource,
    and no other client has set it to another value since."""
    return any(
        entry.get("subresource") == "scale"
        and entry.get("manager") != FIELD_MANAGER
        and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or ())
        for entry in managed or ()
    )


def _union(a: Fields, b: Fields) -> dict[str, Any]:
    merged = dict(a)
    for key, inner in b.items():
        old = merged.get(key)
        if old is None:
            merged[key] = inner
        elif old and inner:
            merged[key] = _union(old, inner)
        else:
            merged[key] = {}
    return merged
