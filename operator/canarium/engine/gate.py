"""The hash gate (R23): whether a live object still carries all that we apply.

Only paths that we apply are compared: what others add or the API server fills in is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

_SUFFIX = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20),
    "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip


def covers(live: Any, wanted: Any, *, whole: bool = False) -> bool:
    """Whether every leaf of `wanted` is in `live`; lists of named items match by name, unless
    lists count as a whole."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted
        return all(covers(live.get(key), value, whole=whole) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list):
            return not wanted
        if not whole and wanted and all(isinstance(x, dict) and "name" in x for x in wanted):
            named = {x.get("name"): x for x in live if isinstance(x, dict)}
            return all(covers(named.get(x["name"]), x) for x in wanted)
        pairs = zip(live, wanted, strict=False)
        return len(live) == len(wanted) and all(covers(a, b, whole=whole) for a, b in pairs)
    return bool(live == wanted) or (wanted == "" and live is None) or _same_quantity(live, wanted)


def _same_quantity(live: Any, wanted: Any) -> bool:
    """The API server writes quantities in its own way: 1000m comes back as 1."""
    a, b = _quantity(live), _quantity(wanted)
    return a is not None and a == b


def _quantity(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    number = text.rstrip("mkMGTi")
    try:
        return Decimal(number) * _SUFFIX[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None


def compared_part(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The part of what we apply that a cache keeps of the live object."""
    notes = wanted["metadata"].get("annotations")
    meta = {"metadata": {"annotations": notes}} if notes else {}
    return {**meta, "spec": wanted["spec"]}
