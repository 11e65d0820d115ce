"""Caches the objects of one kind; the newer of two versions wins, from any source.

The answer to a write is observed at once (`observe`, `amend`, `forget`), and older events are
dropped: a decision never sees a state older than its own last write.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

#: UIDs of deleted objects to remember: more than the events that can arrive late.
_REMEMBERED = 10_000


class Projected(Protocol):
    """Metadata that every projection keeps."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=Projected)
Key = tuple[str, str]


class Cache(Generic[T]):
    """Objects by namespace and name; `on_change(old, new)` receives every difference."""

    def __init__(
        self,
        project: Callable[[dict[str, Any]], T],
        on_change: Callable[[T | None, T | None], None],
    ) -> None:
        self._project = project
        self._on_change = on_change
        #: UIDs of deleted objects with the version of the deletion, oldest first: older events are
        #: ignored. A newer version is not: an object may lose our label and get it back.
        self._deleted: dict[str, float] = {}
        self.items: dict[Key, T] = {}

    def observe(self, raw: dict[str, Any]) -> None:
        """Observes an object from the answer to a write, a list or an event; the newer one wins."""
        new = self._project(raw)
        key = (new.namespace, new.name)
        old = self.items.get(key)
        if new.version <= self._deleted.get(new.uid, 0) or (old and old.version >= new.version):
            return
        self._put(key, old, new)

    def amend(self, namespace: str, name: str, version: int, change: Callable[[T, int], T]) -> None:
        """Observes a write whose answer was not the object itself, but has its `version`.

        `change(known, before)` returns the object as of just `before` that version: events up to it
        are dropped as old, and the event of the write itself still replaces the object.
        """
        key = (namespace, name)
        old = self.items.get(key)
        if old and old.version < version:
            self._put(key, old, change(old, version - 1))

    def forget(self, namespace: str, name: str, uid: str, version: float = math.inf) -> None:
        """Drops an object that is deleted as of `version`; infinity if it never returns."""
        old = self.items.get((namespace, name))
        if old and old.uid == uid and old.version > version:
            return
        self._deleted[uid] = max(version, self._deleted.pop(uid, 0))
        if len(self._deleted) > _REMEMBERED:
            del self._deleted[next(iter(self._deleted))]
        if old and old.uid == uid:
            del self.items[namespace, name]
            self._on_change(old, None)

    def retain(self, listed: set[Key], version: int, namespace: str | None) -> None:
        """Drops what a list of `namespace` (None: all) at `version` does not contain.

        An object that the operator wrote after the list was read stays: the watch decides about it.
        """
        for key, item in list(self.items.items()):
            if key not in listed and namespace in (None, key[0]) and item.version <= version:
                self._on_change(self.items.pop(key), None)

    def drop(self, namespace: str) -> None:
        """Drops a namespace that is no longer followed; its objects may return."""
        for key in [key for key in self.items if key[0] == namespace]:
            self._on_change(self.items.pop(key), None)

    def _put(self, key: Key, old: T | None, new: T) -> None:
        self.items[key] = new
        if old != new:
            self._on_change(old, new)
