"""How writes merge into objects: merge patch, and server-side apply with owners of fields.

Lists are atomic here, but for those of the Kubernetes schema that merge by a key do not matter to
what is simulated (containers and ports are applied whole by one manager only).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

Object = dict[str, Any]
Path = tuple[str, ...]
#: manager → the leaves that it owns. Kubernetes distinguishes appliers and updaters of one name.
Owners = dict[str, frozenset[Path]]

#: Selectors have one owner as a whole (`x-kubernetes-map-type: atomic`).
_ATOMIC = ("spec", "selector")
_SET_BY_SERVER = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation"}
)


class Conflict(Exception):
    """Fields that another manager owns with another value."""


def clone(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Every leaf that a manager can own, by its path."""
    if not isinstance(value, dict) or not value or path == _ATOMIC:
        return {path: value}
    found: dict[Path, Any] = {}
    for key, below in value.items():
        if path == () and key in ("apiVersion", "kind", "status"):
            continue
        if path == ("metadata",) and key in _SET_BY_SERVER:
            continue
        found |= leaves(below, (*path, key))
    return found


def merged(live: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def applied(
    live: Object, wanted: Object, owners: Owners, manager: str, *, force: bool
) -> tuple[Object, Owners]:
    """`wanted` applied to `live`; what `manager` applied before and now omits is removed."""
    new, want, have = clone(live), leaves(wanted), leaves(live)
    disputed = {
        path
        for path, value in want.items()
        if path in have
        and have[path] != value
        and any(path in paths for other, paths in owners.items() if other != manager)
    }
    if disputed and not force:
        raise Conflict(", ".join(".".join(path) for path in sorted(disputed)))
    others = {m: paths - disputed for m, paths in owners.items() if m != manager}
    for path in owners.get(manager, frozenset()) - want.keys():
        if not any(path in paths for paths in others.values()):
            _remove(new, path)
    for path, value in want.items():
        _set(new, path, value)
    return new, {**others, manager: frozenset(want)}


def updated(before: Object | None, after: Object, owners: Owners, manager: str) -> Owners:
    """Who owns what after `manager` made `before` into `after` by an update or a creation."""
    old, new = leaves(before) if before else {}, leaves(after)
    changed = frozenset(path for path, value in new.items() if old.get(path, _NONE) != value)
    result = {m: paths & new.keys() - changed for m, paths in owners.items()}
    result[manager] = result.get(manager, frozenset()) | changed
    return result


def tree(paths: Iterable[Path]) -> Object:
    """`paths` as `managedFields` write them (fieldsV1)."""
    found: Object = {}
    for path in paths:
        below = found
        for key in path:
            below = below.setdefault(f"f:{key}", {})
    return found


_NONE = object()


def _set(target: Object, path: Path, value: Any) -> None:
    for key in path[:-1]:
        below = target.get(key)
        if not isinstance(below, dict):
            below = target[key] = {}
        target = below
    target[path[-1]] = clone(value)


def _remove(target: Object, path: Path) -> None:
    for key in path[:-1]:
        below = target.get(key)
        if not isinstance(below, dict):
            return
        target = below
    target.pop(path[-1], None)
