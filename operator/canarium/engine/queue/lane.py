"""Keys of one urgency: first in, first out within a share, round robin between shares."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
#: What a key takes turns for: its namespace.
Share = Hashable


class Lane(Generic[K]):
    """Deficit round robin in which every key costs the same, so that no deficit is left to carry.

    - A share that has no key waiting has no place in the rotation; with its first key it joins at
      the end. So a key waits for at most one key of every other share before its own share's turn,
      however many keys the others have.
    - Adding, removing and taking cost O(1). `take` passes over shares that may not be served now
      and leaves them their turn; each of those has keys being worked on, so there are never more of
      them than workers.
    """

    def __init__(self, share: Callable[[K], Share]) -> None:
        self._share = share
        #: The rotation, whose turn is next first; each with its keys in order of arrival.
        self._rotation: OrderedDict[Share, OrderedDict[K, None]] = OrderedDict()
        #: When each key joined this lane, the earliest first.
        self._joined: OrderedDict[K, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._joined)

    def oldest(self) -> float | None:
        """Returns when the oldest key joined."""
        return next(iter(self._joined.values()), None)

    def has_any(self, may_be_served: Callable[[Share], bool]) -> bool:
        """Returns whether a key waits whose share may be served."""
        return any(may_be_served(share) for share in self._rotation)

    def add(self, key: K, now: float) -> None:
        self._rotation.setdefault(self._share(key), OrderedDict())[key] = None
        self._joined[key] = now

    def remove(self, key: K) -> None:
        share = self._share(key)
        del self._joined[key]
        del self._rotation[share][key]
        if not self._rotation[share]:
            del self._rotation[share]

    def take(self, may_be_served: Callable[[Share], bool]) -> K | None:
        """Removes and returns the next key of the next share that may be served."""
        for share, keys in self._rotation.items():
            if may_be_served(share):
                key = next(iter(keys))
                self.remove(key)
                if keys:
                    self._rotation.move_to_end(share)
                return key
        return None
