"""Finds items of a list that Kubernetes merges by keys, in constant time each.

Users choose the length of such lists, as of environment variables, and each search through the
whole list would take a time that grows with its square, on the event loop (R31).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ItemIndex(Generic[T]):
    """Values by the items that they belong to; the first one of equal items counts.

    Server-side apply allows only scalars as values of merge keys. An item without some of the keys
    is found by the others, since the API server fills in keys that are absent.
    """

    def __init__(self, items: Iterable[tuple[Mapping[str, Any], T]], keys: tuple[str, ...]) -> None:
        self._items, self._keys = list(items), keys
        #: Keys that an item has → values of these keys → value.
        self._by_keys: dict[tuple[str, ...], dict[tuple[Any, ...], T]] = {}

    def find(self, item: Mapping[str, Any], default: T) -> T:
        """Returns the value of the same item; `default` without one."""
        keys = tuple(key for key in self._keys if item.get(key))
        if keys not in self._by_keys:
            self._by_keys[keys] = self._indexed(keys)
        name = tuple(item[key] for key in keys)
        return self._by_keys[keys].get(name, default) if _is_scalar(name) else default

    def _indexed(self, keys: tuple[str, ...]) -> dict[tuple[Any, ...], T]:
        indexed: dict[tuple[Any, ...], T] = {}
        for item, value in self._items:
            name = tuple(item.get(key) for key in keys)
            if _is_scalar(name):
                indexed.setdefault(name, value)
        return indexed


def _is_scalar(values: tuple[Any, ...]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)
