"""Whether the definition that the cluster has and this operator know the same fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Skew:
    """Where a CRD in the cluster differs from the operator's own: paths, with the words of an
    enumeration after a colon."""

    #: What the operator writes into a status and the API server would drop or reject.
    lost: tuple[str, ...] = ()
    #: Fields that users of the older definition cannot set.
    unsayable: tuple[str, ...] = ()
    #: Fields that users of the newer definition can set and the operator does not support.
    unknown: tuple[str, ...] = ()


def skew(theirs: Mapping[str, Any], ours: Mapping[str, Any], version: str) -> Skew:
    """Compares two CRDs of one kind. ValueError when `theirs` does not serve `version`."""
    cluster, own = _schema(theirs, version), _schema(ours, version)
    missing = tuple(_missing("", own, cluster))
    spec = ".spec."
    return Skew(
        lost=tuple(p for p in missing if not p.startswith(spec)),
        unsayable=tuple(p for p in missing if p.startswith(spec)),
        unknown=tuple(p for p in _missing("", cluster, own) if p.startswith(spec)),
    )


def _schema(definition: Mapping[str, Any], version: str) -> Schema:
    for candidate in definition["spec"]["versions"]:
        if candidate["name"] == version and candidate.get("served"):
            schema: Schema = candidate["schema"]["openAPIV3Schema"]
            return schema
    raise ValueError(f"the API version {version} is not served")


def _missing(path: str, wanted: Schema, there: Schema) -> Iterator[str]:
    """Paths in `wanted` that `there` does not take; below what is missing nothing is looked for."""
    if there.get("x-kubernetes-preserve-unknown-fields"):
        return
    words = [word for word in wanted.get("enum", ()) if word not in there.get("enum", (word,))]
    if words:
        yield f"{path}: {', '.join(map(str, words))}"
    for name, child in wanted.get("properties", {}).items():
        below = f"{path}.{name}"
        if name in there.get("properties", {}):
            yield from _missing(below, child, there["properties"][name])
        else:
            yield below
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(wanted.get(key), dict) and isinstance(there.get(key), dict):
            yield from _missing(path + sign, wanted[key], there[key])
