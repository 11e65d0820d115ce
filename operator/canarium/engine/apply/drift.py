"""Compares a live object with its desired manifest, path by path (R23).

A value that differs was changed by one of two:

* **The API server or an admission policy**, while it handled our own write: a default, another form
  of a quantity, an image that a policy rewrites. That is not drift. Applying it again would change
  nothing or, with a policy that handles only creations, restart the pods of a Deployment.
* **Another client**, by a separate write. That is drift, and is repaired.

`managedFields` distinguishes the two. The API server records our paths before it runs admission, so
what a policy changes stays ours; a later write by another client takes the path from us.

Without `managedFields`, values alone decide. A path that is absent in the live object and empty in
the manifest (false, 0, an empty list) does not differ: the API server leaves such values out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any, Final

import orjson

from canarium.engine.apply.merge_keys import ItemIndex

Fields = Mapping[str, Any]
_MISSING: Final[Any] = object()
#: Everything below a path is ours: a leaf, or a list or map with one owner.
_ALL: Final[Fields] = {}
#: Keys whose empty value differs in meaning from an absent one.
_MEANT_EMPTY = frozenset(
    {
        "allowPrivilegeEscalation", "automountServiceAccountToken", "emptyDir",
        "enableServiceLinks", "fsGroup", "hostUsers", "runAsGroup", "runAsUser",
        "tolerationSeconds",
    }
)  # fmt: skip
#: Mappings that have one owner as a whole. For any other mapping, an entry without children means
#: that the mapping is ours but none of its fields.
_ATOMIC = frozenset(
    {
        "configMapKeyRef", "fieldRef", "labelSelector", "namespaceSelector", "nodeSelector",
        "requiredDuringSchedulingIgnoredDuringExecution", "resourceFieldRef", "secretKeyRef",
        "secretRef", "selector",
    }
)  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_SCALE = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
#: The API server rounds resource quantities up to thousandths.
_LEAST = Decimal("1e-3")


@dataclass
class DriftComparison:
    """What differs, by path, and what to apply so that only the drift is repaired."""

    #: Changed or removed by other clients.
    drift: list[str] = field(default_factory=list)
    #: Changed by the API server or an admission policy in our own write; left as it is.
    preserved: list[str] = field(default_factory=list)
    #: The manifest to apply, with the preserved values.
    merged: dict[str, Any] = field(default_factory=dict)


def compare(
    live: Mapping[str, Any],
    wanted: Mapping[str, Any],
    owned: Fields | None = None,
    *,
    whole: bool = False,
) -> DriftComparison:
    """Compares the paths of the spec `wanted`; other paths of `live` belong to other clients.

    `owned` are the paths of `wanted` that our own write set and no other client changed since, as
    in `managedFields`; None when that is not known. With `whole`, items of lists have no names.
    """
    comparison = DriftComparison()
    walk = _Walk(comparison, whole=whole)
    merged = walk.mapping(("spec",), live, wanted, owned)
    comparison.merged = merged
    return comparison


def digest(spec: Any) -> str:
    """Returns a short hash of a desired spec."""
    text = orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


class _Walk:
    """One walk over the desired spec."""

    def __init__(self, comparison: DriftComparison, *, whole: bool) -> None:
        self._comparison, self._whole = comparison, whole

    def value(self, path: tuple[str, ...], live: Any, wanted: Any, owned: Fields | None) -> Any:
        """Compares one value; returns what to apply for it."""
        if isinstance(wanted, dict) and wanted and (live is _MISSING or isinstance(live, dict)):
            inner = self.mapping(path, {} if live is _MISSING else live, wanted, owned)
            return inner if inner or live is not _MISSING else _MISSING
        if isinstance(wanted, list) and isinstance(live, list) and owned is not _ALL:
            keys = self._keys(live, wanted, owned)
            if keys:
                return self._items(path, live, wanted, owned, keys)
        if wanted is None or same(path, live, wanted):
            return wanted
        if owned is not None:
            if wanted:
                self._comparison.preserved.append(_path_text(path))
            return live
        if live is _MISSING and not wanted and path[-1] not in _MEANT_EMPTY:
            return wanted
        self._comparison.drift.append(_path_text(path))
        return wanted

    def mapping(
        self,
        path: tuple[str, ...],
        live: Mapping[str, Any],
        wanted: Mapping[str, Any],
        owned: Fields | None,
    ) -> dict[str, Any]:
        """Compares the keys of `wanted`."""
        if owned is _ALL and path[-1] not in _ATOMIC:
            owned = None
        sent = {
            key: self.value((*path, key), live.get(key, _MISSING), value, _below(owned, f"f:{key}"))
            for key, value in wanted.items()
        }
        return {key: value for key, value in sent.items() if value is not _MISSING}

    def _items(
        self,
        path: tuple[str, ...],
        live: list[Any],
        wanted: list[Any],
        owned: Fields | None,
        keys: tuple[str, ...],
    ) -> list[Any]:
        """Compares the items of a list that merges by `keys`."""
        sent = []
        present = ItemIndex[Any](((x, x) for x in live if isinstance(x, dict)), keys)
        ours = _owned_items(owned, keys)
        for item in wanted:
            name = str(item.get("name", item.get(keys[0])))
            there = present.find(item, _MISSING)
            node = ours.find(item if there is _MISSING else there, None)
            sent.append(self.value((*path, f"[{name}]"), there, item, node))
        return [item for item in sent if item is not _MISSING]

    def _keys(self, live: list[Any], wanted: list[Any], owned: Fields | None) -> tuple[str, ...]:
        """Returns the keys that identify the items of a list; none for a list that is one value."""
        if not all(isinstance(item, dict) for item in wanted):
            return ()
        named = next((name for name in owned or () if name.startswith("k:")), None)
        if named is None and (self._whole or any("name" not in item for item in wanted)):
            return ()
        keys = tuple(orjson.loads(named[2:])) if named else ("name",)
        # Duplicate names, as of environment variables, cannot be distinguished.
        different = {tuple(str(item.get(key)) for key in keys) for item in wanted}
        return keys if len(different) == len(wanted) else ()


def same(path: tuple[str, ...], live: Any, wanted: Any) -> bool:
    """Returns whether two values are equal to Kubernetes; mappings of `live` may have further
    keys."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            value is None
            or same((*path, key), live.get(key, _MISSING), value)
            or (key not in live and not value and key not in _MEANT_EMPTY)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(same((*path, ""), a, b) for a, b in zip(live, wanted, strict=True))
        )
    if isinstance(live, bool) is not isinstance(wanted, bool):
        return False
    return bool(live == wanted) or (_is_quantity(path) and _same_quantity(live, wanted))


