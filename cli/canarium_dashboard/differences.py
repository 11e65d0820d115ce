"""What differs between two revisions, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from canarium.view.objects import Raw, part

#: Parts of a record that decide what serves.
_PARTS = ("model", "runtime", "template")
_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; empty values are absent."""

    field: str
    before: str
    after: str


def differences(before: Raw, after: Raw) -> tuple[Difference, ...]:
    """Returns the fields of two ControllerRevisions that differ, at most 200."""
    old = dict(_flat({name: part(before, "data").get(name) for name in _PARTS}))
    new = dict(_flat({name: part(after, "data").get(name) for name in _PARTS}))
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return tuple(Difference(n, old.get(n, ""), new.get(n, "")) for n in names[:_LIMIT])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields each leaf with its path. Entries of lists that have names are found by them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            # The revision's own name is in its labels, and differs always.
            if path.endswith("labels") and key == "canarium.dev/revision":
                continue
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            name = inner.get("name") if isinstance(inner, dict) else None
            yield from _flat(inner, f"{path}[{name if isinstance(name, str) else index}]")
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value)