def _is_quantity(path: tuple[str, ...]) -> bool:
    """Returns whether the API server normalizes the value at `path` as a quantity: 1000m becomes
    1."""
    last = path[-1] if path else ""
    return (
        "limits" in path
        or "requests" in path
        or last in ("sizeLimit", "divisor", "averageValue")
        or (last == "value" and "target" in path)
    )


def _same_quantity(live: Any, wanted: Any) -> bool:
    a, b = _quantity(live), _quantity(wanted)
    return a is not None and a == b


def _quantity(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if not match:
        return None
    number, suffix = match[1], match[2] or ""
    try:
        size = (
            Decimal(number + suffix)
            if suffix[1:].lstrip("+-").isdigit()
            else Decimal(number) * _SCALE.get(suffix, Decimal(1))
        )
        return size.quantize(_LEAST, ROUND_UP)
    except InvalidOperation:
        return None


def _below(owned: Fields | None, name: str) -> Fields | None:
    if owned is _ALL or owned is None:
        return owned
    inner = owned.get(name)
    return _ALL if inner == _ALL else inner


def _owned_items(owned: Fields | None, keys: tuple[str, ...]) -> ItemIndex[Fields | None]:
    """Returns what we own of each item of a list."""
    named = ((name, inner) for name, inner in (owned or {}).items() if name.startswith("k:"))
    return ItemIndex(
        ((orjson.loads(name[2:]), _ALL if inner == _ALL else inner) for name, inner in named), keys
    )


def _path_text(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[", "[")
